package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// TestHoldIsShownUntilTheNumberCanSend puts a number's sends on hold. Nothing but the webhook-server's list tells when they go on: neither a
// report nor what the manager remembers.
func TestHoldIsShownUntilTheNumberCanSend(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) { c.Spec.Assistant.Enabled = new(false) })
	connect(t, d, channel)
	line := channel.Status.LineID
	t.Cleanup(func() { stub.park(line, "", time.Time{}) })
	since := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	stub.park(line, "PaymentRequired", since)

	// Whatever else AssistantReady would say: people can't send either.
	held := awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonPaymentRequired)
	mustMention(t, held.Message, "Nothing is sent since "+since.Format(timeShown), "nor by people", d.wabaID, "payment method", "wait meanwhile", "ten minutes")
	// Ready says it, too, for those who look at the list; what is wrong is not the connection.
	ready := awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPaymentRequired)
	if ready.Message != held.Message {
		t.Errorf("Ready says something else: %s", ready.Message)
	}

	// A try that is refused again puts the line on hold anew; for the person who reads the status nothing has changed.
	written := channel.ResourceVersion
	stub.park(line, "", time.Time{})
	looks := graphCalls(d.phoneNumberID, "get_phone")
	stub.report(serverapi.Report{Kind: serverapi.KindLineResumed, PhoneNumberID: d.phoneNumberID, LineID: line})
	stub.park(line, "PaymentRequired", time.Now())
	stub.report(serverapi.Report{Kind: serverapi.KindLineParked, PhoneNumberID: d.phoneNumberID, LineID: line, Detail: serverapi.Detail{Graph: &serverapi.Graph{Reason: "PaymentRequired"}}})
	await(t, func(context.Context) error {
		if graphCalls(d.phoneNumberID, "get_phone") == looks {
			return fmt.Errorf("Meta was not read after the report")
		}
		return nil
	})
	awaitPulls(t, 2)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(channel), channel); err != nil {
		t.Fatal(err)
	}
	if channel.ResourceVersion != written || !channel.Status.SendsOnHold.Since.Time.Equal(since) {
		t.Errorf("the status was written again, and says %+v", channel.Status.SendsOnHold)
	}

	stub.park(line, "InvalidAccessToken", time.Now())
	held = awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidAccessToken)
	mustMention(t, held.Message, "access-token", channel.Namespace+"/credentials")

	stub.park(line, "", time.Time{})
	awaitReady(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonAssistantDisabled)
	if channel.Status.SendsOnHold != nil {
		t.Errorf("status.sendsOnHold is still %+v", channel.Status.SendsOnHold)
	}
}

// TestSuspendedChannelShowsHold: the manager does nothing for it, and its traffic goes on.
func TestSuspendedChannelShowsHold(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	line := channel.Status.LineID
	t.Cleanup(func() { stub.park(line, "", time.Time{}) })
	update(t, channel, func() { channel.Spec.Suspend = new(true) })
	awaitCondition(t, channel, v1alpha1.ConditionSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	stub.park(line, "NotRegistered", time.Now())
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonNotRegistered)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	stub.park(line, "", time.Time{})
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
}

// TestHoldsSayWhatToDo: for each reason, and either source of a channel.
func TestHoldsSayWhatToDo(t *testing.T) {
	const account = "102290129340398"
	direct := v1alpha1.ChannelSource{Direct: &v1alpha1.DirectSource{CredentialsSecretRef: v1alpha1.SecretReference{Name: "credentials"}}}
	request := v1alpha1.ChannelSource{OnboardingRequestRef: &v1alpha1.ObjectReference{Name: "bakery"}}
	for _, tc := range []struct {
		reason string
		source v1alpha1.ChannelSource
		says   []string
	}{
		{v1alpha1.ReasonPaymentRequired, direct, []string{account, "131042", "payment method in WhatsApp Manager"}},
		{v1alpha1.ReasonPaymentRequired, request, []string{account, "CreditShared of the OnboardingRequest bakery"}},
		{v1alpha1.ReasonInvalidAccessToken, direct, []string{"shop/credentials", "as soon as there is another token"}},
		{v1alpha1.ReasonInvalidAccessToken, request, []string{"OnboardingRequest bakery", "sign up again"}},
		{v1alpha1.ReasonPermissionDenied, direct, []string{account, "whatsapp_business_messaging", "shop/credentials"}},
		{v1alpha1.ReasonPermissionDenied, request, []string{account, "OnboardingRequest bakery"}},
		{v1alpha1.ReasonNotRegistered, direct, []string{"WhatsApp Manager (Phone numbers)", "register it"}},
		{v1alpha1.ReasonNotRegistered, request, []string{v1alpha1.RequestedAtAnnotation, "OnboardingRequest bakery"}},
		{"SomethingOfALaterServer", direct, []string{"webhook-server's log"}},
	} {
		channel := &v1alpha1.WhatsAppChannel{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}
		channel.Spec.Source = tc.source
		channel.Status.BusinessAccountID = account
		s := &channelScope{channel: channel, now: metav1.Now()}
		if reason, message := s.holdProblem(); reason != "" || message != "" {
			t.Errorf("a number that can send has the problem %s: %s", reason, message)
		}
		s.news.hold = &serverapi.ParkedLine{Reason: tc.reason}
		s.recordHold()
		reason, message := s.holdProblem()
		if reason != tc.reason || len(message) > 1024 {
			t.Errorf("the problem of %s is %s, and its message has %d characters", tc.reason, reason, len(message))
		}
		mustMention(t, message, append(tc.says, "Nothing is sent since "+s.now.UTC().Format(timeShown), "nor by people")...)
	}
}

// awaitPulls waits until the webhook-server was asked that many times more which lines are on hold.
func awaitPulls(t *testing.T, times int) {
	t.Helper()
	before := stub.asks()
	await(t, func(context.Context) error {
		if n := stub.asks() - before; n < times {
			return fmt.Errorf("%d pulls, want %d", n, times)
		}
		return nil
	})
}
