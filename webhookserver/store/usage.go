package store

import (
	"context"
	"errors"
	"time"
)

// Limit names what bounds the answers of a line.
type Limit string

// The limits of a line.
const (
	// LimitConversations bounds AI conversations in a calendar month: each lasts ConversationLength from the first reply to a customer.
	LimitConversations Limit = "ConversationsPerMonth"
	// LimitMessages bounds the assistant's messages in a calendar month.
	LimitMessages Limit = "MessagesPerMonth"
	// LimitDay bounds the assistant's messages in a day: they are billed.
	LimitDay Limit = "MessagesPerDay"
	// LimitCustomer bounds the assistant's messages to one customer in an hour.
	LimitCustomer Limit = "CustomerMessagesPerHour"
	// LimitFiles bounds the bytes of a line's files. The platform sets it, and it holds back no answer.
	LimitFiles Limit = "BytesOfFiles"
)

// ConversationLength is how long an AI conversation lasts from the assistant's first reply to a customer.
const ConversationLength = 24 * time.Hour

// ErrLimitReached is what every *LimitError is.
var ErrLimitReached = errors.New("store: a limit of the line is reached")

// LimitError means that replies would exceed a limit. Nothing was changed: the turn is still held.
type LimitError struct {
	Limit Limit
}

// Error names the limit.
func (e *LimitError) Error() string { return ErrLimitReached.Error() + ": " + string(e.Limit) }

// Is makes it an ErrLimitReached.
func (*LimitError) Is(target error) bool { return target == ErrLimitReached }

// Quota is what a line may use. Nil members are no bound. Months and days are those of TimeZone, by the store's clock.
type Quota struct {
	// TimeZone is an IANA name; empty means UTC.
	TimeZone                string
	ConversationsPerMonth   *int64
	MessagesPerMonth        *int64
	MessagesPerDay          *int64
	CustomerMessagesPerHour *int64
}

// Bounded reports whether it has any limit.
func (q *Quota) Bounded() bool {
	return q.ConversationsPerMonth != nil || q.MessagesPerMonth != nil || q.MessagesPerDay != nil || q.CustomerMessagesPerHour != nil
}

// Usage is what a line has used in one period.
type Usage struct {
	Line string
	// Period is a month such as 2026-03, or a day such as 2026-03-01, in the time zone of the line at that time.
	Period string
	// Conversations are AI conversations; a day counts none.
	Conversations int64
	// Messages are those of the assistant that were not refused, lost or given up before they were sent.
	Messages int64
	// Billed and Free are those of which Meta has told the price; a day counts none.
	Billed, Free int64
	// Tokens of models; a month counts none.
	Tokens int64
}

// Usages count what lines use. The assistant's messages are counted in the transaction that puts them into the outbox (see
// Outcome.Quota) and given back when they fail, so that no number of servers exceeds a limit together.
type Usages interface {
	// Reached names the limit that an answer to the turn would exceed, empty if none: so that no model is asked for nothing.
	Reached(ctx context.Context, t *Turn, q Quota) (Limit, error)

	// ReserveTokens counts tokens of models to the present day of the line, unless that makes more than bound: then ok is false and
	// nothing changes. A nil bound is none. day is the period in which they count, for SettleTokens.
	ReserveTokens(ctx context.Context, line, timeZone string, tokens int64, bound *int64) (day string, ok bool, err error)

	// SettleTokens corrects what was reserved in a day by the difference to what was used; negative gives back.
	SettleTokens(ctx context.Context, line, day string, difference int64) error

	// Usages returns what the line has used in the newest limit periods, newest first.
	Usages(ctx context.Context, line string, limit int) ([]Usage, error)
}
