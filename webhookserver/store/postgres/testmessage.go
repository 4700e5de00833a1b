package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// EnqueueTestMessage implements store.TestMessages.
func (s *Store) EnqueueTestMessage(ctx context.Context, m store.TestMessage) (store.TestMessageState, error) {
	if m.Key == "" || m.Line == "" || m.To == "" || !record.Storable(m.Key, m.Line, m.PhoneNumberID, m.To, m.Body) {
		return "", fmt.Errorf("%w: a test message needs a key, a line and a recipient", store.ErrInvalid)
	}
	var state store.TestMessageState
	err := s.write(ctx, func(t *tx) error {
		// No delivery may be under way: it would neither see this row, nor be
		// seen by it.
		if err := t.lock(lockDeliveries); err != nil {
			return err
		}
		to := record.Recipient(m.To)
		n, err := t.exec(`
			INSERT INTO test_messages (key, line, phone_number_id, recipient, body, payload, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'Waiting', $7)
			ON CONFLICT (key) DO NOTHING`, m.Key, m.Line, m.PhoneNumberID, to, m.Body, m.Payload, t.now)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.queueIfOpen(&m, to); err != nil {
				return err
			}
		}
		return t.row(`SELECT state FROM test_messages WHERE key = $1`, []any{m.Key}, &state)
	})
	return state, err
}

// queueIfOpen sends the new test message at once if the tester's window is
// open, else it waits for him.
func (t *tx) queueIfOpen(m *store.TestMessage, to string) error {
	var conversation int64
	open, err := t.found(`
		SELECT id FROM conversations c WHERE line = $1 AND last_user_at > $2
		  AND (phone = $3 OR EXISTS (SELECT 1 FROM identities i WHERE i.line = c.line AND i.bsuid = $4 AND i.conversation_id = c.id)) ORDER BY id LIMIT 1 FOR UPDATE`,
		[]any{m.Line, t.now - store.WindowLength.Milliseconds(), to, to}, &conversation)
	if err != nil {
		return err
	}
	if open {
		return t.queueTestMessage(m, conversation)
	}
	return t.reportTestMessage(m.Line, store.TestMessagePayload{Key: m.Key, State: store.TestMessageWaiting})
}

// queueTestMessage sends the test message to a conversation that is locked.
func (t *tx) queueTestMessage(m *store.TestMessage, conversation int64) error {
	if err := t.exec1(`UPDATE test_messages SET state = 'Queued' WHERE key = $1`, m.Key); err != nil {
		return err
	}
	_, err := t.enqueue(enqueued{
		line: m.Line, number: m.PhoneNumberID, conversation: conversation, author: store.AuthorTest, testKey: m.Key,
		draft: &store.OutboxDraft{Type: "text", Text: m.Body, Payload: m.Payload},
	})
	if err != nil {
		return err
	}
	return t.reportTestMessage(m.Line, store.TestMessagePayload{Key: m.Key, State: store.TestMessageQueued})
}

// releaseTestMessages queues what waited for this customer to write.
func (t *tx) releaseTestMessages(h *thread) error {
	waiting, err := rowsOf(t, func(row pgx.CollectableRow) (m store.TestMessage, err error) {
		err = row.Scan(&m.Key, &m.Line, &m.PhoneNumberID, &m.Body, &m.Payload)
		return m, err
	}, `
		SELECT key, line, phone_number_id, body, payload FROM test_messages
		WHERE line = $1 AND state = 'Waiting' AND recipient <> '' AND recipient IN ($2, $3) ORDER BY created_at, key FOR UPDATE`, h.Line, h.Phone, h.BSUID)
	if err != nil {
		return err
	}
	for i := range waiting {
		if err := t.queueTestMessage(&waiting[i], h.ID); err != nil {
			return err
		}
	}
	return nil
}

// awaitTester makes a test message wait again, because its window has closed.
func (t *tx) awaitTester(key string) error {
	var line string
	if err := t.row(`UPDATE test_messages SET state = 'Waiting' WHERE key = $1 RETURNING line`, []any{key}, &line); err != nil {
		return err
	}
	return t.reportTestMessage(line, store.TestMessagePayload{Key: key, State: store.TestMessageWaiting})
}

// advanceTestMessage carries a status of a send over to its test message.
func (t *tx) advanceTestMessage(outboxID string, kind store.StatusKind, code int) error {
	switch kind {
	case store.StatusSent:
		return t.moveTestMessage(outboxID, store.TestMessagePayload{State: store.TestMessageSent}, "('Queued', 'Failed')")
	case store.StatusDelivered, store.StatusRead, store.StatusPlayed:
		return t.moveTestMessage(outboxID, store.TestMessagePayload{State: store.TestMessageDelivered}, "('Queued', 'Sent', 'Failed')")
	case store.StatusFailed:
		return t.failTestMessage(outboxID, code, store.ReasonStatusFailed)
	default:
		return nil
	}
}

func (t *tx) failTestMessage(outboxID string, code int, reason string) error {
	return t.moveTestMessage(outboxID, store.TestMessagePayload{State: store.TestMessageFailed, Code: code, Reason: reason}, "('Queued', 'Sent')")
}

// moveTestMessage changes the state of a send's test message if it is in one
// of the states from (a constant SQL list), and reports it. Most sends have
// none.
func (t *tx) moveTestMessage(outboxID string, p store.TestMessagePayload, from string) error {
	var line string
	moved, err := t.found(`
		UPDATE test_messages SET state = $1 WHERE state IN `+from+`
		  AND key = (SELECT test_key FROM outbox WHERE id = $2 AND test_key <> '') RETURNING key, line`,
		[]any{string(p.State), outboxID}, &p.Key, &line)
	if err != nil || !moved {
		return err
	}
	return t.reportTestMessage(line, p)
}

func (t *tx) reportTestMessage(line string, p store.TestMessagePayload) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("%w: report: %w", store.ErrInvalid, err)
	}
	t.insertReport(store.Report{Kind: store.ReportTestMessage, Line: line, Payload: payload})
	return nil
}
