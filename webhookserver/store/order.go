package store

import (
	"context"
	"time"
)

// OrderState is how far an order has come.
type OrderState string

// The states of an order. A draft becomes one of the others, once.
const (
	// OrderDraft waits for the customer's decision.
	OrderDraft OrderState = "draft"
	// OrderConfirmed was placed by the customer.
	OrderConfirmed OrderState = "confirmed"
	// OrderCancelled was given up by the customer.
	OrderCancelled OrderState = "cancelled"
	// OrderReplaced is a draft after which came another one in the same conversation.
	OrderReplaced OrderState = "replaced"
)

// NoticeState is what became of telling the shop about an order.
type NoticeState string

// The states of a notice.
const (
	// NoticeNone means that nobody is to be told.
	NoticeNone NoticeState = ""
	// NoticePending means that the shop is yet to be told.
	NoticePending NoticeState = "pending"
	// NoticeSent means that the shop has taken it.
	NoticeSent NoticeState = "sent"
	// NoticeDead means that it was given up; there is a dead letter.
	NoticeDead NoticeState = "dead"
)

// Order is what a customer wants to buy.
type Order struct {
	// Sequence is set by the store and orders the rows.
	Sequence int64
	// ID is random and unguessable.
	ID             string
	Line           string
	PhoneNumberID  string
	ConversationID int64
	// Contact is the customer.
	Contact Contact
	State   OrderState
	// Items are JSON of whoever made the draft: what is ordered and at which prices.
	Items []byte
	// Total is for people, such as 12.50 USD.
	Total string
	// Note is what the customer adds; may be empty.
	Note      string
	CreatedAt time.Time
	// DecidedAt is when it ceased to be a draft; zero before.
	DecidedAt time.Time

	Notice         NoticeState
	NoticeAttempts int
	// NoticeReason explains why the shop was not told yet, in a short, stable word.
	NoticeReason string
}

// OrderDraftRow is a new draft; see Order for its members.
type OrderDraftRow struct {
	ID    string
	Items []byte
	Total string
	Note  string
}

// OrderDecision ends a draft.
type OrderDecision struct {
	ID    string
	State OrderState
	// Notify asks for the shop to be told.
	Notify bool
}

// OrderNotice is a claimed duty to tell a shop.
type OrderNotice struct {
	Order      Order
	Owner      string
	Epoch      int64
	LeaseUntil time.Time
	// Attempt is 1 for the first try.
	Attempt int
}

// Orders keep what customers ordered. Drafts and decisions are written by CommitReply, see Outcome.
type Orders interface {
	// Order returns an order of a conversation. Errors: ErrNotFound.
	Order(ctx context.Context, line string, conversationID int64, id string) (Order, error)

	// Orders returns up to limit orders of a line with a Sequence above after, oldest first.
	Orders(ctx context.Context, line string, after int64, limit int) ([]Order, error)

	// ClaimOrderNotice leases the notice that has been due longest, of a line that has less than NoticesTogether under way. Errors:
	// ErrNothingDue.
	ClaimOrderNotice(ctx context.Context, owner string, lease time.Duration) (*OrderNotice, error)

	// EndOrderNotice records that the shop was told (NoticeSent), that it is to be told again after a while (NoticePending), or that it
	// was given up (NoticeDead), which leaves a dead letter. reason is a short, stable word. Errors: ErrLeaseLost.
	EndOrderNotice(ctx context.Context, n *OrderNotice, state NoticeState, after time.Duration, reason string) error
}
