package postgres

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

func (t *tx) writeToolCall(turn *store.Turn, o *store.Outcome) error {
	if s := o.Settlement; s != nil {
		err := t.exec1(`UPDATE tool_calls SET state = $1 WHERE id = $2 AND conversation_id = $3 AND line = $4 AND state IN ('proposed', 'open')`,
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
		INSERT INTO tool_calls (id, line, conversation_id, turn, ordinal, tool, arguments, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8)`,
		p.ID, turn.Line, turn.ConversationID, turn.LoadedSeq, p.Ordinal, p.Tool, p.Arguments, t.now)
	return err
}

// toolCall reads one call of a conversation.
const toolCall = `
	SELECT id, line, conversation_id, turn, ordinal, tool, arguments, state, created_at FROM tool_calls WHERE id = $1 AND conversation_id = $2 AND line = $3`

// toolCallOf are the targets of toolCall.
func toolCallOf(c *store.ToolCall, created *int64) []any {
	return []any{&c.ID, &c.Line, &c.ConversationID, &c.Turn, &c.Ordinal, &c.Tool, &c.Arguments, &c.State, created}
}

// ToolCall implements store.ToolCalls.
func (s *Store) ToolCall(ctx context.Context, line string, conversation int64, id string) (store.ToolCall, error) {
	found, err := list(ctx, s, func(row pgx.CollectableRow) (c store.ToolCall, err error) {
		var created int64
		err = row.Scan(toolCallOf(&c, &created)...)
		c.CreatedAt = record.Instant(created)
		return c, err
	}, toolCall, id, conversation, line)
	if err != nil || len(found) == 0 {
		return store.ToolCall{}, cmp.Or(err, store.ErrNotFound)
	}
	return found[0], nil
}

// OpenToolCall implements store.ToolCalls.
func (s *Store) OpenToolCall(ctx context.Context, turn *store.Turn, id string) (store.ToolCall, error) {
	var c store.ToolCall
	err := s.hold(ctx, turn, func(t *tx, _ held) error {
		err := t.exec1(`UPDATE tool_calls SET state = 'open' WHERE id = $1 AND conversation_id = $2 AND line = $3 AND state = 'proposed'`,
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
