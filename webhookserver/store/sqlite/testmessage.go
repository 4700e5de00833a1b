package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

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
		to := record.Recipient(m.To)
		n, err := t.exec(`
			INSERT INTO test_messages (key, line, phone_number_id, recipient, body, payload, state, created_at) VALUES (?, ?, ?, ?, ?, ?, 'Waiting', ?)
			ON CONFLICT (key) DO NOTHING`, m.Key, m.Line, m.PhoneNumberID, to, m.Body, m.Payload, t.now)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.queueIfOpen(&m, to); err != nil {
				return err
			}
		}
		return t.row(`SELECT state FROM test_messages WHERE key = ?`, []any{m.Key}, &state)
	})
	return state, err
}

// queueIfOpen sends the new test message at once if the tester's window is
// open, else it waits for him.
func (t *tx) queueIfOpen(m *store.TestMessage, to string) error {
	var conversation int64
	open, err := t.found(`
		SELECT id FROM conversations c WHERE line = ? AND last_user_at > ?
		  AND (phone = ? OR EXISTS (SELECT 1 FROM identities i WHERE i.line = c.line AND i.bsuid = ? AND i.conversation_id = c.id)) LIMIT 1`,
		[]any{m.Line, t.now - store.WindowLength.Milliseconds(), to, to}, &conversation)
	if err != nil {
		return err
	}
	if open {
		return t.queueTestMessage(m, conversation)
	}
	t.noteWaitingTest(m.Line)
	return t.reportTestMessage(m.Line, store.TestMessagePayload{Key: m.Key, State: store.TestMessageWaiting})
}

// noteWaitingTest makes ingestion look for the tester's message.
func (t *tx) noteWaitingTest(line string) {
	w := t.w
	t.afterCommit = append(t.afterCommit, func() { w.waitingTests[line] = true })
}

func (w *writer) loadWaitingTests() error {
	rows, err := w.conn.QueryContext(w.ctx, `SELECT DISTINCT line FROM test_messages WHERE state = 'Waiting'`)
	if err != nil {
		return err
	}
	return drain(rows, func(rows *sql.Rows) error {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		w.waitingTests[line] = true
		return nil
	})
}

func (t *tx) queueTestMessage(m *store.TestMessage, conversation int64) error {
	if err := t.exec1(`UPDATE test_messages SET state = 'Queued' WHERE key = ?`, m.Key); err != nil {
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
	var waiting []store.TestMessage
	err := t.each(`
		SELECT key, line, phone_number_id, body, payload FROM test_messages
		WHERE line = ? AND state = 'Waiting' AND recipient <> '' AND recipient IN (?, ?) ORDER BY created_at, key`,
		[]any{h.Line, h.Phone, h.BSUID}, func(rows *sql.Rows) error {
			var m store.TestMessage
			if err := rows.Scan(&m.Key, &m.Line, &m.PhoneNumberID, &m.Body, &m.Payload); err != nil {
				return err
			}
			waiting = append(waiting, m)
			return nil
		})
	if err != nil {
		return err
	}
	for i := range waiting {
		if err := t.queueTestMessage(&waiting[i], h.ID); err != nil {
			return err
		}
	}
	if len(waiting) > 0 {
		if err := t.row(`SELECT first_message_id, last_message_id FROM conversations WHERE id = ?`, []any{h.ID}, &h.first, &h.last); err != nil {
			return err
		}
		h.stored()
	}
	var left int
	if err := t.row(`SELECT count(*) FROM test_messages WHERE line = ? AND state = 'Waiting'`, []any{h.Line}, &left); err != nil {
		return err
	}
	if w := t.w; left == 0 {
		line := h.Line
		t.afterCommit = append(t.afterCommit, func() { delete(w.waitingTests, line) })
	}
	return nil
}

// awaitTester makes a test message wait again, because its window has closed.
func (t *tx) awaitTester(key string) error {
	var line string
	if err := t.row(`UPDATE test_messages SET state = 'Waiting' WHERE key = ? RETURNING line`, []any{key}, &line); err != nil {
		return err
	}
	t.noteWaitingTest(line)
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
		UPDATE test_messages SET state = ? WHERE state IN `+from+`
		  AND key = (SELECT test_key FROM outbox WHERE id = ? AND test_key <> '') RETURNING key, line`,
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
	return t.insertReport(store.Report{Kind: store.ReportTestMessage, Line: line, Payload: payload})
}
