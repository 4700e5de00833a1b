package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"

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
// returns the outbox id.
func (t *tx) enqueue(e enqueued) (string, error) {
	d := e.draft
	if !record.Storable(d.Type, d.Text, d.ContextWAMID) {
		return "", fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	id := rand.Text()
	message, err := t.insert(`
		INSERT INTO messages (phone_number_id, conversation_id, author, source, type, text, context_wamid, event_at, received_at, outbox_id, raw)
		VALUES (?, ?, ?, 'outbox', ?, ?, ?, ?, ?, ?, ?)`,
		e.number, e.conversation, string(e.author), d.Type, d.Text, d.ContextWAMID, t.now, t.now, id, d.Payload)
	if err != nil {
		return "", err
	}
	if err := t.reachMessage(e.conversation, message); err != nil {
		return "", err
	}
	maxAge := d.MaxReplyAge.Milliseconds()
	if e.answersAt == 0 {
		maxAge = 0
	}
	_, err = t.exec(`
		INSERT INTO outbox (id, line, phone_number_id, conversation_id, message_id, author, test_key, state, state_at, answers_at, max_age, urgency, month, day, blob_key, blob_size)
		VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, e.line, e.number, e.conversation, message, string(e.author), e.testKey, t.now, e.answersAt, maxAge, record.Urgency(e.author),
		e.counted.month, e.counted.day, d.BlobKey, d.BlobBytes)
	if err != nil || d.BlobKey == "" {
		return id, err
	}
	_, err = t.exec(`DELETE FROM blob_garbage WHERE key = ?`, d.BlobKey)
	return id, err
}

// EnqueuePersonReply implements store.Outbox.
func (s *Store) EnqueuePersonReply(ctx context.Context, line string, conversation int64, d store.OutboxDraft) (string, error) {
	var id string
	err := s.write(ctx, func(t *tx) error {
		e := enqueued{line: line, conversation: conversation, author: store.AuthorPerson, draft: &d}
		if err := t.row(`SELECT phone_number_id FROM conversations WHERE id = ? AND line = ?`, []any{conversation, line}, &e.number); err != nil {
			return err
		}
		var err error
		if id, err = t.enqueue(e); err != nil {
			return err
		}
		// Whoever answers takes over: a turn that is under way is lost.
		return t.exec1(`
			UPDATE conversations SET person_at = max(person_at, ?), reply_due_at = 0, owner = '', lease_until = 0, epoch = epoch + 1
			WHERE id = ?`, t.now, conversation)
	})
	return id, err
}

// claimed finds the row of a send and checks that nobody has claimed it since.
func (t *tx) claimed(s *store.Send) (state store.SendState, message int64, err error) {
	var epoch int64
	found, err := t.found(`SELECT state, message_id, epoch FROM outbox WHERE id = ?`, []any{s.ID}, &state, &message, &epoch)
	if err == nil && (!found || epoch != s.Epoch) {
		err = store.ErrLeaseLost
	}
	return state, message, err
}

// MarkAccepted implements store.Outbox.
func (s *Store) MarkAccepted(ctx context.Context, send *store.Send, wamid string) error {
	if wamid == "" || !record.Storable(wamid) {
		return fmt.Errorf("%w: the message id is empty or malformed", store.ErrInvalid)
	}
	return s.write(ctx, func(t *tx) error {
		state, message, err := t.claimed(send)
		if err != nil {
			return err
		}
		if state == store.SendAccepted {
			return nil // a status was faster
		}
		if err := t.exec1(`UPDATE outbox SET state = 'accepted', reason = '', error_code = 0, state_at = ?, lease_until = 0 WHERE id = ?`, t.now, send.ID); err != nil {
			return err
		}
		if state == store.SendFailed {
			if err := t.recount(send.ID); err != nil {
				return err
			}
		}
		if err := t.noteSent(send.Line); err != nil {
			return err
		}
		if err := t.advanceTestMessage(send.ID, store.StatusSent, 0); err != nil {
			return err
		}
		return t.attachWAMID(message, send.PhoneNumberID, wamid)
	})
}

// MarkFailed implements store.Outbox.
func (s *Store) MarkFailed(ctx context.Context, send *store.Send, code int, reason string) error {
	return s.settle(ctx, send, func(t *tx) error {
		err := t.exec1(`UPDATE outbox SET state = 'failed', reason = ?, error_code = ?, state_at = ?, lease_until = 0 WHERE id = ?`,
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
		_, err := t.exec(`UPDATE outbox SET state = 'unknown', reason = ?, state_at = ?, lease_until = 0 WHERE id = ? AND state = 'sending'`,
			reason, t.now, send.ID)
		return err
	})
}

// MarkPendingAgain implements store.Outbox.
func (s *Store) MarkPendingAgain(ctx context.Context, send *store.Send, again store.Retry) error {
	return s.settle(ctx, send, func(t *tx) error {
		return t.exec1(`
			UPDATE outbox SET state = 'pending', reason = ?, not_before = ?, attempts = attempts - ?, state_at = ?, lease_until = 0 WHERE id = ?`,
			again.Reason, t.now+again.After.Milliseconds(), again.Uncounted(), t.now, send.ID)
	})
}

// settle runs fn if the send is still open. If a status has proved meanwhile
// that Meta took it, that stands.
func (s *Store) settle(ctx context.Context, send *store.Send, fn func(*tx) error) error {
	return s.write(ctx, func(t *tx) error {
		state, _, err := t.claimed(send)
		if err != nil {
			return err
		}
		switch state {
		case store.SendSending, store.SendUnknown:
			return fn(t)
		case store.SendAccepted:
			return nil
		default:
			return store.ErrLeaseLost
		}
	})
}
