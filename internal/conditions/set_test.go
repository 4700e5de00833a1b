package conditions

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

var (
	before = metav1.NewTime(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC))
	later  = metav1.NewTime(time.Date(2026, 11, 1, 11, 0, 0, 0, time.UTC))
)

func channel(generation int64) *v1alpha1.WhatsAppChannel {
	return &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Generation: generation}, Status: v1alpha1.WhatsAppChannelStatus{ObservedGeneration: new(int64(-1))},
	}
}

// ready returns a channel that is Ready since the time before.
func ready(t *testing.T) *v1alpha1.WhatsAppChannel {
	t.Helper()
	c := channel(1)
	set := New(c, before)
	for _, gate := range []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionPhoneConnected, v1alpha1.ConditionWebhookSubscribed,
	} {
		set.True(gate, v1alpha1.ReasonSucceeded, "Good.")
	}
	set.False(v1alpha1.ConditionSuspended, v1alpha1.ReasonActive, "Not suspended.")
	set.MarkReady(v1alpha1.ReasonSucceeded, "Connected.")
	set.Write()
	if broken := CheckContract(c); len(broken) > 0 {
		t.Fatalf("a Ready channel breaks the contract: %q", broken)
	}
	return c
}

// types lists the conditions as "Type=Status".
func types(c *v1alpha1.WhatsAppChannel) []string {
	var out []string
	for _, condition := range c.Status.Conditions {
		out = append(out, condition.Type+"="+string(condition.Status))
	}
	return out
}

func TestSummaries(t *testing.T) {
	for _, tc := range []struct {
		reason       string
		mark         func(*Set)
		want         []string
		wantObserved int64
	}{
		{
			"Stalled ends the reconciliation of this generation",
			func(s *Set) { s.MarkStalled(v1alpha1.ReasonWrongApp, "Wrong app.") }, []string{"Ready=False", "Stalled=True"}, 2,
		},
		{
			"so does waiting, which is neither Reconciling nor Stalled",
			func(s *Set) { s.MarkWaiting(v1alpha1.ReasonNotConnected, "Not connected.") }, []string{"Ready=False"}, 2,
		},
		{
			"what is tried again has not ended",
			func(s *Set) { s.MarkReconciling(v1alpha1.ReasonThrottled, "Throttled.") }, []string{"Ready=False", "Reconciling=True"}, 1,
		},
		{
			"the last summary counts",
			func(s *Set) {
				s.MarkStalled(v1alpha1.ReasonWrongApp, "Wrong app.")
				s.MarkReconciling(v1alpha1.ReasonThrottled, "Throttled.")
			},
			[]string{"Ready=False", "Reconciling=True"}, 1,
		},
	} {
		c := ready(t)
		c.Generation = 2
		set := New(c, later)
		tc.mark(set)
		set.Write()
		want := append(slices.Clone(tc.want), "Accepted=True", "CredentialsValid=True", "PhoneConnected=True", "WebhookSubscribed=True",
			"WebhookVerified=Unknown", "AssistantReady=Unknown", "Suspended=False")
		if diff := cmp.Diff(want, types(c)); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
		if got := *c.Status.ObservedGeneration; got != tc.wantObserved {
			t.Errorf("%s: observedGeneration is %d, want %d", tc.reason, got, tc.wantObserved)
		}
		if broken := CheckContract(c); len(broken) > 0 {
			t.Errorf("%s: %q", tc.reason, broken)
		}
	}
}

func TestTransitionTime(t *testing.T) {
	c := ready(t)
	set := New(c, later)
	set.True(v1alpha1.ConditionAccepted, v1alpha1.ReasonProgressing, "Another reason, the same status.")
	set.False(v1alpha1.ConditionPhoneConnected, v1alpha1.ReasonNotConnected, "Another status.")
	set.MarkWaiting(v1alpha1.ReasonNotConnected, "Not connected.")
	set.Write()
	got := map[string]metav1.Time{}
	for _, condition := range c.Status.Conditions {
		got[condition.Type] = condition.LastTransitionTime
	}
	if got[v1alpha1.ConditionAccepted] != before {
		t.Error("a new reason moved the transition time")
	}
	if got[v1alpha1.ConditionPhoneConnected] != later {
		t.Error("a new status did not move the transition time")
	}
}

func TestKeepAllChangesNothing(t *testing.T) {
	c := ready(t)
	c.Generation = 2
	want := c.DeepCopy()
	set := New(c, later)
	set.KeepAll()
	set.Write()
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	c := channel(1)
	set := New(c, before)
	set.False(v1alpha1.ConditionSuspended, v1alpha1.ReasonActive, "Not suspended.")
	set.MarkStalled(v1alpha1.ReasonRejected, strings.Repeat("ä", 5000))
	set.Write()
	if broken := CheckContract(c); len(broken) > 0 {
		t.Errorf("%q", broken)
	}
	if !strings.HasSuffix(c.Status.Conditions[0].Message, "ä…") {
		t.Error("the cut is not marked")
	}
}

func TestWriteWithoutSummaryPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("conditions without a summary were written")
		}
	}()
	New(channel(1), before).Write()
}

func TestCheckContractFindsEachViolation(t *testing.T) {
	find := func(c *v1alpha1.WhatsAppChannel, conditionType string) *metav1.Condition {
		for i := range c.Status.Conditions {
			if c.Status.Conditions[i].Type == conditionType {
				return &c.Status.Conditions[i]
			}
		}
		t.Fatalf("no %s", conditionType)
		return nil
	}
	add := func(c *v1alpha1.WhatsAppChannel, conditionType, reason string, status metav1.ConditionStatus) {
		condition := metav1.Condition{
			Type: conditionType, Status: status, Reason: reason, Message: "Added.", ObservedGeneration: 1, LastTransitionTime: before,
		}
		c.Status.Conditions = append([]metav1.Condition{c.Status.Conditions[0], condition}, c.Status.Conditions[1:]...)
	}
	unready := func(c *v1alpha1.WhatsAppChannel, reason string) {
		find(c, "Ready").Status, find(c, "Ready").Reason = metav1.ConditionFalse, reason
	}
	for _, tc := range []struct {
		want  string
		spoil func(*v1alpha1.WhatsAppChannel)
	}{
		{"AssistantReady is missing", func(c *v1alpha1.WhatsAppChannel) {
			c.Status.Conditions = append(c.Status.Conditions[:6], c.Status.Conditions[7:]...)
		}},
		{"Odd is no condition", func(c *v1alpha1.WhatsAppChannel) { add(c, "Odd", "Odd", metav1.ConditionTrue) }},
		{"is there twice", func(c *v1alpha1.WhatsAppChannel) { add(c, "Ready", v1alpha1.ReasonSucceeded, metav1.ConditionTrue) }},
		{"out of order", func(c *v1alpha1.WhatsAppChannel) {
			c.Status.Conditions[1], c.Status.Conditions[2] = c.Status.Conditions[2], c.Status.Conditions[1]
		}},
		{"beside Reconciling", func(c *v1alpha1.WhatsAppChannel) {
			add(c, "Reconciling", v1alpha1.ReasonSucceeded, metav1.ConditionTrue)
		}},
		{"must be True or absent", func(c *v1alpha1.WhatsAppChannel) { add(c, "Stalled", v1alpha1.ReasonSucceeded, metav1.ConditionFalse) }},
		{"Stalled have different reasons", func(c *v1alpha1.WhatsAppChannel) { add(c, "Stalled", "Other", metav1.ConditionTrue) }},
		{"Stalled have different messages", func(c *v1alpha1.WhatsAppChannel) { add(c, "Stalled", v1alpha1.ReasonSucceeded, metav1.ConditionTrue) }},
		{"Reconciling are of different generations", func(c *v1alpha1.WhatsAppChannel) {
			c.Generation = 2
			add(c, "Reconciling", v1alpha1.ReasonSucceeded, metav1.ConditionTrue)
			find(c, "Reconciling").ObservedGeneration = 2
		}},
		{"Ready is Unknown", func(c *v1alpha1.WhatsAppChannel) { find(c, "Ready").Status = metav1.ConditionUnknown }},
		{"Ready is False for the reason Succeeded", func(c *v1alpha1.WhatsAppChannel) { find(c, "Ready").Status = metav1.ConditionFalse }},
		{"Accepted is True for the reason Pending", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Reason = v1alpha1.ReasonPending }},
		{"Suspended is True for the reason Active", func(c *v1alpha1.WhatsAppChannel) { find(c, "Suspended").Status = metav1.ConditionTrue }},
		{"True for the generation 2, and Accepted for 1", func(c *v1alpha1.WhatsAppChannel) {
			c.Generation = 2
			find(c, "Ready").ObservedGeneration = 2
		}},
		{"Ready is True since before Accepted was", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").LastTransitionTime = later }},
		{"Accepted has changed before the object was made", func(c *v1alpha1.WhatsAppChannel) { c.CreationTimestamp = later }},
		{"nothing is tried, although Ready says Progressing", func(c *v1alpha1.WhatsAppChannel) { unready(c, v1alpha1.ReasonProgressing) }},
		{"a next attempt is announced", func(c *v1alpha1.WhatsAppChannel) {
			unready(c, v1alpha1.ReasonNotConnected)
			c.Status.NextAttemptTime = &later
		}},
		{"Suspended is False, and Ready is False for the reason Suspended", func(c *v1alpha1.WhatsAppChannel) { unready(c, v1alpha1.ReasonSuspended) }},
		{"Suspended is Unknown", func(c *v1alpha1.WhatsAppChannel) {
			unready(c, v1alpha1.ReasonNotConnected)
			find(c, "Suspended").Status = metav1.ConditionUnknown
		}},
		{"Suspended is False, and spec.suspend is true", func(c *v1alpha1.WhatsAppChannel) { c.Spec.Suspend = new(true) }},
		{"both True", func(c *v1alpha1.WhatsAppChannel) {
			add(c, "Stalled", v1alpha1.ReasonSucceeded, metav1.ConditionTrue)
			add(c, "Reconciling", v1alpha1.ReasonSucceeded, metav1.ConditionTrue)
		}},
		{"although PhoneConnected isn't", func(c *v1alpha1.WhatsAppChannel) { find(c, "PhoneConnected").Status = metav1.ConditionFalse }},
		{"suspended object", func(c *v1alpha1.WhatsAppChannel) { find(c, "Suspended").Status = metav1.ConditionTrue }},
		{"being deleted", func(c *v1alpha1.WhatsAppChannel) { c.DeletionTimestamp = &later }},
		{"Accepted has no reason", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Reason = "" }},
		{"Accepted has no message", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Message = "" }},
		{"not one line", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Message = "Good.\nReally." }},
		{"put together wrongly", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Message = "Good for %!s(MISSING)." }},
		{"exceeds 1024", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Message = strings.Repeat("a ", 600) }},
		{"something like a secret", func(c *v1alpha1.WhatsAppChannel) {
			find(c, "Accepted").Message = "The Secret onboarding-" + strings.Repeat("0a", 16) + " holds " + strings.Repeat("0b", 16) + "."
		}},
		{"something like a secret", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").Message = "Token EAAG1234567890abcdef refused." }},
		{"no transition time", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").LastTransitionTime = metav1.Time{} }},
		{"Accepted has the observedGeneration 7", func(c *v1alpha1.WhatsAppChannel) { find(c, "Accepted").ObservedGeneration = 7 }},
		{"observedGeneration is missing", func(c *v1alpha1.WhatsAppChannel) { c.Status.ObservedGeneration = nil }},
		{"ahead of the generation", func(c *v1alpha1.WhatsAppChannel) { c.Status.ObservedGeneration = new(int64(2)) }},
		{"is 0, which is no generation", func(c *v1alpha1.WhatsAppChannel) { c.Status.ObservedGeneration = new(int64(0)) }},
		{"came to an end", func(c *v1alpha1.WhatsAppChannel) { c.Status.ObservedGeneration = new(int64(-1)) }},
	} {
		c := ready(t)
		tc.spoil(c)
		if broken := strings.Join(CheckContract(c), "\n"); !strings.Contains(broken, tc.want) {
			t.Errorf("%q was not found, but\n%s", tc.want, broken)
		}
	}
}
