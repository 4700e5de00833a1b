package conditions

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// maxMessage bounds a message in runes: an operator reads it on a terminal at night.
const maxMessage = 1024

// Set is the conditions of one object while they are computed. It remembers what the object had, so that what doesn't change keeps its
// transition time. Make one with New.
type Set struct {
	kind       kind
	generation int64
	old        []metav1.Condition
	now        metav1.Time
	next       []metav1.Condition
	// complete is whether the reconciliation came to an end for this generation: Ready, Stalled or waiting.
	complete bool
}

// New starts a Set for a MetaApp, an OnboardingRequest or a WhatsAppChannel. It panics for another type, which is a programming error.
func New(obj client.Object, now metav1.Time) *Set {
	k, err := kindOf(obj)
	if err != nil {
		panic(err)
	}
	return &Set{kind: k, generation: obj.GetGeneration(), old: slices.Clone(*k.conditions), now: now}
}

// True sets a condition to True.
func (s *Set) True(conditionType, reason, message string) {
	s.put(conditionType, metav1.ConditionTrue, reason, message)
}

// False sets a condition to False.
func (s *Set) False(conditionType, reason, message string) {
	s.put(conditionType, metav1.ConditionFalse, reason, message)
}

// Unknown sets a condition to Unknown.
func (s *Set) Unknown(conditionType, reason, message string) {
	s.put(conditionType, metav1.ConditionUnknown, reason, message)
}

// Keep leaves conditions as they were: a step that was not looked at this time. What was never set is Unknown with reason Pending.
func (s *Set) Keep(conditionTypes ...string) {
	for _, conditionType := range conditionTypes {
		if old := meta.FindStatusCondition(s.old, conditionType); old != nil {
			s.next = append(slices.DeleteFunc(s.next, typed(conditionType)), *old)
			continue
		}
		s.Unknown(conditionType, v1alpha1.ReasonPending, "Not looked at yet.")
	}
}

// KeepAll leaves everything as it was, the summary included: nothing was looked at. True, False and Unknown may follow for conditions
// that don't gate Ready.
func (s *Set) KeepAll() {
	s.next = slices.Clone(s.old)
	s.complete = false
}

// MarkReady sums up: everything that gates Ready is in place.
func (s *Set) MarkReady(reason, message string) {
	s.sumUp(metav1.ConditionTrue, reason, message, true)
}

// MarkStalled sums up: only a change made by a person can help. The reason and the message say which.
func (s *Set) MarkStalled(reason, message string) {
	s.sumUp(metav1.ConditionFalse, reason, message, true)
	s.True(v1alpha1.ConditionStalled, reason, message)
}

// MarkWaiting sums up: nothing is wrong, and nothing happens until the person does what the message says, or spec.suspend is lifted.
func (s *Set) MarkWaiting(reason, message string) {
	s.sumUp(metav1.ConditionFalse, reason, message, true)
}

// MarkReconciling sums up: the operator works, or will try again by itself.
func (s *Set) MarkReconciling(reason, message string) {
	s.sumUp(metav1.ConditionFalse, reason, message, false)
	s.True(v1alpha1.ConditionReconciling, reason, message)
}

// Old returns a condition as the object had it, nil if it had none.
func (s *Set) Old(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.old, conditionType)
}

// IsTrue says whether a condition was set, or kept, as True.
func (s *Set) IsTrue(conditionType string) bool {
	return meta.IsStatusConditionTrue(s.next, conditionType)
}

// Write puts the conditions into the object, in the kind's order, each of the kind's types present, and advances observedGeneration if
// the reconciliation came to an end. It panics if none of the Mark methods was called.
func (s *Set) Write() {
	if meta.FindStatusCondition(s.next, v1alpha1.ConditionReady) == nil {
		panic(fmt.Sprintf("conditions of a %s were written without being summed up", s.kind.name))
	}
	for _, conditionType := range s.kind.always() {
		if meta.FindStatusCondition(s.next, conditionType) == nil {
			s.Keep(conditionType)
		}
	}
	order := s.kind.order()
	slices.SortStableFunc(s.next, func(a, b metav1.Condition) int {
		return slices.Index(order, a.Type) - slices.Index(order, b.Type)
	})
	*s.kind.conditions = s.next
	if s.complete {
		*s.kind.observedGeneration = new(s.generation)
	}
}

func (s *Set) sumUp(ready metav1.ConditionStatus, reason, message string, complete bool) {
	s.complete = complete
	s.next = slices.DeleteFunc(s.next, typed(v1alpha1.ConditionStalled))
	s.next = slices.DeleteFunc(s.next, typed(v1alpha1.ConditionReconciling))
	s.put(v1alpha1.ConditionReady, ready, reason, message)
}

func (s *Set) put(conditionType string, status metav1.ConditionStatus, reason, message string) {
	c := metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: shorten(message),
		ObservedGeneration: s.generation, LastTransitionTime: s.now,
	}
	if old := meta.FindStatusCondition(s.old, conditionType); old != nil && old.Status == status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	s.next = append(slices.DeleteFunc(s.next, typed(conditionType)), c)
}

func typed(conditionType string) func(metav1.Condition) bool {
	return func(c metav1.Condition) bool { return c.Type == conditionType }
}

func shorten(message string) string {
	runes := []rune(message)
	if len(runes) <= maxMessage {
		return message
	}
	return string(runes[:maxMessage-1]) + "…"
}
