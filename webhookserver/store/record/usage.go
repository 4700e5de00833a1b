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

// Billable reads Meta's pricing object. ok is false if it says nothing.
func Billable(pricing []byte) (billable, ok bool) {
	var p struct {
		Billable *bool  `json:"billable"`
		Type     string `json:"type"`
	}
	if len(pricing) == 0 || json.Unmarshal(pricing, &p) != nil {
		return false, false
	}
	switch {
	case p.Type != "":
		return p.Type == "regular", true
	case p.Billable != nil:
		return *p.Billable, true
	default:
		return false, false
	}
}

// Priced is what a message of known price adds to a month.
func Priced(billable bool) store.Usage {
	if billable {
		return store.Usage{Billed: 1}
	}
	return store.Usage{Free: 1}
}
