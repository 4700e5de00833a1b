package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Beat implements store.Replicas. Only one process can have the file, but a
// predecessor may have left its row.
func (s *Store) Beat(ctx context.Context, owner string) (alive int, err error) {
	if !record.Storable(owner) {
		return 0, fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM replicas WHERE seen_at <= ?`, t.now-store.ReplicaSilence.Milliseconds()); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO replicas (owner, seen_at) VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at`, owner, t.now)
		if err != nil {
			return err
		}
		return t.row(`SELECT count(*) FROM replicas`, nil, &alive)
	})
	return alive, err
}

// Leave implements store.Replicas.
func (s *Store) Leave(ctx context.Context, owner string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM replicas WHERE owner = ?`, owner)
		return err
	})
}

// Receive implements store.Replicas. Only one process can have the file, so
// that who receives here sends, too; it counts for a successor.
func (s *Store) Receive(ctx context.Context, owner string, messages map[string]int64) error {
	for line := range messages {
		if !record.Storable(line) {
			return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
		}
	}
	if !record.Storable(owner) {
		return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM received WHERE seen_at <= ? AND owner <> ?`, t.now-store.ReplicaSilence.Milliseconds(), owner); err != nil {
			return err
		}
		for line, n := range messages {
			_, err := t.exec(`
				INSERT INTO received (owner, line, total, seen_at) VALUES (?, ?, ?, ?)
				ON CONFLICT (owner, line) DO UPDATE SET total = total + excluded.total, seen_at = excluded.seen_at`, owner, line, n, t.now)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Received implements store.Replicas.
func (s *Store) Received(ctx context.Context) ([]store.Received, error) {
	return list(ctx, s, func(row *sql.Rows) (r store.Received, err error) {
		err = row.Scan(&r.Owner, &r.Line, &r.Total)
		return r, err
	}, `SELECT owner, line, total FROM received ORDER BY owner, line`)
}
