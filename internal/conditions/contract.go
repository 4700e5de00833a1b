package conditions

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// CheckContract returns where an object breaks the status contract, as sentences; empty means that it keeps it. Tests call it on every
// final object.
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

func (c *contract) checkCondition(condition metav1.Condition) {
	name := condition.Type
	c.require(condition.Reason != "", "%s has no reason", name)
	c.require(condition.Message != "", "%s has no message", name)
	c.require(utf8.RuneCountInString(condition.Message) <= maxMessage, "the message of %s exceeds %d characters", name, maxMessage)
	c.require(redact.Text(condition.Message) == condition.Message, "the message of %s holds something like a secret", name)
	c.require(!condition.LastTransitionTime.IsZero(), "%s has no transition time", name)
	c.require(condition.ObservedGeneration >= 1 && condition.ObservedGeneration <= c.obj.GetGeneration(),
		"%s has the observedGeneration %d, the object is at generation %d", name, condition.ObservedGeneration, c.obj.GetGeneration())
	if name == v1alpha1.ConditionReconciling || name == v1alpha1.ConditionStalled {
		c.require(condition.Status == metav1.ConditionTrue, "%s is %s; it must be True or absent", name, condition.Status)
	}
}

func (c *contract) checkSummary() {
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil {
		return
	}
	reconciling, stalled := c.is(v1alpha1.ConditionReconciling), c.is(v1alpha1.ConditionStalled)
	c.require(!reconciling || !stalled, "Reconciling and Stalled are both True")
	if c.is(v1alpha1.ConditionReady) {
		c.require(!reconciling && !stalled, "Ready is True beside Reconciling or Stalled")
		c.require(c.obj.GetDeletionTimestamp().IsZero(), "Ready is True on an object that is being deleted")
		c.require(!c.is(v1alpha1.ConditionSuspended), "Ready is True on a suspended object")
		for _, conditionType := range c.kind.gating {
			c.require(c.is(conditionType), "Ready is True although %s isn't", conditionType)
		}
	}
	for _, conditionType := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if summary := meta.FindStatusCondition(c.all, conditionType); summary != nil {
			c.require(ready.Reason == summary.Reason, "Ready and %s have different reasons", conditionType)
		}
	}
}

func (c *contract) checkObservedGeneration() {
	observed := *c.kind.observedGeneration
	if observed == nil {
		c.fail("status.observedGeneration is missing")
		return
	}
	c.require(ptr.Deref(observed, 0) <= c.obj.GetGeneration(), "status.observedGeneration is ahead of the generation")
	ready := meta.FindStatusCondition(c.all, v1alpha1.ConditionReady)
	if ready == nil || c.is(v1alpha1.ConditionReconciling) {
		return
	}
	c.require(*observed == ready.ObservedGeneration,
		"status.observedGeneration is %d although the reconciliation of generation %d came to an end", *observed, ready.ObservedGeneration)
}
