package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

func TestTestMessage(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) {
		r.Spec.TestMessage = &v1alpha1.TestMessage{To: "+15550100", Body: "Hello"}
	})
	const condition = v1alpha1.ConditionTestMessageSent
	got := awaitCondition(t, request, condition, metav1.ConditionFalse, v1alpha1.ReasonWaitingForTester)
	mustMention(t, got.Message, "+1 555-078-3881", "spec.testMessage.to")
	awaitReady(t, request)

	stub.test(request, serverapi.TestOutcome{State: serverapi.TestSent})
	awaitCondition(t, request, condition, metav1.ConditionUnknown, v1alpha1.ReasonProgressing)
	stub.test(request, serverapi.TestOutcome{State: serverapi.TestDelivered})
	awaitCondition(t, request, condition, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if n := stub.testsAsked(c.phoneID); n != 1 {
		t.Fatalf("one wish was made into %d messages", n)
	}
	// A change of something else is no wish for another message.
	update(t, request, func() { request.Spec.DeletionPolicy = v1alpha1.DeletionOffboard })
	awaitCondition(t, request, condition, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if n := stub.testsAsked(c.phoneID); n != 1 {
		t.Fatalf("a change of the deletion policy sent another message: %d", n)
	}

	stub.test(request, serverapi.TestOutcome{State: serverapi.TestFailed, Code: 131026, Reason: "undeliverable"})
	update(t, request, func() { request.Spec.TestMessage.Body = "Hello again" })
	got = awaitCondition(t, request, condition, metav1.ConditionFalse, v1alpha1.ReasonTestMessageFailed)
	mustMention(t, got.Message, "131026", "change spec.testMessage")
	// It never gates Ready.
	awaitReady(t, request)
	if n := stub.testsAsked(c.phoneID); n != 2 {
		t.Errorf("a changed message must be another one: %d", n)
	}
	stub.test(request, serverapi.TestOutcome{State: serverapi.TestDelivered})
	update(t, request, func() { request.Spec.TestMessage.To = "+15550101" })
	awaitCondition(t, request, condition, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if n := stub.testsAsked(c.phoneID); n != 3 {
		t.Errorf("another tester must get a message: %d", n)
	}
	update(t, request, func() { request.Spec.TestMessage = nil })
	awaitCondition(t, request, condition, metav1.ConditionTrue, v1alpha1.ReasonNotRequired)
}
