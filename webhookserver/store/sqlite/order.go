package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// writeOutcome writes what a turn's outcome has beside its replies.
func (t *tx) writeOutcome(turn *store.Turn, o *store.Outcome) error {
	if err := t.writeOrder(turn, o); err != nil {
		return err
	}
	if err := t.writeToolCall(turn, o); err != nil {
		return err
	}
	if o.Cause != "" {
		err := t.insertDeadLetter(&store.DeadLetter{Line: turn.Line, Kind: record.KindTurn, Reason: o.Reason + ": " + o.Cause})
		if err != nil {
			return err
		}
	}
	if s := o.Summary; s != nil {
		if !record.Storable(s.Text) {
			return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
		}
		return t.exec1(`UPDATE conversations SET summary = ?, summary_through = ? WHERE id = ?`, s.Text, s.Through, turn.ConversationID)
	}
	return nil
}

func (t *tx) writeOrder(turn *store.Turn, o *store.Outcome) error {
	if d := o.Decision; d != nil {
		notice := store.NoticeNone
		if d.Notify {
			notice = store.NoticePending
		}
		err := t.exec1(`
			UPDATE orders SET state = ?, decided_at = ?, notice = ?, notice_at = ? WHERE id = ? AND conversation_id = ? AND line = ? AND state = 'draft'`,
			string(d.State), t.now, string(notice), t.now, d.ID, turn.ConversationID, turn.Line)
		if err != nil {
			return err
		}
	}
	d := o.Draft
	if d == nil {
		return nil
	}
	if !record.Storable(d.ID, d.Total, d.Note) {
		return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	_, err := t.exec(`UPDATE orders SET state = 'replaced', decided_at = ? WHERE conversation_id = ? AND state = 'draft'`, t.now, turn.ConversationID)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO orders (id, line, conversation_id, state, items, total, note, created_at) VALUES (?, ?, ?, 'draft', ?, ?, ?, ?)`,
		d.ID, turn.Line, turn.ConversationID, d.Items, d.Total, d.Note, t.now)
	return err
}

// orders reads orders; where begins with WHERE and uses o and c.
func (s *Store) orders(ctx context.Context, where string, args ...any) ([]store.Order, error) {
	return list(ctx, s, func(rows *sql.Rows) (o store.Order, err error) {
		var created, decided int64
		err = rows.Scan(&o.Sequence, &o.ID, &o.Line, &o.PhoneNumberID, &o.ConversationID, &o.Contact.BSUID, &o.Contact.Phone, &o.Contact.Name,
			&o.Contact.Username, &o.State, &o.Items, &o.Total, &o.Note, &created, &decided, &o.Notice, &o.NoticeAttempts, &o.NoticeReason)
		o.CreatedAt, o.DecidedAt = record.Instant(created), record.Instant(decided)
		return o, err
	}, `SELECT o.sequence, o.id, o.line, c.phone_number_id, o.conversation_id, c.bsuid, c.phone, c.name, c.username, o.state, o.items, o.total, o.note,
		       o.created_at, o.decided_at, o.notice, o.notice_attempts, o.notice_reason
		FROM orders o JOIN conversations c ON c.id = o.conversation_id `+where, args...)
}

// Order implements store.Orders.
func (s *Store) Order(ctx context.Context, line string, conversation int64, id string) (store.Order, error) {
	found, err := s.orders(ctx, `WHERE o.id = ? AND o.conversation_id = ? AND o.line = ?`, id, conversation, line)
	if err != nil || len(found) == 0 {
		return store.Order{}, cmpErr(err, store.ErrNotFound)
	}
	return found[0], nil
}

// Orders implements store.Orders.
func (s *Store) Orders(ctx context.Context, line string, after int64, limit int) ([]store.Order, error) {
	return s.orders(ctx, `WHERE o.line = ? AND o.sequence > ? ORDER BY o.sequence LIMIT +?`, line, after, limit)
}

// noticeDue picks the notice that has been due longest. Its parameters: now, and
// how many a line may have under way.
const noticeDue = `
	SELECT sequence FROM orders WHERE notice = 'pending' AND notice_at <= ?1 AND lease_until <= ?1
	  AND line NOT IN (SELECT line FROM orders WHERE notice = 'pending' AND lease_until > ?1 GROUP BY line HAVING count(*) >= ?2)
	ORDER BY notice_at, sequence LIMIT 1`

// ClaimOrderNotice implements store.Orders.
func (s *Store) ClaimOrderNotice(ctx context.Context, owner string, lease time.Duration) (*store.OrderNotice, error) {
	now := s.clock().UnixMilli()
	if due, err := s.anyRow(ctx, noticeDue, []any{now, store.NoticesTogether}); err != nil || !due {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	var n *store.OrderNotice
	var sequence int64
	err := s.write(ctx, func(t *tx) error {
		n = nil
		if found, err := t.found(noticeDue, []any{t.now, store.NoticesTogether}, &sequence); err != nil || !found {
			return err
		}
		until := t.now + lease.Milliseconds()
		n = &store.OrderNotice{Owner: owner, LeaseUntil: record.Instant(until)}
		return t.row(`
			UPDATE orders SET owner = ?, epoch = epoch + 1, lease_until = ?, notice_attempts = notice_attempts + 1 WHERE sequence = ?
			RETURNING epoch, notice_attempts`, []any{owner, until, sequence}, &n.Epoch, &n.Attempt)
	})
	if err != nil || n == nil {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	found, err := s.orders(ctx, `WHERE o.sequence = ?`, sequence)
	if err != nil || len(found) == 0 {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	n.Order = found[0]
	return n, nil
}

// EndOrderNotice implements store.Orders.
func (s *Store) EndOrderNotice(ctx context.Context, n *store.OrderNotice, state store.NoticeState, after time.Duration, reason string) error {
	return s.write(ctx, func(t *tx) error {
		changed, err := t.exec(`
			UPDATE orders SET notice = ?, notice_at = ?, notice_reason = ?, owner = '', lease_until = 0 WHERE id = ? AND epoch = ? AND owner = ? AND notice = 'pending'`,
			string(state), t.now+after.Milliseconds(), reason, n.Order.ID, n.Epoch, n.Owner)
		if err != nil {
			return err
		}
		if changed == 0 {
			return store.ErrLeaseLost
		}
		if state != store.NoticeDead {
			return nil
		}
		return t.insertDeadLetter(&store.DeadLetter{Line: n.Order.Line, Kind: record.KindOrder, Reason: record.ReasonNotice + reason})
	})
}
