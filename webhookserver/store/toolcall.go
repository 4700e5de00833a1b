package store

import (
	"context"
	"time"
)

// ToolCallState is how far a call with a side effect has come.
type ToolCallState string

// The states of a call, in order.
const (
	// ToolCallProposed waits for the customer's confirmation.
	ToolCallProposed ToolCallState = "proposed"
	// ToolCallOpen is being made, or was when a worker died: it is never made again.
	ToolCallOpen ToolCallState = "open"
	// ToolCallDone and ToolCallFailed tell how it ended.
	ToolCallDone   ToolCallState = "done"
	ToolCallFailed ToolCallState = "failed"
	// ToolCallDeclined was not wanted by the customer.
	ToolCallDeclined ToolCallState = "declined"
)

// ToolCall is a call with a side effect that a model wants to be made.
type ToolCall struct {
	// ID is random and unguessable. It is the call's idempotency key.
	ID             string
	Line           string
	ConversationID int64
	// Turn is the LoadedSeq of the turn that proposed it, and Ordinal counts its calls: a turn that is tried again proposes the same.
	Turn, Ordinal int64
	// Tool is its name, with the source's.
	Tool string
	// Arguments are JSON.
	Arguments []byte
	State     ToolCallState
	CreatedAt time.Time
}

// ToolProposal is a call that waits for the customer; see ToolCall for its members.
type ToolProposal struct {
	ID        string
	Ordinal   int64
	Tool      string
	Arguments []byte
}

// ToolSettlement is how a call ended.
type ToolSettlement struct {
	ID    string
	State ToolCallState
}

// ToolCalls are the ledger of calls with side effects. Proposals and settlements are written by CommitReply, see Outcome.
type ToolCalls interface {
	// ToolCall returns a call of a conversation. Errors: ErrNotFound.
	ToolCall(ctx context.Context, line string, conversationID int64, id string) (ToolCall, error)

	// OpenToolCall makes a proposed call of the turn's conversation open, which it can be once. It must have returned before the call
	// is made. Errors: ErrLeaseLost, and ErrNotFound if there is no such call or it is not proposed any more.
	OpenToolCall(ctx context.Context, t *Turn, id string) (ToolCall, error)
}
