package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Quarantine implements store.Ingester.
func (s *Store) Quarantine(ctx context.Context, e *store.QuarantineEntry) error {
	if e.App == "" || !record.Storable(e.App, e.Signature, e.Path) {
		return fmt.Errorf("%w: a quarantined body needs an app", store.ErrInvalid)
	}
	size := int64(len(e.Body) + len(e.Signature) + len(e.Path))
	return s.writer.do(ctx, &job{bytes: size, bounded: true, run: func(t *tx) error {
		var used, total int64
		err := t.row(`SELECT coalesce(sum(bytes) FILTER (WHERE app = ?), 0), coalesce(sum(bytes), 0) FROM quarantine_usage`, []any{e.App}, &used, &total)
		if err != nil {
			return err
		}
		if used+size > store.QuarantineBytes || total+size > store.QuarantineTotalBytes {
			return store.ErrQuarantineFull
		}
		_, err = t.exec(`INSERT INTO quarantine (app, signature, path, body, bytes, received_at) VALUES (?, ?, ?, ?, ?, ?)`,
			e.App, e.Signature, e.Path, e.Body, size, t.now)
		if err != nil {
			return err
		}
		_, err = t.exec(`
			INSERT INTO quarantine_usage (app, bytes) VALUES (?, ?) ON CONFLICT (app) DO UPDATE SET bytes = bytes + excluded.bytes`, e.App, size)
		return err
	}})
}

// QuarantineEntries implements store.Ingester.
func (s *Store) QuarantineEntries(ctx context.Context, app string, after int64, limit int) ([]store.QuarantineEntry, error) {
	return list(ctx, s, func(rows *sql.Rows) (e store.QuarantineEntry, err error) {
		var at int64
		err = rows.Scan(&e.ID, &e.App, &e.Signature, &e.Path, &e.Body, &at)
		e.ReceivedAt = record.Instant(at)
		return e, err
	}, `SELECT id, app, signature, path, body, received_at FROM quarantine WHERE app = ? AND id > ? ORDER BY id LIMIT +?`, app, after, limit)
}

// DeleteQuarantine implements store.Ingester.
func (s *Store) DeleteQuarantine(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error { return t.deleteQuarantine(id) })
}

// deleteQuarantine removes an entry and gives its bytes back to the app.
func (t *tx) deleteQuarantine(id int64) error {
	var app string
	var size int64
	found, err := t.found(`DELETE FROM quarantine WHERE id = ? RETURNING app, bytes`, []any{id}, &app, &size)
	if err != nil || !found {
		return err
	}
	return t.exec1(`UPDATE quarantine_usage SET bytes = max(0, bytes - ?) WHERE app = ?`, size, app)
}

// Unclaimed implements store.Ingester.
func (s *Store) Unclaimed(ctx context.Context, after int64, limit int) ([]store.UnclaimedChange, error) {
	return list(ctx, s, func(rows *sql.Rows) (c store.UnclaimedChange, err error) {
		var entryAt, at int64
		err = rows.Scan(&c.ID, &c.App, &c.WABAID, &c.PhoneNumberID, &c.Field, &entryAt, &at, &c.Raw)
		c.EntryTime, c.ReceivedAt = record.Instant(entryAt), record.Instant(at)
		return c, err
	}, `SELECT id, app, waba_id, phone_number_id, field, entry_at, received_at, raw FROM unclaimed_changes WHERE id > ? ORDER BY id LIMIT +?`, after, limit)
}

// DeleteUnclaimed implements store.Ingester.
func (s *Store) DeleteUnclaimed(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM unclaimed_changes WHERE id = ?`, id)
		return err
	})
}
