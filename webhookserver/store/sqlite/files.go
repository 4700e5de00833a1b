package sqlite

import (
	"context"
	"database/sql"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// fetchable picks the file that is fetched next. Its parameters: now, the limit
// per line, and the line after which to look.
//
// The lines that have something to fetch are found by one probe each, in their
// order, and the first that has room does, so that a hundred thousand files of one
// cost the others nothing.
const fetchable = `
	WITH RECURSIVE waiting (line) AS (
	  SELECT min(line) FROM media WHERE state IN ('pending', 'fetching') AND line > ?3
	  UNION ALL
	  SELECT (SELECT min(line) FROM media WHERE state IN ('pending', 'fetching') AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT f.phone_number_id, f.wamid, f.line, f.media_id, f.mime_type, f.sha256, f.received_at, f.epoch, f.attempts,
	       coalesce((SELECT bytes FROM line_blobs b WHERE b.line = f.line), 0),
	       coalesce((SELECT type FROM messages m WHERE m.phone_number_id = f.phone_number_id AND m.wamid = f.wamid), '')
	FROM waiting w CROSS JOIN media f ON (f.phone_number_id, f.wamid) = (
	    SELECT p.phone_number_id, p.wamid FROM media p
	    WHERE p.line = w.line AND p.state IN ('pending', 'fetching') AND p.not_before <= ?1 AND p.lease_until <= ?1
	    ORDER BY p.not_before, p.received_at LIMIT 1)
	WHERE w.line IS NOT NULL
	  AND (SELECT count(*) FROM media b WHERE b.line = w.line AND b.state = 'fetching' AND b.lease_until > ?1) < ?2
	LIMIT 1`

// ClaimMedia implements store.Files.
func (s *Store) ClaimMedia(ctx context.Context, req store.ClaimMediaRequest) (*store.MediaFetch, error) {
	args := func(now int64) []any { return []any{now, max(1, req.PerLineLimit), req.After} }
	if due, err := s.anyRow(ctx, fetchable, args(s.clock().UnixMilli())); err != nil || !due {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	var f *store.MediaFetch
	err := s.write(ctx, func(t *tx) error {
		f = nil
		c := store.MediaFetch{ClaimedAt: record.Instant(t.now)}
		var received int64
		found, err := t.found(fetchable, args(t.now),
			&c.PhoneNumberID, &c.WAMID, &c.Line, &c.MediaID, &c.MIMEType, &c.SHA256, &received, &c.Epoch, &c.Attempt, &c.LineBytes, &c.Type)
		if err != nil || !found {
			return err
		}
		c.ReceivedAt, c.BlobKey, c.Epoch, c.Attempt = record.Instant(received), record.BlobKey(c.Line, c.PhoneNumberID, c.WAMID), c.Epoch+1, c.Attempt+1
		if _, err := t.exec(`DELETE FROM blob_garbage WHERE key = ?`, c.BlobKey); err != nil {
			return err
		}
		f = &c
		until := t.now + req.Lease.Milliseconds()
		return t.exec1(`
			UPDATE media SET state = 'fetching', owner = ?, epoch = ?, attempts = ?, lease_until = ?, not_before = ?, blob_key = ?
			WHERE phone_number_id = ? AND wamid = ?`,
			req.Owner, c.Epoch, c.Attempt, until, until, c.BlobKey, c.PhoneNumberID, c.WAMID)
	})
	if err != nil || f == nil {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	return f, nil
}

// MarkMediaStored implements store.Files.
func (s *Store) MarkMediaStored(ctx context.Context, f *store.MediaFetch, mimeType string, size int64) error {
	return s.write(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'stored', reason = '', mime_type = ?, size = ?`, mimeType, size)
	})
}

// MarkMediaFailed implements store.Files.
func (s *Store) MarkMediaFailed(ctx context.Context, f *store.MediaFetch, reason string) error {
	return s.write(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'failed', reason = ?, size = 0`, reason)
	})
}

// MarkMediaSkipped implements store.Files.
func (s *Store) MarkMediaSkipped(ctx context.Context, f *store.MediaFetch, reason string) error {
	return s.write(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'skipped', reason = ?, size = 0`, reason)
	})
}

// MarkMediaPendingAgain implements store.Files.
func (s *Store) MarkMediaPendingAgain(ctx context.Context, f *store.MediaFetch, again store.Retry) error {
	return s.write(ctx, func(t *tx) error {
		return t.settleMedia(f, `state = 'pending', reason = ?, not_before = ?, attempts = attempts - ?`, again.Reason, t.now+again.After.Milliseconds(), again.Uncounted())
	})
}

// settleMedia ends a claim with what set, a constant, and its values say.
func (t *tx) settleMedia(f *store.MediaFetch, set string, values ...any) error {
	n, err := t.exec(`UPDATE media SET `+set+`, lease_until = 0 WHERE phone_number_id = ? AND wamid = ? AND epoch = ? AND state = 'fetching'`,
		append(values, f.PhoneNumberID, f.WAMID, f.Epoch)...)
	if err == nil && n == 0 {
		err = store.ErrLeaseLost
	}
	return err
}

// NoteBlob implements store.Files.
func (s *Store) NoteBlob(ctx context.Context, key string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO blob_garbage (key, due_at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at`,
			key, t.now+store.BlobGrace.Milliseconds())
		return err
	})
}

// BlobBytes implements store.Files.
func (s *Store) BlobBytes(ctx context.Context, line string) (bytes int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT coalesce((SELECT bytes FROM line_blobs WHERE line = ?), 0)`, line).Scan(&bytes)
	return bytes, classify(err)
}

// SetUploaded implements store.Files.
func (s *Store) SetUploaded(ctx context.Context, send *store.Send, mediaID string) error {
	return s.settle(ctx, send, func(t *tx) error {
		return t.exec1(`UPDATE outbox SET media_id = ? WHERE id = ?`, mediaID, send.ID)
	})
}

// garbage selects the keys of blobs that nobody names any more. Its parameters:
// now, and how many. The indexes of keys hold those that are not empty.
const garbage = `
	SELECT key FROM blob_garbage g WHERE due_at > 0 AND due_at <= ?
	  AND NOT EXISTS (SELECT 1 FROM media WHERE blob_key = g.key AND blob_key <> '')
	  AND NOT EXISTS (SELECT 1 FROM outbox WHERE blob_key = g.key AND blob_key <> '')
	ORDER BY due_at LIMIT +?`

// BlobGarbage implements store.Files.
func (s *Store) BlobGarbage(ctx context.Context, limit int) ([]string, error) {
	fresh, err := s.anyRow(ctx, `SELECT 1 FROM blob_garbage WHERE due_at = 0 LIMIT 1`, nil)
	if err != nil {
		return nil, err
	}
	if fresh {
		err := s.write(ctx, func(t *tx) error {
			_, err := t.exec(`UPDATE blob_garbage SET due_at = ? WHERE due_at = 0`, t.now+store.BlobGrace.Milliseconds())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list(ctx, s, func(row *sql.Rows) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	}, garbage, s.clock().UnixMilli(), limit)
}

// ForgetBlobs implements store.Files.
func (s *Store) ForgetBlobs(ctx context.Context, keys []string) error {
	return s.write(ctx, func(t *tx) error {
		for _, key := range keys {
			if _, err := t.exec(`DELETE FROM blob_garbage WHERE key = ?`, key); err != nil {
				return err
			}
		}
		return nil
	})
}
