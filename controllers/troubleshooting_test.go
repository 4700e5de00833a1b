package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// TestTroubleshooting goes through what businesses run into when they connect a number by hand, in the words in which such guides put it,
// and holds the condition's message against the remedy that a guide would give. The message alone must do.
func TestTroubleshooting(t *testing.T) {
	for _, tc := range []struct {
		// symptom is the business's, remedy what a guide tells it to do.
		symptom, remedy string
		spoil           func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel, secret map[string]string)
		// then happens once the channel waits for its webhook.
		then              func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel)
		condition, reason string
		status            metav1.ConditionStatus
		says              []string
	}{
		{
			symptom: "app_secret not configured", remedy: "copy the app secret from App Settings, Basic",
			spoil:     without(v1alpha1.SecretKeyAppSecret),
			condition: v1alpha1.ConditionCredentialsValid, reason: v1alpha1.ReasonAppSecretNotConfigured,
			says: []string{"app-secret", "App Dashboard (App settings, Basic", "Show", fieldCredentials},
		},
		{
			symptom: "webhook verification failed in Meta",
			remedy:  "copy the verify token again; see that the callback URL is right, starts with https:// and is publicly accessible",
			then: func(t *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel) {
				t.Helper()
				stub.report(serverapi.Report{Kind: serverapi.KindVerifyTokenMismatch})
			},
			condition: v1alpha1.ConditionWebhookVerified, reason: v1alpha1.ReasonVerifyTokenMismatch,
			says: []string{"copy the verify token again", "exactly", "status.callbackURL", "https://", "reachable from the internet", "Verify and save"},
		},
		{
			symptom: "test connection: invalid access token", remedy: "generate a permanent token through System Users",
			spoil: func(t *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				t.Helper()
				secret[v1alpha1.SecretKeyAccessToken] = newSecret("EAAdead")
			},
			condition: v1alpha1.ConditionCredentialsValid, reason: v1alpha1.ReasonInvalidAccessToken,
			says: []string{"Invalid access token", "expired", "permanent", "System users", "access-token"},
		},
		{
			symptom: "there is no access token yet", remedy: "Business Settings, System Users, Generate Token",
			spoil:     without(v1alpha1.SecretKeyAccessToken),
			condition: v1alpha1.ConditionCredentialsValid, reason: v1alpha1.ReasonSecretKeyMissing,
			says: []string{"access-token", "permanent", "Meta Business Settings (System users)"},
		},
		{
			symptom: "test connection: phone number not found", remedy: "double-check the phone number id",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.PhoneNumberID = newID()
			},
			condition: v1alpha1.ConditionPhoneConnected, reason: v1alpha1.ReasonPhoneNumberNotFound,
			says: []string{"Phone number not found", "double-check spec.source.direct.phoneNumberID"},
		},
		{
			symptom: "test connection: token appears to be masked", remedy: "enter the full token, not the masked one of the dashboard",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				secret[v1alpha1.SecretKeyAccessToken] = "EAAG••••4f2a"
			},
			condition: v1alpha1.ConditionCredentialsValid, reason: v1alpha1.ReasonTokenMasked, says: []string{"appears to be masked", "full value", "access-token"},
		},
		{
			symptom: "messages don't appear: the field is not subscribed", remedy: "subscribe to the messages field of the webhook",
			then: func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel) {
				t.Helper()
				d.configure(t, channel, channel.Status.CallbackURL, "account_update")
			},
			condition: v1alpha1.ConditionWebhookSubscribed, reason: v1alpha1.ReasonNotSubscribedToMessages,
			says: []string{"field messages", "click Subscribe", "WhatsApp, Configuration"},
		},
		{
			symptom: "messages don't appear: the token of the Getting Started page dies within a day", remedy: "use a permanent System User token",
			spoil: func(t *testing.T, d *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				t.Helper()
				token := newSecret("EAAtemporary")
				addWorld(t, metasim.World{SystemUsers: []metasim.SystemUser{{
					ID: newID(), Name: "person", AppID: d.appID, BusinessID: businessOf(t, d.appID), Token: token, Scopes: tokenScopes, Temporary: true,
					ExpiresAt: time.Now().Add(23 * time.Hour).Unix(),
				}}})
				secret[v1alpha1.SecretKeyAccessToken] = token
			},
			condition: v1alpha1.ConditionCredentialsValid, reason: v1alpha1.ReasonTokenExpiring, status: metav1.ConditionTrue,
			says: []string{"temporary", "dies within a day", "permanent", "System users"},
		},
		{
			symptom: "messages don't appear: the subscription is not active", remedy: "check that the plan is active",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Plan.Active = new(false)
			},
			condition: v1alpha1.ConditionAssistantReady, reason: v1alpha1.ReasonSubscriptionInactive, says: []string{"spec.plan.active is false", "Set it to true"},
		},
		{
			symptom: "messages don't appear: the number was connected in another environment", remedy: "look where it was connected",
			then: func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel) {
				t.Helper()
				d.configure(t, channel, "https://"+elsewhereHost+CallbackPath, "messages")
			},
			condition: v1alpha1.ConditionWebhookSubscribed, reason: v1alpha1.ReasonConnectedElsewhere,
			says: []string{"another URL", "enter " + publicURL, "spec.webhook.takeOver"},
		},
		{
			symptom: "the assistant doesn't answer: it is off", remedy: "make sure that it is enabled",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Assistant.Enabled = new(false)
			},
			condition: v1alpha1.ConditionAssistantReady, reason: v1alpha1.ReasonAssistantDisabled, says: []string{"spec.assistant.enabled is false", "Set it to true"},
		},
		{
			symptom: "the assistant doesn't answer: the plan's limit of messages is exceeded", remedy: "verify that the limits are not exceeded",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Limits = &v1alpha1.LimitsSpec{MessagesPerMonth: new(int64(500))}
			},
			then: func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel) {
				t.Helper()
				stub.report(serverapi.Report{
					Kind: serverapi.KindLimitReached, Time: time.Now(), PhoneNumberID: d.phoneNumberID, LineID: channel.Status.LineID,
					Detail: serverapi.Detail{Limit: &serverapi.Limit{Limit: "MessagesPerMonth"}},
				})
			},
			condition: v1alpha1.ConditionAssistantReady, reason: v1alpha1.ReasonLimitReached,
			says: []string{"spec.limits.messagesPerMonth (500) is used up until", "raise the limit", "handed to people"},
		},
	} {
		t.Run(tc.symptom, func(t *testing.T) {
			t.Parallel()
			d := newDirectNumber(t)
			ns := newNamespace(t, labelDirect)
			channel, secret := d.channel(ns, "shop"), d.credentials()
			if tc.spoil != nil {
				tc.spoil(t, &d, channel, secret)
			}
			createSecret(t, ns, "credentials", secret)
			create(t, channel)
			if tc.then != nil {
				awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSubscribedToMessages)
				tc.then(t, &d, channel)
			}
			status := tc.status
			if status == "" {
				status = metav1.ConditionFalse
			}
			// The reason may have been there before for something else.
			await(t, func(context.Context) error {
				got := awaitCondition(t, channel, tc.condition, status, tc.reason)
				for _, word := range tc.says {
					if !strings.Contains(got.Message, word) {
						return fmt.Errorf("a guide would say to %s; the message does not mention %q: %s", tc.remedy, word, got.Message)
					}
				}
				return nil
			})
		})
	}
}

// without leaves a key out of the Secret.
func without(key string) func(*testing.T, *directNumber, *v1alpha1.WhatsAppChannel, map[string]string) {
	return func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
		delete(secret, key)
	}
}
