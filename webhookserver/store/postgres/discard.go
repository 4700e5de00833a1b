package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// discardable finds conversations that are to lose their words, with now as parameter 1.
const discardable = `c.lease_until <= $1 AND ` + record.Discardable

// Discard implements store.Maintenance. The conversations are locked, and looked
// at again in a statement of its own, which sees what was committed before.
func (s *Store) Discard(ctx context.Context, lines []string, batch int) (int, error) {
	if len(lines) == 0 {
		return 0, nil
	}
	total := 0
	err := s.write(ctx, func(t *tx) error {
		total = 0
		threads, err := rowsOf(t, pgx.RowTo[int64], `
			SELECT c.id FROM conversations c WHERE c.id IN (
			  SELECT c.id FROM conversations c WHERE c.line = ANY ($2) AND `+discardable+` LIMIT $3)
			ORDER BY c.id FOR UPDATE SKIP LOCKED`, t.now, lines, batch)
		if err != nil {
			return err
		}
		threads, err = rowsOf(t, pgx.RowTo[int64], `SELECT c.id FROM conversations c WHERE c.id = ANY ($2) AND `+discardable+` ORDER BY c.id`, t.now, threads)
		if err != nil {
			return err
		}
		total = len(threads)
		for _, id := range threads {
			for _, statement := range record.DiscardThread {
				if _, err := t.exec(strings.ReplaceAll(statement, "?1", "$1"), id); err != nil {
					return err
				}
			}
		}
		for _, d := range record.DiscardRows {
			args := []any{lines}
			if d.Open != "" {
				args = append(args, t.now-store.DecideWithin.Milliseconds())
			}
			n, err := t.exec(`UPDATE `+d.Table+` SET `+d.Set+` WHERE line = ANY ($1) AND `+d.Where("$2"), args...)
			if err != nil {
				return err
			}
			total += int(n)
		}
		return nil
	})
	return total, err
}
