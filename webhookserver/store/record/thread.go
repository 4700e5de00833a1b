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
	// What is known of who else answers; see Human and Elsewhere. All of these
	// only grow, so that any order of arrival gives the same end.
	PersonAt, ResumedAt        int64
	OtherAt, FreeAt, StandbyAt int64
}

// Human tells whether a person answers: one wrote after the assistant was last
// given the thread.
func (h *Thread) Human() bool { return h.PersonAt > h.ResumedAt }

// Elsewhere tells whether another responder owns the thread. The stores have
// the same rule in SQL.
func (h *Thread) Elsewhere() bool {
	return h.OtherAt > 0 && h.OtherAt >= h.FreeAt && h.LastUserAt <= max(h.OtherAt, h.StandbyAt)+store.OwnershipLapses.Milliseconds()
}

// Silent tells whether nothing is to be answered automatically.
func (h *Thread) Silent() bool {
	return h.State != store.ConversationActive || h.Human() || h.Elsewhere()
}

// Settle makes what is unanswered due, or not, after a change of who answers.
func (h *Thread) Settle(now int64) {
	switch {
	case h.Silent():
		h.ReplyDueAt = 0
	case h.ReplyDueAt == 0 && h.LastSeq > h.AnsweredSeq && h.FirstUnansweredID != 0:
		h.ReplyDueAt = DueAt(h.FirstUnansweredAt, now)
	}
}

// Noted takes over what a message says about who else answers, and tells
// whether that changes anything. ours says that the message is one of ours that
// came back.
func (h *Thread) Noted(from store.Source, ours bool, at int64) bool {
	switch {
	case from == store.SourceEcho && !ours && at > h.PersonAt:
		h.PersonAt = at
	case from == store.SourceStandby && at > h.StandbyAt:
		h.StandbyAt = at
	default:
		return false
	}
	return true
}

// HandOver gives the thread to another owner, and tells whether that changes
// anything.
func (h *Thread) HandOver(to store.ThreadOwner, at int64) bool {
	before := *h
	switch to {
	case store.OwnerOther:
		h.OtherAt = max(h.OtherAt, at)
	case store.OwnerOurs:
		h.FreeAt, h.ResumedAt = max(h.FreeAt, at), max(h.ResumedAt, at)
	case store.OwnerNone:
		h.FreeAt = max(h.FreeAt, at)
	}
	return *h != before
}

// Await makes the conversation due for a reply to the message, received now.
func (h *Thread) Await(messageID, now int64) {
	if h.FirstUnansweredID == 0 {
		h.FirstUnansweredID, h.FirstUnansweredAt = messageID, now
	}
	if !h.Silent() {
		h.ReplyDueAt = DueAt(h.FirstUnansweredAt, now)
	}
}

// ResumeSlack is how much earlier than a Resume an echo may claim to be, and
// still count as later: Meta tells times in whole seconds. In milliseconds.
const ResumeSlack = 1000

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
// unanswered in both stays unanswered, and is due if together they are ours to
// answer, even if one of them alone was not.
func (h *Thread) Absorb(from *Thread, now int64) {
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
	h.PersonAt, h.ResumedAt = max(h.PersonAt, from.PersonAt), max(h.ResumedAt, from.ResumedAt)
	h.OtherAt, h.FreeAt, h.StandbyAt = max(h.OtherAt, from.OtherAt), max(h.FreeAt, from.FreeAt), max(h.StandbyAt, from.StandbyAt)
	h.Settle(now)
}

// minSet is the smaller one of two figures of which 0 means none.
func minSet(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
