package postgres

import (
	"context"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Beat implements store.Replicas.
func (s *Store) Beat(ctx context.Context, owner string) (alive int, err error) {
	if !record.Storable(owner) {
		return 0, fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	err = s.write(ctx, func(t *tx) error {
		// Its own row last: two replicas that forget the same third one meet there, and nowhere else.
		_, err := t.exec(`DELETE FROM replicas WHERE owner IN (
			SELECT owner FROM replicas WHERE seen_at <= $1 AND owner <> $2 ORDER BY owner FOR UPDATE)`, t.now-store.ReplicaSilence.Milliseconds(), owner)
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO replicas (owner, seen_at) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at`, owner, t.now)
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
		_, err := t.exec(`DELETE FROM replicas WHERE owner = $1`, owner)
		return err
	})
}
