package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

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

// Receive implements store.Replicas.
func (s *Store) Receive(ctx context.Context, owner string, messages map[string]int64) error {
	lines := slices.Sorted(maps.Keys(messages)) // in the order of locks
	counts := make([]int64, len(lines))
	for i, line := range lines {
		if !record.Storable(line) {
			return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
		}
		counts[i] = messages[line]
	}
	if !record.Storable(owner) {
		return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM received WHERE (owner, line) IN (
			SELECT owner, line FROM received WHERE seen_at <= $1 AND owner <> $2 FOR UPDATE SKIP LOCKED)`, t.now-store.ReplicaSilence.Milliseconds(), owner)
		if err != nil {
			return err
		}
		_, err = t.exec(`
			INSERT INTO received (owner, line, total, seen_at) SELECT $1, line, total, $4 FROM unnest($2::text[], $3::bigint[]) m (line, total)
			ON CONFLICT (owner, line) DO UPDATE SET total = received.total + excluded.total, seen_at = excluded.seen_at`, owner, lines, counts, t.now)
		return err
	})
}

// Received implements store.Replicas.
func (s *Store) Received(ctx context.Context) ([]store.Received, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (r store.Received, err error) {
		err = row.Scan(&r.Owner, &r.Line, &r.Total)
		return r, err
	}, `SELECT owner, line, total FROM received ORDER BY owner, line`)
}
