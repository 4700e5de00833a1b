package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Documents implements store.Documents.
func (s *Store) Documents(ctx context.Context) ([]store.Document, error) {
	return list(ctx, s, func(rows *sql.Rows) (d store.Document, err error) {
		var fetched, checked, due int64
		err = rows.Scan(&d.Line, &d.URL, &d.Revision, &fetched, &checked, &due, &d.Problem)
		d.FetchedAt, d.CheckedAt, d.DueAt = record.Instant(fetched), record.Instant(checked), record.Instant(due)
		return d, err
	}, `SELECT line, url, revision, fetched_at, checked_at, due_at, problem FROM documents ORDER BY line, url`)
}

// ClaimFetch implements store.Documents.
func (s *Store) ClaimFetch(ctx context.Context, line, url string, interval, lease time.Duration) (*store.Fetch, error) {
	if line == "" || url == "" || !record.Storable(line, url) {
		return nil, fmt.Errorf("%w: a document needs a line and a URL", store.ErrInvalid)
	}
	f := &store.Fetch{Line: line, URL: url}
	err := s.write(ctx, func(t *tx) error {
		claimed, err := t.found(`
			INSERT INTO documents AS d (line, url, epoch, lease_until) VALUES (?1, ?2, 1, ?3)
			ON CONFLICT (line, url) DO UPDATE SET epoch = d.epoch + 1, lease_until = excluded.lease_until
			WHERE d.lease_until <= ?4 AND (d.due_at <= ?4 OR d.checked_at <= ?5)
			RETURNING etag, last_modified, revision, failures, problem, epoch`,
			[]any{line, url, t.now + lease.Milliseconds(), t.now, t.now - interval.Milliseconds()},
			&f.ETag, &f.LastModified, &f.Revision, &f.Failures, &f.Problem, &f.Epoch)
		if err == nil && !claimed {
			return store.ErrNothingDue
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// FinishFetch implements store.Documents.
func (s *Store) FinishFetch(ctx context.Context, f *store.Fetch, o store.FetchOutcome) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`
			UPDATE documents SET lease_until = 0, checked_at = ?4, due_at = ?4 + ?5, problem = ?6,
			  failures = CASE WHEN ?6 = '' THEN 0 ELSE failures + 1 END,
			  fetched_at = CASE WHEN ?6 = '' THEN ?4 ELSE fetched_at END
			WHERE line = ?1 AND url = ?2 AND epoch = ?3 AND lease_until > 0`,
			f.Line, f.URL, f.Epoch, t.now, o.Next.Milliseconds(), o.Problem)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrLeaseLost
		}
		if o.Problem != "" || o.Body == nil {
			return nil
		}
		if _, err := t.exec(`UPDATE documents SET etag = ?3, last_modified = ?4, revision = ?5 WHERE line = ?1 AND url = ?2`,
			f.Line, f.URL, o.ETag, o.LastModified, o.Revision); err != nil {
			return err
		}
		_, err = t.exec(`
			INSERT INTO document_bodies (line, url, revision, body) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (line, url) DO UPDATE SET revision = excluded.revision, body = excluded.body`, f.Line, f.URL, o.Revision, o.Body)
		return err
	})
}

// DocumentBody implements store.Documents.
func (s *Store) DocumentBody(ctx context.Context, line, url string) (body []byte, revision string, err error) {
	type copied struct {
		body     []byte
		revision string
	}
	found, err := list(ctx, s, func(rows *sql.Rows) (c copied, err error) {
		err = rows.Scan(&c.body, &c.revision)
		return c, err
	}, `SELECT body, revision FROM document_bodies WHERE line = ?1 AND url = ?2`, line, url)
	if err != nil {
		return nil, "", err
	}
	if len(found) == 0 {
		return nil, "", store.ErrNotFound
	}
	return found[0].body, found[0].revision, nil
}
