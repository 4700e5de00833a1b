package sqlite

import (
	"context"
	"database/sql"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// discardable finds conversations that are to lose their words.
const discardable = `c.lease_until <= ? AND c.last_message_id > c.discarded_through AND c.first_message_id <= c.last_message_id AND ` + record.Settled

// discardThread takes the words out of conversation ?1, whose last message is
// known by then.
var discardThread = append(record.DiscardThreadOf(`id IN (`+allMessages+`)`), `UPDATE conversations SET last_message_id = discarded_through WHERE id = ?1`)

// Discard implements store.Maintenance. What is to go is looked up beside the
// writer; the writer looks again as it takes it.
func (s *Store) Discard(ctx context.Context, lines []string, batch int) (int, error) {
	if len(lines) == 0 {
		return 0, nil
	}
	encoded, err := jsonLines(lines)
	if err != nil {
		return 0, err
	}
	now := s.clock().UnixMilli()
	threads, err := list(ctx, s, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		return id, err
	}, `SELECT c.id FROM conversations c WHERE c.line IN (SELECT value FROM json_each(?)) AND `+discardable+` LIMIT +?`, encoded, now, batch)
	if err != nil {
		return 0, err
	}
	rows, err := s.discardableRows(ctx, encoded, now)
	if err != nil || len(threads) == 0 && len(rows) == 0 {
		return 0, err
	}
	total := 0
	err = s.write(ctx, func(t *tx) error {
		total = 0
		for _, id := range threads {
			gone, err := t.discardThread(id)
			if err != nil {
				return err
			}
			if gone {
				total++
			}
		}
		for _, d := range rows {
			n, err := t.exec(`UPDATE `+d.Table+` SET `+d.Set+` WHERE line IN (SELECT value FROM json_each(?)) AND `+d.Where("?"),
				d.args(encoded, t.now)...)
			if err != nil {
				return err
			}
			total += int(n)
		}
		return nil
	})
	return total, err
}

func (t *tx) discardThread(id int64) (bool, error) {
	found, err := t.found(`SELECT c.id FROM conversations c WHERE `+discardable+` AND c.id = ?`, []any{t.now, id}, &id)
	if err != nil || !found {
		return false, err
	}
	for _, statement := range discardThread {
		if _, err := t.exec(statement, id); err != nil {
			return false, err
		}
	}
	return true, nil
}

// spare has the message of an id keep its words until they are to go. The newest
// message's id is given again once it is gone; it may have lost its words before.
func (t *tx) spare(conversation, id int64) error {
	_, err := t.exec(`UPDATE conversations SET discarded_through = ?1 - 1 WHERE id = ?2 AND discarded_through = ?1`, id, conversation)
	return err
}

// discarding is a table that has rows to empty.
type discarding struct{ record.Discarding }

// args are those of its condition, after the lines.
func (d discarding) args(lines string, now int64) []any {
	if d.Open == "" {
		return []any{lines}
	}
	return []any{lines, now - store.DecideWithin.Milliseconds()}
}

func (s *Store) discardableRows(ctx context.Context, lines string, now int64) (some []discarding, err error) {
	for _, table := range record.DiscardRows {
		d := discarding{table}
		found, err := s.anyRow(ctx, `SELECT 1 FROM `+d.Table+` WHERE line IN (SELECT value FROM json_each(?)) AND `+d.Where("?")+` LIMIT 1`, d.args(lines, now))
		if err != nil {
			return nil, err
		}
		if found {
			some = append(some, d)
		}
	}
	return some, nil
}
