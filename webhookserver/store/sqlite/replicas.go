package sqlite

import (
	"context"
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
