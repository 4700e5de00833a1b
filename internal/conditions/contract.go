package conditions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// CheckContract returns where an object breaks the status contract, as sentences; empty means that it keeps it. Tests call it on every
// final object, and while it is suspended, waits, is stalled or is being deleted.
func CheckContract(obj client.Object) []string {
	k, err := kindOf(obj)
	if err != nil {
		return []string{err.Error()}
	}
	c := &contract{kind: k, obj: obj, all: *k.conditions}
	c.checkPresence()
	for _, condition := range c.all {
		c.checkCondition(condition)
	}
	c.checkSummary()
	c.checkReady()
	c.checkRest()
	c.checkObservedGeneration()
	return c.broken
}

type contract struct {
	kind   kind
	obj    client.Object
	all    []metav1.Condition
	broken []string
}

func (c *contract) fail(format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf(format, args...))
}

// require records a violation unless ok.
func (c *contract) require(ok bool, format string, args ...any) {
	if !ok {
		c.fail(format, args...)
	}
}

// is says whether a condition is present and True.
func (c *contract) is(conditionType string) bool {
	return meta.IsStatusConditionTrue(c.all, conditionType)
}

func (c *contract) checkPresence() {
	for _, conditionType := range c.kind.always() {
		c.require(meta.FindStatusCondition(c.all, conditionType) != nil, "%s is missing", conditionType)
	}
	order, last := c.kind.order(), -1
	for _, condition := range c.all {
		place := slices.Index(order, condition.Type)
		c.require(place >= 0, "%s is no condition of a %s", condition.Type, c.kind.name)
		c.require(place != last, "%s is there twice", condition.Type)
		c.require(place >= last, "%s is out of order", condition.Type)
		last = place
	}
}

// vaultEntry is the name of a Secret that holds a token: a person who has to look at it must be told, and its digits are no secret.
var vaultEntry = regexp.MustCompile(`\bonboarding-[0-9a-f]{32}\b`)

func (c *contract) checkCondition(condition metav1.Condition) {
	name := condition.Type
	c.require(condition.Reason != "", "%s has no reason", name)
	c.require(condition.Message != "", "%s has no message", name)
	c.require(strings.TrimSpace(condition.Message) == condition.Message && !strings.ContainsAny(condition.Message, "\r\n\t"),
		"the message of %s is not one line", name)
	c.require(!strings.Contains(condition.Message, "%!"), "the message of %s was put together wrongly", name)
	c.require(utf8.RuneCountInString(condition.Message) <= maxMessage, "the message of %s exceeds %d characters", name, maxMessage)
	shown := vaultEntry.ReplaceAllString(condition.Message, "")
	c.require(redact.Text(shown) == shown, "the message of %s holds something like a secret", name)
	c.require(!condition.LastTransitionTime.IsZero(), "%s has no transition time", name)
	c.require(condition.ObservedGeneration >= 1 && condition.ObservedGeneration <= c.obj.GetGeneration(),
		"%s has the observedGeneration %d, the object is at generation %d", name, condition.ObservedGeneration, c.obj.GetGeneration())
	c.require(!condition.LastTransitionTime.Before(new(c.obj.GetCreationTimestamp())), "%s has changed before the object was made", name)
	if name == v1alpha1.ConditionReconciling || name == v1alpha1.ConditionStalled {
		c.require(condition.Status == metav1.ConditionTrue, "%s is %s; it must be True or absent", name, condition.Status)
	}
	if statuses, only := statusesOf[condition.Reason]; only && name != v1alpha1.ConditionReconciling {
		c.require(slices.Contains(statuses, condition.Status), "%s is %s for the reason %s", name, condition.Status, condition.Reason)
	}
}

// statusesOf are what conditions can be for reasons that speak of how they stand. Reconciling is True while others are on their way.
var statusesOf = map[string][]metav1.ConditionStatus{
	v1alpha1.ReasonSucceeded:   {metav1.ConditionTrue},
	v1alpha1.ReasonNotRequired: {metav1.ConditionTrue},
	v1alpha1.ReasonPending:     {metav1.ConditionUnknown},
	v1alpha1.ReasonProgressing: {metav1.ConditionFalse, metav1.ConditionUnknown},
	v1alpha1.ReasonActive:      {metav1.ConditionFalse},
}

func (c *contract) checkSummary() {
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil {
		return
	}
	c.require(ready.Status != metav1.ConditionUnknown, "Ready is Unknown; it must be True or False")
	c.require(!c.is(v1alpha1.ConditionReconciling) || !c.is(v1alpha1.ConditionStalled), "Reconciling and Stalled are both True")
	for _, conditionType := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if summary := meta.FindStatusCondition(c.all, conditionType); summary != nil {
			c.require(ready.Reason == summary.Reason, "Ready and %s have different reasons", conditionType)
			c.require(ready.Message == summary.Message, "Ready and %s have different messages", conditionType)
			c.require(ready.ObservedGeneration == summary.ObservedGeneration, "Ready and %s are of different generations", conditionType)
		}
	}
}

// checkReady checks what Ready promises when it is True.
func (c *contract) checkReady() {
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue {
		return
	}
	c.require(!c.is(v1alpha1.ConditionReconciling) && !c.is(v1alpha1.ConditionStalled), "Ready is True beside Reconciling or Stalled")
	c.require(c.obj.GetDeletionTimestamp().IsZero(), "Ready is True on an object that is being deleted")
	c.require(!c.is(v1alpha1.ConditionSuspended), "Ready is True on a suspended object")
	for _, conditionType := range c.kind.gating {
		c.require(c.is(conditionType), "Ready is True although %s isn't", conditionType)
		gate := meta.FindStatusCondition(c.all, conditionType)
		if gate == nil {
			continue
		}
		c.require(gate.ObservedGeneration == ready.ObservedGeneration, "Ready is True for the generation %d, and %s for %d",
			ready.ObservedGeneration, conditionType, gate.ObservedGeneration)
		c.require(!ready.LastTransitionTime.Before(&gate.LastTransitionTime), "Ready is True since before %s was", conditionType)
	}
}

// checkRest checks that an object which is suspended, stalled or waiting says so to whoever reads its summary alone, and announces nothing
// else. What spec asks for counts once it was looked at.
func (c *contract) checkRest() {
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue || c.is(v1alpha1.ConditionReconciling) {
		return
	}
	c.require(ready.Reason != v1alpha1.ReasonProgressing, "nothing is tried, although Ready says %s", ready.Reason)
	c.require(c.kind.nextAttempt == nil || c.is(v1alpha1.ConditionStalled), "a next attempt is announced, and nothing is tried")
	suspended := meta.FindStatusCondition(c.all, v1alpha1.ConditionSuspended)
	if suspended == nil || !c.obj.GetDeletionTimestamp().IsZero() {
		return
	}
	c.require(suspended.Status != metav1.ConditionUnknown, "Suspended is Unknown; it must be True or False")
	c.require((suspended.Status == metav1.ConditionTrue) == (ready.Reason == v1alpha1.ReasonSuspended),
		"Suspended is %s, and Ready is False for the reason %s", suspended.Status, ready.Reason)
}

func (c *contract) checkObservedGeneration() {
	observed := *c.kind.observedGeneration
	if observed == nil {
		c.fail("status.observedGeneration is missing")
		return
	}
	c.require(*observed <= c.obj.GetGeneration(), "status.observedGeneration is ahead of the generation")
	c.require(*observed == -1 || *observed >= 1, "status.observedGeneration is %d, which is no generation", *observed)
	if suspended := meta.FindStatusCondition(c.all, v1alpha1.ConditionSuspended); suspended != nil && *observed == c.obj.GetGeneration() && c.obj.GetDeletionTimestamp().IsZero() {
		c.require((suspended.Status == metav1.ConditionTrue) == c.kind.suspended, "Suspended is %s, and spec.suspend is %t", suspended.Status, c.kind.suspended)
	}
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil || c.is(v1alpha1.ConditionReconciling) {
		return
	}
	c.require(*observed == ready.ObservedGeneration,
		"status.observedGeneration is %d although the reconciliation of generation %d came to an end", *observed, ready.ObservedGeneration)
}
