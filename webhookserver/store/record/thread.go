package record

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"

// Thread is the part of a conversation row that ingestion reads and writes.
// Instants are in the form of Millis; 0 means none.
type Thread struct {
	ID                int64
	Line              string
	BSUID, Phone      string
	PhoneAt           int64
	Name, Username    string
	State             store.ConversationState
	LastSeq           int64
	AnsweredSeq       int64
	FirstUnansweredID int64
	FirstUnansweredAt int64
	ReplyDueAt        int64
	LastUserAt        int64
}

// Await makes the conversation due for a reply to the message, received now.
func (h *Thread) Await(messageID, now int64) {
	if h.FirstUnansweredID == 0 {
		h.FirstUnansweredID, h.FirstUnansweredAt = messageID, now
	}
	if h.State == store.ConversationActive {
		h.ReplyDueAt = DueAt(h.FirstUnansweredAt, now)
	}
}

// DueAt is when a reply is due: soon after the newest message, which is from
// now, and not too late after the first.
func DueAt(firstUnansweredAt, now int64) int64 {
	return min(firstUnansweredAt+store.ReplyDueAtMost.Milliseconds(), now+store.ReplyDebounce.Milliseconds())
}

// TakeNames takes over the names that an event has, if it is as new as what
// we know, and tells whether that changes anything.
func (h *Thread) TakeNames(id store.Identity, at int64) bool {
	changed := id.Name != "" && id.Name != h.Name || id.Username != "" && id.Username != h.Username
	if !changed || at < h.LastUserAt {
		return false
	}
	if id.Name != "" {
		h.Name = id.Name
	}
	if id.Username != "" {
		h.Username = id.Username
	}
	return true
}

// Absorb combines the queue state of two threads of one customer: what is
// unanswered in both stays unanswered.
func (h *Thread) Absorb(from *Thread) {
	h.LastSeq += from.LastSeq - from.AnsweredSeq
	h.LastUserAt = max(h.LastUserAt, from.LastUserAt)
	if from.Phone != "" && from.PhoneAt > h.PhoneAt {
		h.Phone, h.PhoneAt = from.Phone, from.PhoneAt
	}
	h.FirstUnansweredID = minSet(h.FirstUnansweredID, from.FirstUnansweredID)
	h.FirstUnansweredAt = minSet(h.FirstUnansweredAt, from.FirstUnansweredAt)
	h.ReplyDueAt = minSet(h.ReplyDueAt, from.ReplyDueAt)
	if from.State == store.ConversationWaiting {
		h.State = from.State
	}
	if h.State == store.ConversationWaiting {
		h.ReplyDueAt = 0
	}
}

// minSet is the smaller one of two figures of which 0 means none.
func minSet(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
