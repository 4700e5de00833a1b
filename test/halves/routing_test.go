package halves

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// TestFromWebhookToCondition leads a channel of a business's own app from its set-up in the App Dashboard, with a mistyped verify token at
// first, to the day on which Meta routes its chats to another responder, and back.
func TestFromWebhookToCondition(t *testing.T) {
	secret(t, tenantNamespace, "bakery", map[string]string{
		v1alpha1.SecretKeyAccessToken: sim.SystemToken(metasim.DemoDirectSystemUser), v1alpha1.SecretKeyAppSecret: sim.AppSecret(metasim.DemoDirectAppID),
	})
	channel := &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: "bakery"},
		Spec: v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{Direct: &v1alpha1.DirectSource{
			PhoneNumberID: metasim.DemoDirectPhone, BusinessAccountID: metasim.DemoDirectWABA, CredentialsSecretRef: v1alpha1.SecretReference{Name: "bakery"},
		}}},
	}
	create(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForWebhook)
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
			return err
		}
		if channel.Status.VerifyTokenSecretRef == nil || channel.Status.CallbackURL == "" {
			return fmt.Errorf("there is nothing to enter yet: %+v", channel.Status.Conditions)
		}
		return nil
	})
	kept := &corev1.Secret{}
	ref := channel.Status.VerifyTokenSecretRef
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: tenantNamespace, Name: ref.Name}, kept); err != nil {
		t.Fatal(err)
	}
	token := string(kept.Data[ref.Key])
	enter := func(token string) error {
		return sim.ConfigureWebhook(t.Context(), metasim.DemoDirectAppID, metasim.AppSubscription{CallbackURL: channel.Status.CallbackURL, VerifyToken: token, Fields: []string{"messages", "standby"}})
	}
	if enter(token[:len(token)-1]) == nil {
		t.Fatal("a verify token that lacks its end was accepted")
	}
	mentions(t, awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionFalse, v1alpha1.ReasonVerifyTokenMismatch),
		"copy the verify token again", "status.verifyTokenSecretRef", "https://")
	await(t, func(context.Context) error { return enter(token) })
	awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)

	say := func(text string, standby bool) {
		t.Helper()
		_, err := sim.Send(metasim.InboundMessage{From: metasim.DemoCustomer, PhoneNumberID: metasim.DemoDirectPhone, Text: text, Standby: standby})
		if err != nil {
			t.Fatal(err)
		}
		await(t, func(ctx context.Context) error {
			all, err := texts(ctx, channel.Status.LineID)
			if err == nil && !strings.Contains(strings.Join(all, "\n"), text) {
				err = fmt.Errorf("%q is not stored yet: %q", text, all)
			}
			return err
		})
	}
	say("Do you deliver?", false)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
	say("Hello, robot of Meta's", true)
	mentions(t, awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonRoutedToStandby),
		"another responder", "Meta Business Suite", "not answered")
	if channel.Status.Traffic == nil || channel.Status.Traffic.LastStandbyAt == nil {
		t.Errorf("status.traffic does not say when copies came: %+v", channel.Status.Traffic)
	}
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	say("Are you back?", false)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
	if channel.Status.Traffic.LastStandbyAt != nil {
		t.Errorf("status.traffic still says that copies are all that comes: %+v", channel.Status.Traffic)
	}
}

// mentions fails unless a message holds all of the words.
func mentions(t *testing.T, message string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("the message does not mention %q: %s", word, message)
		}
	}
}
