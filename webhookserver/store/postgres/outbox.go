package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"time"

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
	var message int64
	err := t.row(`
		INSERT INTO messages (phone_number_id, conversation_id, author, source, type, text, context_wamid, event_at, received_at, outbox_id, raw)
		VALUES ($1, $2, $3, 'outbox', $4, $5, $6, $7, $7, $8, $9) RETURNING id`,
		[]any{e.number, e.conversation, string(e.author), d.Type, d.Text, d.ContextWAMID, t.now, id, d.Payload}, &message)
	if err != nil {
		return "", err
	}
	maxAge := d.MaxReplyAge.Milliseconds()
	if e.answersAt == 0 {
		maxAge = 0
	}
	_, err = t.exec(`
		INSERT INTO outbox (id, line, phone_number_id, conversation_id, message_id, author, test_key, state, state_at, answers_at, max_age)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10)`,
		id, e.line, e.number, e.conversation, message, string(e.author), e.testKey, t.now, e.answersAt, maxAge)
	return id, err
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
		id, err = t.enqueue(e)
		return err
	})
	if err == nil {
		s.hints.tell()
	}
	return id, err
}

// burstMillis is how far ahead of the steady pace a pair may be.
var burstMillis = (store.PairBurst - 1) * store.PairInterval.Milliseconds()

// sendable locks the oldest row that may be sent, with its conversation. Its
// parameters: now, the burst's end, the excluded lines, and the limit per line.
// A person's reply waits only for an earlier one of a person. Like claimable it
// skips what others have locked.
const sendable = `
	SELECT o.sequence, o.line, o.answers_at, o.max_age, o.test_key, c.last_user_at
	FROM outbox o JOIN conversations c ON c.id = o.conversation_id
	WHERE o.state = 'pending' AND o.not_before <= $1 AND c.pair_next_at <= $2
	  AND o.line NOT IN (SELECT line FROM parked_lines)
	  AND o.line <> ALL ($3::text[])
	  AND o.line NOT IN (SELECT line FROM outbox WHERE state = 'sending' AND lease_until > $1 GROUP BY line HAVING count(*) >= $4)
	  AND NOT EXISTS (
	    SELECT 1 FROM outbox e WHERE e.conversation_id = o.conversation_id AND e.sequence < o.sequence
	      AND (o.author <> 'person' AND e.state IN ('pending', 'sending', 'unknown')
	        OR o.author = 'person' AND e.author = 'person' AND e.state IN ('pending', 'sending')))
	ORDER BY o.sequence LIMIT 1 FOR UPDATE OF o, c SKIP LOCKED`

// candidate is a row that sendable has picked.
type candidate struct {
	sequence, answersAt, maxAge, lastUserAt int64
	testKey                                 string
}

// ClaimSend implements store.Outbox.
func (s *Store) ClaimSend(ctx context.Context, req store.ClaimSendRequest) (*store.Send, error) {
	var send *store.Send
	err := s.claim(ctx, req.ExcludeLines, func(t *tx, exclude []string) (busy string, again bool, err error) {
		send = nil
		var c candidate
		var line string
		limit := max(1, req.PerLineLimit)
		found, err := t.found(sendable, []any{t.now, t.now + burstMillis, exclude, limit},
			&c.sequence, &line, &c.answersAt, &c.maxAge, &c.testKey, &c.lastUserAt)
		if err != nil || !found {
			return "", false, err
		}
		if reason := c.expired(t.now); reason != "" {
			return "", true, t.failExpired(c, reason)
		}
		leased, err := t.leasesOf(line, `SELECT count(*) FROM outbox WHERE line = $1 AND state = 'sending' AND lease_until > $2`)
		if err != nil || leased >= limit {
			return line, true, err
		}
		send, err = t.leaseSend(c.sequence, req)
		return "", false, err
	})
	if err != nil || send == nil {
		return nil, cmp.Or(err, store.ErrNothingDue)
	}
	return send, nil
}

// expired says why the row must not be sent any more, empty if it may.
func (c *candidate) expired(now int64) string {
	switch {
	case now >= c.lastUserAt+store.WindowLength.Milliseconds():
		return store.ReasonWindowClosed
	case c.maxAge > 0 && now > c.answersAt+c.maxAge:
		return store.ReasonReplyTooOld
	default:
		return ""
	}
}

func (t *tx) failExpired(c candidate, reason string) error {
	if err := t.exec1(`UPDATE outbox SET state = 'failed', reason = $1, state_at = $2 WHERE sequence = $3`, reason, t.now, c.sequence); err != nil {
		return err
	}
	if c.testKey == "" {
		return nil
	}
	// The tester can open the window again.
	return t.awaitTester(c.testKey)
}

func (t *tx) leaseSend(sequence int64, req store.ClaimSendRequest) (*store.Send, error) {
	s := &store.Send{Owner: req.Owner, ClaimedAt: record.Instant(t.now)}
	until := t.now + req.Lease.Milliseconds()
	s.LeaseUntil = record.Instant(until)
	err := t.exec1(`
		UPDATE outbox SET state = 'sending', reason = '', state_at = $1, owner = $2, epoch = epoch + 1, lease_until = $3, sent_at = $1, attempts = attempts + 1
		WHERE sequence = $4`, t.now, req.Owner, until, sequence)
	if err != nil {
		return nil, err
	}
	var resends int
	err = t.row(`
		SELECT o.id, o.line, o.phone_number_id, o.conversation_id, o.author, o.epoch, o.attempts, o.resends, c.bsuid, c.phone, c.name, c.username,
		       m.type, m.context_wamid, m.raw
		FROM outbox o JOIN conversations c ON c.id = o.conversation_id JOIN messages m ON m.id = o.message_id WHERE o.sequence = $1`,
		[]any{sequence},
		&s.ID, &s.Line, &s.PhoneNumberID, &s.ConversationID, &s.Author, &s.Epoch, &s.Attempt, &resends, &s.To.BSUID, &s.To.Phone, &s.To.Name, &s.To.Username,
		&s.Type, &s.ContextWAMID, &s.Payload)
	if err != nil {
		return nil, err
	}
	s.Resend = resends > 0
	// pair_next_at runs ahead of the clock by one interval per message, and
	// sendable lets it run ahead by the burst.
	return s, t.exec1(`UPDATE conversations SET pair_next_at = greatest(pair_next_at, $1) + $2 WHERE id = $3`,
		t.now, store.PairInterval.Milliseconds(), s.ConversationID)
}

// claimed locks the row of a send and checks that nobody has claimed it since.
func (t *tx) claimed(s *store.Send) (state store.SendState, message int64, err error) {
	var epoch int64
	found, err := t.found(`SELECT state, message_id, epoch FROM outbox WHERE id = $1 FOR UPDATE`, []any{s.ID}, &state, &message, &epoch)
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
		// Messages are locked before sends, as by who brings a status.
		if _, err := t.exec(`SELECT id FROM messages WHERE id = (SELECT message_id FROM outbox WHERE id = $1) FOR UPDATE`, send.ID); err != nil {
			return err
		}
		state, message, err := t.claimed(send)
		if err != nil {
			return err
		}
		if state == store.SendAccepted {
			return nil // a status was faster
		}
		if err := t.exec1(`UPDATE outbox SET state = 'accepted', reason = '', state_at = $1, lease_until = 0 WHERE id = $2`, t.now, send.ID); err != nil {
			return err
		}
		t.traffic = append(t.traffic, traffic{send.Line, sent})
		if err := t.advanceTestMessage(send.ID, store.StatusSent, 0); err != nil {
			return err
		}
		return t.attachWAMID(message, send.PhoneNumberID, wamid)
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
		return t.failTestMessage(send.ID, code, reason)
	})
}

// MarkUnknown implements store.Outbox.
func (s *Store) MarkUnknown(ctx context.Context, send *store.Send, reason string) error {
	return s.settle(ctx, send, func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET state = 'unknown', reason = $1, state_at = $2, lease_until = 0 WHERE id = $3 AND state = 'sending'`,
			reason, t.now, send.ID)
		return err
	})
}

// MarkPendingAgain implements store.Outbox.
func (s *Store) MarkPendingAgain(ctx context.Context, send *store.Send, retryAt time.Time, reason string) error {
	return s.settle(ctx, send, func(t *tx) error {
		return t.exec1(`UPDATE outbox SET state = 'pending', reason = $1, not_before = $2, state_at = $3, lease_until = 0 WHERE id = $4`,
			reason, record.Millis(retryAt), t.now, send.ID)
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
