package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// channelLimit is a limit that concerns a whole channel, in the words of the webhook-server's reports.
type channelLimit struct {
	reported, field string
	monthly         bool
	bound           func(*v1alpha1.LimitsSpec) *int64
}

// channelLimits are in the order of the spec. What one customer may have in an hour is no limit of the channel: it shows in metrics.
var channelLimits = []channelLimit{
	{"ConversationsPerMonth", "conversationsPerMonth", true, func(l *v1alpha1.LimitsSpec) *int64 { return l.ConversationsPerMonth }},
	{"MessagesPerMonth", "messagesPerMonth", true, func(l *v1alpha1.LimitsSpec) *int64 { return l.MessagesPerMonth }},
	{"MessagesPerDay", "messagesPerDay", false, func(l *v1alpha1.LimitsSpec) *int64 { return l.MessagesPerDay }},
}

// recordLimits shows the limits that are reached: until their period ends, or their bound is another.
func (s *channelScope) recordLimits() {
	limits := ptr.Deref(s.channel.Spec.Limits, v1alpha1.LimitsSpec{})
	before := s.channel.Status.Limits
	s.channel.Status.Limits = nil
	for _, l := range channelLimits {
		bound := l.bound(&limits)
		if bound == nil {
			continue
		}
		i := slices.IndexFunc(before, func(have v1alpha1.LimitStatus) bool {
			return have.Limit == l.field && ptr.Equal(have.Bound, bound)
		})
		reached := v1alpha1.LimitStatus{Limit: l.field, Bound: new(*bound)}
		if i >= 0 {
			reached.Until = before[i].Until
		}
		if at := s.news.limits[l.reported]; !at.IsZero() {
			reached.Until = new(metav1.NewTime(l.ends(at, s.channel.Spec.TimeZone)))
		}
		if reached.Until != nil && reached.Until.After(s.now.Time) {
			s.channel.Status.Limits = append(s.channel.Status.Limits, reached)
		}
	}
}

// limitOfFiles is what a report says of a number whose files fill what the platform keeps of one number; it is no limit of the spec.
const limitOfFiles = "BytesOfFiles"

// reasonMediaQuotaReached is the reason of the event about files that are not kept.
const reasonMediaQuotaReached = "MediaQuotaReached"

// tellOfFiles records an event if files of the number's customers are not kept: its assistant answers all the same.
func (r *WhatsAppChannelReconciler) tellOfFiles(s *channelScope) {
	if s.news.limits[limitOfFiles].IsZero() {
		return
	}
	r.status.recorder.Eventf(s.channel, nil, corev1.EventTypeWarning, reasonMediaQuotaReached, "KeepFile",
		"Files that customers send are not kept, since those of this number fill what the platform keeps of one number: people can't see them, and the assistant reads them at Meta as long as they are there. "+
			"Shorten spec.retention, so that older ones go sooner, or ask the platform team for a larger --media-quota of the webhook-server.")
}

// ends is when the month or day of an instant ends in a time zone.
func (l *channelLimit) ends(at time.Time, timeZone string) time.Time {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		zone = time.UTC
	}
	at = at.In(zone)
	if l.monthly {
		return time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, zone).UTC()
	}
	return time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, zone).UTC()
}

// limitPause is how long the first limit that is reached stays so; zero if none is.
func (s *channelScope) limitPause() time.Duration {
	var pause time.Duration
	for i := range s.channel.Status.Limits {
		if left := s.channel.Status.Limits[i].Until.Sub(s.now.Time); pause == 0 || left < pause {
			pause = left
		}
	}
	return pause
}

// limitProblem tells of the limits that are reached; empty if none is.
func (s *channelScope) limitProblem() string {
	var told []string
	for i := range s.channel.Status.Limits {
		l := &s.channel.Status.Limits[i]
		told = append(told, fmt.Sprintf("spec.limits.%s (%d) is used up until %s.", l.Limit, ptr.Deref(l.Bound, 0), l.Until.UTC().Format(timeShown)))
	}
	if len(told) == 0 {
		return ""
	}
	meanwhile := "Customers are handed to people meanwhile"
	if s.channel.Spec.Limits.Message != "" {
		meanwhile = "Customers get spec.limits.message meanwhile"
	}
	return strings.Join(told, " ") + " " + meanwhile + "; raise the limit, or wait."
}

// toolTrouble says of each reason for which a source of tools fails what is wrong and what to do; %[2]s is its field.
var toolTrouble = map[string]string{
	"Unreachable":    "it can't be reached, or does not speak MCP over Streamable HTTP; see %[2]s.mcp.url and the server's logs",
	"AddressRefused": "its URL leads to a private or reserved address; give %[2]s.mcp.url a public one, or ask the platform team to allow this one (--egress-allow-cidrs of the webhook-server)",
	"Unauthorized":   "it refuses the headers; correct the Secret that %[2]s.mcp.headersSecretRef names",
	"ToolsMissing":   "it does not have all tools of %[2]s.mcp.allowedTools; correct their names",
}

// recordTools shows the sources of tools that failed when they were last asked. same says that status tells of the present spec.
func (s *channelScope) recordTools(same bool) {
	failing := map[string]string{}
	if same {
		for _, t := range s.channel.Status.Tools {
			failing[t.Name] = t.Problem
		}
	}
	for name, news := range s.news.tools {
		failing[name] = ""
		if !news.Healthy {
			failing[name] = news.Reason
		}
	}
	s.channel.Status.Tools = nil
	for i := range s.channel.Spec.Assistant.Tools {
		name := s.channel.Spec.Assistant.Tools[i].Name
		if problem := failing[name]; problem != "" {
			s.channel.Status.Tools = append(s.channel.Status.Tools, v1alpha1.ToolStatus{Name: name, Problem: clip(problem, maxWordShown)})
		}
	}
}

// toolProblems tells of the sources of tools that fail; empty if none does.
func (s *channelScope) toolProblems() string {
	var told []string
	for _, t := range s.channel.Status.Tools {
		i := slices.IndexFunc(s.channel.Spec.Assistant.Tools, func(spec v1alpha1.ToolSource) bool { return spec.Name == t.Name })
		trouble, known := toolTrouble[t.Problem]
		if !known {
			trouble = toolTrouble["Unreachable"]
		}
		told = append(told, fmt.Sprintf("The tool server %[1]s fails: "+trouble+".", t.Name, fmt.Sprintf("spec.assistant.tools[%d]", i)))
	}
	if len(told) == 0 {
		return ""
	}
	return strings.Join(told, " ") + " Customers are answered without these tools meanwhile."
}

// mergeLater returns both maps together in a map of its own: the one that there is may be an observation's that was taken.
func mergeLater[V any](have, later map[string]V) map[string]V {
	if len(later) == 0 {
		return have
	}
	all := maps.Clone(have)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, later)
	return all
}
