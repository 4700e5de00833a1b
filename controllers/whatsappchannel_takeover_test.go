package controllers

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// elsewhereURL is another callback that answers handshakes: somebody else's bot.
const elsewhereURL = "https://" + elsewhereHost + CallbackPath

// ownWebhook reads the webhook setting of a number that overrides all others.
func ownWebhook(t *testing.T, token, phoneNumberID string) string {
	t.Helper()
	set, err := simClient(t).PhoneWebhook(t.Context(), meta.Credential{Token: redact.New(token)}, phoneNumberID)
	if err != nil {
		t.Fatal(err)
	}
	return set.PhoneNumber
}

func simClient(t *testing.T) *meta.Client {
	t.Helper()
	graph, err := meta.New(meta.Config{BaseURL: sim.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(graph.CloseIdleConnections)
	return graph
}

func setTakeOver(t *testing.T, channel *v1alpha1.WhatsAppChannel, wish bool) {
	t.Helper()
	update(t, channel, func() { channel.Spec.Webhook.TakeOver = new(wish) })
}

// TestTakeOver points a number's own setting here, and nothing else, and takes it back.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(t *testing.T) (channel *v1alpha1.WhatsAppChannel, token, phoneNumberID string)
	}{
		{"the business's own app goes elsewhere", func(t *testing.T) (*v1alpha1.WhatsAppChannel, string, string) {
			t.Helper()
			d := newDirectNumber(t, func(app *metasim.App) {
				app.Subscription = &metasim.AppSubscription{CallbackURL: "https://elsewhere.example/hook", Fields: []string{"messages"}}
			})
			ns := newNamespace(t, labelDirect)
			createSecret(t, ns, "credentials", d.credentials())
			channel := d.channel(ns, "shop")
			create(t, channel)
			return channel, d.token, d.phoneNumberID
		}},
		{"somebody set the number's own webhook", func(t *testing.T) (*v1alpha1.WhatsAppChannel, string, string) {
			t.Helper()
			d, channel := newDirectChannel(t, nil)
			connect(t, d, channel)
			verify := verifyTokenOf(t, channel)
			override := meta.CallbackOverride{URI: elsewhereURL, VerifyToken: redact.New(verify)}
			if err := simClient(t).OverridePhoneWebhook(t.Context(), meta.Credential{Token: redact.New(d.token)}, d.phoneNumberID, override); err != nil {
				t.Fatal(err)
			}
			return channel, d.token, d.phoneNumberID
		}},
		{"so did somebody with a partner's number", func(t *testing.T) (*v1alpha1.WhatsAppChannel, string, string) {
			t.Helper()
			c := newCustomer(t, nil)
			request := c.onboard(t, "shop", nil)
			awaitReady(t, request)
			token, _ := entryOf(t, request).Current()
			secret := &corev1.Secret{}
			if err := admin.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: verifyTokenSecret(c.app)}, secret); err != nil {
				t.Fatal(err)
			}
			override := meta.CallbackOverride{URI: elsewhereURL, VerifyToken: redact.New(known.Secret(string(secret.Data[v1alpha1.SecretKeyVerifyToken])))}
			if err := simClient(t).OverridePhoneWebhook(t.Context(), meta.Credential{Token: token}, c.phoneID, override); err != nil {
				t.Fatal(err)
			}
			channel := requestChannel(c.namespace, "shop", "shop")
			create(t, channel)
			return channel, token.Reveal(), c.phoneID
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			channel, token, phone := tc.make(t)
			update(t, channel, func() { channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "1"} })
			got := awaitCondition(t, channel, v1alpha1.ConditionWebhookSubscribed, metav1.ConditionFalse, v1alpha1.ReasonConnectedElsewhere)
			mustMention(t, got.Message, "spec.webhook.takeOver")
			before := ownWebhook(t, token, phone)

			setTakeOver(t, channel, true)
			awaitReady(t, channel)
			if set := ownWebhook(t, token, phone); set != publicURL+CallbackPath {
				t.Errorf("the number's own webhook is %q", set)
			}
			calls := graphCalls(phone, "update_phone")
			update(t, channel, func() { channel.Annotations[v1alpha1.RequestedAtAnnotation] = "2" })
			awaitHandled(t, channel, "2")
			if again := graphCalls(phone, "update_phone"); again != calls {
				t.Errorf("a number that was taken over was taken over again, by %d calls", again-calls)
			}

			setTakeOver(t, channel, false)
			await(t, func(context.Context) error {
				if set := ownWebhook(t, token, phone); set != "" {
					return fmt.Errorf("the number's own webhook is still %q", set)
				}
				return nil
			})
			if before == "" {
				// Nothing but the app's callback is left.
				awaitCondition(t, channel, v1alpha1.ConditionWebhookSubscribed, metav1.ConditionFalse, v1alpha1.ReasonConnectedElsewhere)
			} else {
				awaitReady(t, channel)
			}
		})
	}
}

// TestDeletionGivesTheNumberBack deletes a channel that took its number over.
func TestDeletionGivesTheNumberBack(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t, func(app *metasim.App) {
		app.Subscription = &metasim.AppSubscription{CallbackURL: "https://elsewhere.example/hook", Fields: []string{"messages"}}
	})
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	channel.Spec.Webhook.TakeOver = new(true)
	create(t, channel)
	awaitReady(t, channel)
	remove(t, channel)
	if set := ownWebhook(t, d.token, d.phoneNumberID); set != "" {
		t.Errorf("after the deletion the number's own webhook is %q", set)
	}
}

// verifyTokenOf reads the verify token that a direct channel shows.
func verifyTokenOf(t *testing.T, channel *v1alpha1.WhatsAppChannel) string {
	t.Helper()
	secret := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: channel.Namespace, Name: channel.Status.VerifyTokenSecretRef.Name}, secret); err != nil {
		t.Fatal(err)
	}
	return known.Secret(string(secret.Data[channel.Status.VerifyTokenSecretRef.Key]))
}
