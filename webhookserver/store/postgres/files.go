package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// fetchable locks the file that is fetched next. Its parameters: now, the limit
// per line, and the line after which to look. Like claimable it skips what others
// have locked.
//
// The lines that have something to fetch are found by one probe each, in their
// order, and the first that has room does, so that a hundred thousand files of one
// cost the others nothing.
const fetchable = `
	WITH RECURSIVE waiting (line) AS (
	  SELECT min(line) FROM media WHERE state IN ('pending', 'fetching') AND line > $3
	  UNION ALL
	  SELECT (SELECT min(line) FROM media WHERE state IN ('pending', 'fetching') AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT n.* FROM waiting w CROSS JOIN LATERAL (
	    SELECT f.phone_number_id, f.wamid, f.line, f.media_id, f.mime_type, f.sha256, f.received_at, f.epoch, f.attempts,
	           coalesce((SELECT bytes FROM line_blobs b WHERE b.line = f.line), 0),
	           coalesce((SELECT type FROM messages m WHERE m.phone_number_id = f.phone_number_id AND m.wamid = f.wamid), '')
	    FROM media f
	    WHERE f.line = w.line AND f.state IN ('pending', 'fetching') AND f.not_before <= $1 AND f.lease_until <= $1
	      AND (SELECT count(*) FROM media b WHERE b.line = w.line AND b.state = 'fetching' AND b.lease_until > $1) < $2
	    ORDER BY f.not_before, f.received_at LIMIT 1 FOR UPDATE OF f SKIP LOCKED) n
	WHERE w.line IS NOT NULL
	LIMIT 1`

// ClaimMedia implements store.Files.
func (s *Store) ClaimMedia(ctx context.Context, req store.ClaimMediaRequest) (*store.MediaFetch, error) {
	var f *store.MediaFetch
	err := s.write(ctx, func(t *tx) error {
		f = nil
		c := store.MediaFetch{ClaimedAt: record.Instant(t.now)}
		var received int64
		found, err := t.found(fetchable, []any{t.now, max(1, req.PerLineLimit), req.After},
			&c.PhoneNumberID, &c.WAMID, &c.Line, &c.MediaID, &c.MIMEType, &c.SHA256, &received, &c.Epoch, &c.Attempt, &c.LineBytes, &c.Type)
		if err != nil || !found {
			return err
		}
		c.ReceivedAt, c.BlobKey, c.Epoch, c.Attempt = record.Instant(received), record.BlobKey(c.Line, c.PhoneNumberID, c.WAMID), c.Epoch+1, c.Attempt+1
		if _, err := t.exec(`DELETE FROM blob_garbage WHERE key = $1`, c.BlobKey); err != nil {
			return err
		}
		f = &c
		return t.exec1(`
			UPDATE media SET state = 'fetching', owner = $1, epoch = $2, attempts = $3, lease_until = $4, not_before = $4, blob_key = $5
			WHERE phone_number_id = $6 AND wamid = $7`,
			req.Owner, c.Epoch, c.Attempt, t.now+req.Lease.Milliseconds(), c.BlobKey, c.PhoneNumberID, c.WAMID)
	})
	if err != nil || f == nil {
		return nil, cmp.Or(err, store.ErrNothingDue)
	}
	return f, nil
}

// MarkMediaStored implements store.Files.
func (s *Store) MarkMediaStored(ctx context.Context, f *store.MediaFetch, mimeType string, size int64) error {
	return s.settleMedia(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'stored', reason = '', mime_type = $4, size = $5`, mimeType, size)
	})
}

// MarkMediaFailed implements store.Files.
func (s *Store) MarkMediaFailed(ctx context.Context, f *store.MediaFetch, reason string) error {
	return s.settleMedia(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'failed', reason = $4, size = 0`, reason)
	})
}

// MarkMediaSkipped implements store.Files.
func (s *Store) MarkMediaSkipped(ctx context.Context, f *store.MediaFetch, reason string) error {
	return s.settleMedia(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'skipped', reason = $4, size = 0`, reason)
	})
}

// MarkMediaPendingAgain implements store.Files.
func (s *Store) MarkMediaPendingAgain(ctx context.Context, f *store.MediaFetch, again store.Retry) error {
	return s.settleMedia(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'pending', reason = $4, not_before = $5, attempts = attempts - $6`, again.Reason, t.now+again.After.Milliseconds(), again.Uncounted())
	})
}

// settleMedia runs fn, and wakes those who wait for a file.
func (s *Store) settleMedia(ctx context.Context, fn func(*tx) error) error {
	err := s.write(ctx, fn)
	if err == nil {
		s.hints.tell() // a reply may have waited for it
	}
	return err
}

// settleMedia ends a claim with what set, a constant whose parameters begin at the fourth, and its values say.
func (t *tx) settleMedia(f *store.MediaFetch, set string, values ...any) error {
	n, err := t.exec(`UPDATE media SET `+set+`, lease_until = 0 WHERE phone_number_id = $1 AND wamid = $2 AND epoch = $3 AND state = 'fetching'`,
		append([]any{f.PhoneNumberID, f.WAMID, f.Epoch}, values...)...)
	if err == nil && n == 0 {
		err = store.ErrLeaseLost
	}
	return err
}

// NoteBlob implements store.Files.
func (s *Store) NoteBlob(ctx context.Context, key string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO blob_garbage (key, due_at) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at`,
			key, t.now+store.BlobGrace.Milliseconds())
		return err
	})
}

// BlobBytes implements store.Files.
func (s *Store) BlobBytes(ctx context.Context, line string) (bytes int64, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, `SELECT coalesce((SELECT bytes FROM line_blobs WHERE line = $1), 0)`, line).Scan(&bytes)
	})
	return bytes, err
}

// SetUploaded implements store.Files.
func (s *Store) SetUploaded(ctx context.Context, send *store.Send, mediaID string) error {
	return s.settle(ctx, send, func(t *tx) error {
		return t.exec1(`UPDATE outbox SET media_id = $1 WHERE id = $2`, mediaID, send.ID)
	})
}

// garbage selects the keys of blobs that nobody names any more. Its parameters:
// the clock, and how many. The indexes of keys hold those that are not empty.
const garbage = `
	SELECT key FROM blob_garbage g WHERE due_at > 0 AND due_at <= ` + clockNow + `
	  AND NOT EXISTS (SELECT 1 FROM media WHERE blob_key = g.key AND blob_key <> '')
	  AND NOT EXISTS (SELECT 1 FROM outbox WHERE blob_key = g.key AND blob_key <> '')
	ORDER BY due_at LIMIT $2`

// BlobGarbage implements store.Files.
func (s *Store) BlobGarbage(ctx context.Context, limit int) ([]string, error) {
	fresh, err := s.anyRow(ctx, `SELECT 1 FROM blob_garbage WHERE due_at = 0 LIMIT 1`, nil)
	if err != nil {
		return nil, err
	}
	if fresh {
		err := s.write(ctx, func(t *tx) error {
			_, err := t.exec(`UPDATE blob_garbage SET due_at = $1 WHERE due_at = 0`, t.now+store.BlobGrace.Milliseconds())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list(ctx, s, func(row pgx.CollectableRow) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	}, garbage, s.clockOverride(), limit)
}

// ForgetBlobs implements store.Files.
func (s *Store) ForgetBlobs(ctx context.Context, keys []string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM blob_garbage WHERE key = ANY ($1)`, keys)
		return err
	})
}
