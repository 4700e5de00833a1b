package conversation

import (
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Reasons of turns that are not answered.
const (
	reasonNumberMoved       = "NumberMoved"
	reasonAssistantDisabled = "AssistantDisabled"
	reasonPlanInactive      = "PlanInactive"
	reasonTooOld            = "TooOld"
)

// guard decides whether the assistant may answer, and which messages. A message that waited too long, because the server
// was away or Meta delivered late, is stored and shown but not answered: its customer has gone on. Ages are measured by
// the store's clock at the claim. The customer service window is longer than any allowed age, and the store checks it
// again before each send.
func guard(ch *runtimeconfig.Channel, turn *store.Turn) (unanswered []store.Message, reason string) {
	switch {
	case !ch.Assistant.Enabled:
		return nil, reasonAssistantDisabled
	case !ch.PlanActive:
		return nil, reasonPlanInactive
	}
	if unanswered = younger(turn, min(maxReplyAge(ch), store.WindowLength)); len(unanswered) == 0 {
		return nil, reasonTooOld
	}
	// What the customer has taken back is nothing to speak of.
	unanswered = slices.DeleteFunc(unanswered, func(m store.Message) bool { return m.Revoked })
	if len(unanswered) == 0 {
		return nil, store.ReasonRevoked
	}
	return unanswered, ""
}

// younger returns the unanswered messages that have waited for age at most.
func younger(turn *store.Turn, age time.Duration) (unanswered []store.Message) {
	oldest := turn.ClaimedAt.Add(-age)
	for i := range turn.Unanswered {
		if !turn.Unanswered[i].EventTime.Before(oldest) {
			unanswered = append(unanswered, turn.Unanswered[i])
		}
	}
	return unanswered
}

// contentOnItsWay reports whether the channel's content has not arrived yet: right after a change it comes as an Object
// of its own.
func contentOnItsWay(ch *runtimeconfig.Channel, turn *store.Turn) bool {
	return ch.Assistant.Content != "" && ch.Content == nil && turn.ClaimedAt.Sub(turn.FirstUnansweredAt) < contentPatience
}

func maxReplyAge(ch *runtimeconfig.Channel) time.Duration {
	if age := time.Duration(ch.Assistant.MaxReplyAge); age > 0 {
		return age
	}
	return defaultMaxReplyAge
}
