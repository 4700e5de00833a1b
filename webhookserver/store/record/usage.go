package record

import (
	"encoding/json"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Customer is what a conversation's row tells of the assistant's messages to a customer.
type Customer struct {
	// AIUntil is when the AI conversation ends; RateHour the hour in which Rate messages were sent.
	AIUntil, RateHour, Rate int64
}

// Reached names the limit that n more messages at now would exceed, given what was used in the month and the day; empty if none.
// begins is 1 if they begin an AI conversation.
func Reached(q *store.Quota, month, day store.Usage, c Customer, p Periods, now, n int64) (limit store.Limit, begins int64) {
	if c.AIUntil <= now {
		begins = 1
	}
	if c.RateHour != p.Hour {
		c.Rate = 0
	}
	switch {
	case begins > 0 && Exceeds(month.Conversations+begins, q.ConversationsPerMonth):
		limit = store.LimitConversations
	case Exceeds(month.Messages+n, q.MessagesPerMonth):
		limit = store.LimitMessages
	case Exceeds(day.Messages+n, q.MessagesPerDay):
		limit = store.LimitDay
	case Exceeds(c.Rate+n, q.CustomerMessagesPerHour):
		limit = store.LimitCustomer
	}
	return limit, begins
}

// Price is what Meta tells of a message's price. The column priced holds it.
type Price int64

// The prices.
const (
	PriceUnknown Price = 0
	PriceBilled  Price = 1
	PriceFree    Price = 2
)

// PriceOf reads Meta's pricing object.
func PriceOf(pricing []byte) Price {
	var p struct {
		Billable *bool  `json:"billable"`
		Type     string `json:"type"`
	}
	if len(pricing) == 0 || json.Unmarshal(pricing, &p) != nil {
		return PriceUnknown
	}
	switch {
	case p.Type == "regular", p.Type == "" && p.Billable != nil && *p.Billable:
		return PriceBilled
	case p.Type != "", p.Billable != nil:
		return PriceFree
	default:
		return PriceUnknown
	}
}

// Usage is what n messages of the price add to a month.
func (p Price) Usage(n int64) store.Usage {
	switch p {
	case PriceBilled:
		return store.Usage{Billed: n}
	case PriceFree:
		return store.Usage{Free: n}
	default:
		return store.Usage{}
	}
}
