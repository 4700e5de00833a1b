package controllers

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// channelLimits are the limits that concern all customers of a channel, as the webhook-server names them. That of one customer is not
// among them: it says nothing of the others.
var channelLimits = []struct {
	name, field, period string
	// layout gives the same text for all times of a period.
	layout string
}{
	{"ConversationsPerMonth", "spec.limits.conversationsPerMonth", "this month", "2006-01"},
	{"MessagesPerMonth", "spec.limits.messagesPerMonth", "this month", "2006-01"},
	{"MessagesPerDay", "spec.limits.messagesPerDay", "today", "2006-01-02"},
}

// usedUp says which limit of the channel is used up, empty if none is. What was reported holds until the period of the limit is over, or
// the spec changes: old is the condition for the present spec.
func (s *channelScope) usedUp(old *metav1.Condition, notice string) string {
	for _, l := range channelLimits {
		switch {
		case s.news.limit == l.name:
			return l.field + " is used up for " + l.period + ": customers get spec.limits.message or are handed to a person. " +
				"Raise it, or wait until the period is over in spec.timeZone."
		case s.news.limit == "" && old != nil && old.Reason == v1alpha1.ReasonLimitReached && strings.HasPrefix(old.Message, l.field+" ") &&
			s.localTime(old.LastTransitionTime).Format(l.layout) == s.localTime(s.now).Format(l.layout):
			return strings.TrimSuffix(old.Message, notice)
		}
	}
	return ""
}

// localTime is a time where the channel's business is.
func (s *channelScope) localTime(t metav1.Time) time.Time {
	zone, err := time.LoadLocation(s.channel.Spec.TimeZone)
	if err != nil {
		zone = time.UTC // a wrong name is told of elsewhere
	}
	return t.In(zone)
}
