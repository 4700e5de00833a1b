package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

func (t *tx) writeToolCall(turn *store.Turn, o *store.Outcome) error {
	if s := o.Settlement; s != nil {
		err := t.exec1(`UPDATE tool_calls SET state = ? WHERE id = ? AND conversation_id = ? AND line = ? AND state IN ('proposed', 'open')`,
			string(s.State), s.ID, turn.ConversationID, turn.Line)
		if err != nil {
			return err
		}
	}
	p := o.Proposal
	if p == nil {
		return nil
	}
	if !record.Storable(p.ID, p.Tool) {
		return fmt.Errorf("%w: %s", store.ErrInvalid, record.ReasonText)
	}
	_, err := t.exec(`
		INSERT INTO tool_calls (id, line, conversation_id, turn, ordinal, tool, arguments, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'proposed', ?)`,
		p.ID, turn.Line, turn.ConversationID, turn.LoadedSeq, p.Ordinal, p.Tool, p.Arguments, t.now)
	return err
}

// toolCall reads one call of a conversation.
const toolCall = `
	SELECT id, line, conversation_id, turn, ordinal, tool, arguments, state, created_at FROM tool_calls WHERE id = ? AND conversation_id = ? AND line = ?`

// toolCallOf are the targets of toolCall.
func toolCallOf(c *store.ToolCall, created *int64) []any {
	return []any{&c.ID, &c.Line, &c.ConversationID, &c.Turn, &c.Ordinal, &c.Tool, &c.Arguments, &c.State, created}
}

// ToolCall implements store.ToolCalls.
func (s *Store) ToolCall(ctx context.Context, line string, conversation int64, id string) (store.ToolCall, error) {
	found, err := list(ctx, s, func(rows *sql.Rows) (c store.ToolCall, err error) {
		var created int64
		err = rows.Scan(toolCallOf(&c, &created)...)
		c.CreatedAt = record.Instant(created)
		return c, err
	}, toolCall, id, conversation, line)
	if err != nil || len(found) == 0 {
		return store.ToolCall{}, cmpErr(err, store.ErrNotFound)
	}
	return found[0], nil
}

// OpenToolCall implements store.ToolCalls.
func (s *Store) OpenToolCall(ctx context.Context, turn *store.Turn, id string) (store.ToolCall, error) {
	var c store.ToolCall
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.hold(turn); err != nil {
			return err
		}
		err := t.exec1(`UPDATE tool_calls SET state = 'open' WHERE id = ? AND conversation_id = ? AND line = ? AND state = 'proposed'`,
			id, turn.ConversationID, turn.Line)
		if err != nil {
			return err
		}
		c = store.ToolCall{}
		var created int64
		err = t.row(toolCall, []any{id, turn.ConversationID, turn.Line}, toolCallOf(&c, &created)...)
		c.CreatedAt = record.Instant(created)
		return err
	})
	return c, err
}
