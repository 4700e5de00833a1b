package postgres

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
		return t.exec1(`UPDATE conversations SET summary = $1, summary_through = $2 WHERE id = $3`, s.Text, s.Through, turn.ConversationID)
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
			UPDATE orders SET state = $1, decided_at = $2, notice = $3, notice_at = $4 WHERE id = $5 AND conversation_id = $6 AND line = $7 AND state = 'draft'`,
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
	_, err := t.exec(`UPDATE orders SET state = 'replaced', decided_at = $1 WHERE conversation_id = $2 AND state = 'draft'`, t.now, turn.ConversationID)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO orders (id, line, conversation_id, state, items, total, note, created_at) VALUES ($1, $2, $3, 'draft', $4, $5, $6, $7)`,
		d.ID, turn.Line, turn.ConversationID, d.Items, d.Total, d.Note, t.now)
	return err
}

// orders reads orders; where begins with WHERE and uses o and c.
func (s *Store) orders(ctx context.Context, where string, args ...any) ([]store.Order, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (o store.Order, err error) {
		var created, decided int64
		err = row.Scan(&o.Sequence, &o.ID, &o.Line, &o.PhoneNumberID, &o.ConversationID, &o.Contact.BSUID, &o.Contact.Phone, &o.Contact.Name,
			&o.Contact.Username, &o.State, &o.Items, &o.Total, &o.Note, &created, &decided, &o.Notice, &o.NoticeAttempts, &o.NoticeReason)
		o.CreatedAt, o.DecidedAt = record.Instant(created), record.Instant(decided)
		return o, err
	}, `SELECT o.sequence, o.id, o.line, c.phone_number_id, o.conversation_id, c.bsuid, c.phone, c.name, c.username, o.state, o.items, o.total, o.note,
		       o.created_at, o.decided_at, o.notice, o.notice_attempts, o.notice_reason
		FROM orders o JOIN conversations c ON c.id = o.conversation_id `+where, args...)
}

// Order implements store.Orders.
func (s *Store) Order(ctx context.Context, line string, conversation int64, id string) (store.Order, error) {
	found, err := s.orders(ctx, `WHERE o.id = $1 AND o.conversation_id = $2 AND o.line = $3`, id, conversation, line)
	if err != nil || len(found) == 0 {
		return store.Order{}, cmp.Or(err, store.ErrNotFound)
	}
	return found[0], nil
}

// Orders implements store.Orders.
func (s *Store) Orders(ctx context.Context, line string, after int64, limit int) ([]store.Order, error) {
	return s.orders(ctx, `WHERE o.line = $1 AND o.sequence > $2 ORDER BY o.sequence LIMIT $3`, line, after, limit)
}

// noticeDue picks the notice that has been due longest. Its parameters: now, and
// how many a line may have under way.
const noticeDue = `
	SELECT sequence FROM orders WHERE notice = 'pending' AND notice_at <= $1 AND lease_until <= $1
	  AND line NOT IN (SELECT line FROM orders WHERE notice = 'pending' AND lease_until > $1 GROUP BY line HAVING count(*) >= $2)
	ORDER BY notice_at, sequence LIMIT 1 FOR UPDATE SKIP LOCKED`

// ClaimOrderNotice implements store.Orders.
func (s *Store) ClaimOrderNotice(ctx context.Context, owner string, lease time.Duration) (*store.OrderNotice, error) {
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
			UPDATE orders SET owner = $1, epoch = epoch + 1, lease_until = $2, notice_attempts = notice_attempts + 1 WHERE sequence = $3
			RETURNING epoch, notice_attempts`, []any{owner, until, sequence}, &n.Epoch, &n.Attempt)
	})
	if err != nil || n == nil {
		return nil, cmp.Or(err, store.ErrNothingDue)
	}
	found, err := s.orders(ctx, `WHERE o.sequence = $1`, sequence)
	if err != nil || len(found) == 0 {
		return nil, cmp.Or(err, store.ErrNothingDue)
	}
	n.Order = found[0]
	return n, nil
}

// EndOrderNotice implements store.Orders.
func (s *Store) EndOrderNotice(ctx context.Context, n *store.OrderNotice, state store.NoticeState, after time.Duration, reason string) error {
	return s.write(ctx, func(t *tx) error {
		changed, err := t.exec(`
			UPDATE orders SET notice = $1, notice_at = $2, notice_reason = $3, owner = '', lease_until = 0 WHERE id = $4 AND epoch = $5 AND owner = $6 AND notice = 'pending'`,
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
