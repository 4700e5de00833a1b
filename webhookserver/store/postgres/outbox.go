package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// enqueued is a message on its way into the outbox.
type enqueued struct {
	line, number string
	conversation int64
	author       store.Author
	testKey      string
	draft        *store.OutboxDraft
	// answersAt is when the newest message that it answers was written.
	answersAt int64
	// counted is where it was counted.
	counted charged
}

// enqueue makes the message part of the thread and hands it to the outbox. It
// returns the outbox id. The caller has locked the conversation: its rows must
// become visible in order.
func (t *tx) enqueue(e enqueued) (string, error) {
	d := e.draft
	if !record.Storable(d.Type, d.Text, d.ContextWAMID) {
		return "", fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	id := rand.Text()
	maxAge := d.MaxReplyAge.Milliseconds()
	if e.answersAt == 0 {
		maxAge = 0
	}
	b := t.later()
	b.Queue(`
		WITH message AS (
		  INSERT INTO messages (phone_number_id, conversation_id, author, source, type, text, context_wamid, event_at, received_at, outbox_id, raw)
		  VALUES ($1, $2, $3, 'outbox', $4, $5, $6, $7, $7, $8, $9) RETURNING id)
		INSERT INTO outbox (id, line, phone_number_id, conversation_id, message_id, author, test_key, state, state_at, answers_at, max_age, urgency, month, day, blob_key, blob_size)
		SELECT $8, $10, $1, $2, message.id, $3, $11, 'pending', $7, $12, $13, $14, $15, $16, $17, $18 FROM message`,
		e.number, e.conversation, string(e.author), d.Type, d.Text, d.ContextWAMID, t.now, id, d.Payload,
		e.line, e.testKey, e.answersAt, maxAge, record.Urgency(e.author), e.counted.month, e.counted.day, d.BlobKey, d.BlobBytes)
	if d.BlobKey != "" {
		b.Queue(`DELETE FROM blob_garbage WHERE key = $1`, d.BlobKey)
	}
	return id, nil
}

// EnqueuePersonReply implements store.Outbox.
func (s *Store) EnqueuePersonReply(ctx context.Context, line string, conversation int64, d store.OutboxDraft) (string, error) {
	var id string
	err := s.write(ctx, func(t *tx) error {
		e := enqueued{line: line, conversation: conversation, author: store.AuthorPerson, draft: &d}
		if err := t.row(`SELECT phone_number_id FROM conversations WHERE id = $1 AND line = $2 FOR UPDATE`, []any{conversation, line}, &e.number); err != nil {
			return err
		}
		var err error
		if id, err = t.enqueue(e); err != nil {
			return err
		}
		// Whoever answers takes over: a turn that is under way is lost.
		return t.exec1(`
			UPDATE conversations SET person_at = greatest(person_at, $1), reply_due_at = 0, owner = '', lease_until = 0, epoch = epoch + 1
			WHERE id = $2`, t.now, conversation)
	})
	if err == nil {
		s.hints.tell()
	}
	return id, err
}

// claimed is what the end of a send has to know of the row.
type claimed struct {
	id       string
	epoch    int64
	state    store.SendState
	message  int64
	testKey  string
	sentHour int64
}

// settling is what is to be done with a send.
type settling struct {
	send *store.Send
	fn   func(*tx, claimed) error
	// lost says that it was claimed again since.
	lost *bool
}

// claimed runs fn if nobody has claimed the send since. Its row is locked. Others
// may settle their sends in the same transaction.
func (s *Store) claimed(ctx context.Context, send *store.Send, fn func(*tx, claimed) error) error {
	var lost bool
	err := s.sends.do(ctx, settling{send, fn, &lost})
	if err == nil && lost {
		err = store.ErrLeaseLost
	}
	return err
}

func (s settling) key() string { return s.send.ID }

// settleAll runs jobs of different sends in one transaction. Messages are locked
// before sends, as by who brings a status.
func (s *Store) settleAll(ctx context.Context, jobs []settling) error {
	// Their lines' usage is locked in this order.
	slices.SortStableFunc(jobs, func(a, b settling) int { return strings.Compare(a.send.Line, b.send.Line) })
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.send.ID
	}
	var rows []claimed
	return s.transact(ctx, s.work, func(t *tx, b *pgx.Batch) {
		t.queueClock(b)
		b.Queue(`SELECT m.id FROM messages m JOIN outbox o ON o.message_id = m.id WHERE o.id = ANY ($1) ORDER BY m.id FOR UPDATE OF m`, ids)
		queueRows(b, &rows, func(row pgx.CollectableRow) (c claimed, err error) {
			err = row.Scan(&c.id, &c.epoch, &c.state, &c.message, &c.testKey, &c.sentHour)
			return c, err
		}, `
			SELECT id, epoch, state, message_id, test_key, coalesce((SELECT last_sent_hour FROM line_traffic l WHERE l.line = o.line), 0)
			FROM outbox o WHERE id = ANY ($1) ORDER BY sequence FOR UPDATE`, ids)
	}, func(t *tx) error {
		for _, j := range jobs {
			i := slices.IndexFunc(rows, func(c claimed) bool { return c.id == j.send.ID && c.epoch == j.send.Epoch })
			if *j.lost = i < 0; *j.lost {
				continue
			}
			err := j.fn(t, rows[i])
			if errors.Is(err, store.ErrLeaseLost) { // it is found before anything is written
				*j.lost, err = true, nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkAccepted implements store.Outbox.
func (s *Store) MarkAccepted(ctx context.Context, send *store.Send, wamid string) error {
	if wamid == "" || !record.Storable(wamid) {
		return fmt.Errorf("%w: the message id is empty or malformed", store.ErrInvalid)
	}
	return s.claimed(ctx, send, func(t *tx, c claimed) error {
		if c.state == store.SendAccepted {
			return nil // a status was faster
		}
		t.later().Queue(`UPDATE outbox SET state = 'accepted', reason = '', error_code = 0, state_at = $1, lease_until = 0 WHERE id = $2`, t.now, send.ID)
		if c.state == store.SendFailed {
			if err := t.recount(send.ID); err != nil {
				return err
			}
		}
		if c.sentHour < t.hour() {
			t.traffic = append(t.traffic, traffic{send.Line, sent})
		}
		if c.testKey != "" {
			if err := t.advanceTestMessage(send.ID, store.StatusSent, 0); err != nil {
				return err
			}
		}
		t.then = append(t.then, t.queueWAMID(c.message, send.PhoneNumberID, wamid))
		return nil
	})
}

// MarkFailed implements store.Outbox.
func (s *Store) MarkFailed(ctx context.Context, send *store.Send, code int, reason string) error {
	return s.settle(ctx, send, func(t *tx) error {
		err := t.exec1(`UPDATE outbox SET state = 'failed', reason = $1, error_code = $2, state_at = $3, lease_until = 0 WHERE id = $4`,
			reason, code, t.now, send.ID)
		if err != nil {
			return err
		}
		if err := t.refund(send.ID); err != nil {
			return err
		}
		return t.failTestMessage(send.ID, code, reason)
	})
}

// MarkUnknown implements store.Outbox.
func (s *Store) MarkUnknown(ctx context.Context, send *store.Send, reason string) error {
	return s.settle(ctx, send, func(t *tx) error {
		t.later().Queue(`UPDATE outbox SET state = 'unknown', reason = $1, state_at = $2, lease_until = 0 WHERE id = $3 AND state = 'sending'`,
			reason, t.now, send.ID)
		return nil
	})
}

// MarkPendingAgain implements store.Outbox.
func (s *Store) MarkPendingAgain(ctx context.Context, send *store.Send, again store.Retry) error {
	return s.settle(ctx, send, func(t *tx) error {
		t.later().Queue(`
			UPDATE outbox SET state = 'pending', reason = $1, not_before = $2, attempts = attempts - $3, state_at = $4, lease_until = 0 WHERE id = $5`,
			again.Reason, t.now+again.After.Milliseconds(), again.Uncounted(), t.now, send.ID)
		return nil
	})
}

// settle runs fn if the send is still open. If a status has proved meanwhile
// that Meta took it, that stands.
func (s *Store) settle(ctx context.Context, send *store.Send, fn func(*tx) error) error {
	return s.claimed(ctx, send, func(t *tx, c claimed) error {
		switch c.state {
		case store.SendSending, store.SendUnknown:
			return fn(t)
		case store.SendAccepted:
			return nil
		default:
			return store.ErrLeaseLost
		}
	})
}
