package halves

import (
	"context"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// rotating is a partner's app with a number, whose secret is rotated.
type rotating struct {
	*testing.T
	app                   *v1alpha1.MetaApp
	channel               *v1alpha1.WhatsAppChannel
	appID, token, phoneID string
	// before and after are the app's secrets; no two apps have the same.
	before, after string
	sent          []string
}

// newRotating makes app and channel, Ready. No other test has the same ids.
func newRotating(t *testing.T, name, digit string) *rotating {
	t.Helper()
	r := &rotating{T: t, appID: "4400000000" + digit, token: "EAAGrotating" + digit, phoneID: "6600000000" + digit}
	r.before, r.after = "secret-before-the-rotation-"+digit, "secret-after-the-rotation-"+digit
	business, waba := "5500000000"+digit, "7700000000"+digit
	if err := sim.Add(metasim.World{
		Apps:       []metasim.App{{ID: r.appID, Secret: r.before, Name: name, BusinessID: business}},
		Businesses: []metasim.Business{{ID: business, Name: name}},
		SystemUsers: []metasim.SystemUser{{
			ID: "1220000000" + digit, Name: name, AppID: r.appID, BusinessID: business, Token: r.token,
			Scopes: []string{"whatsapp_business_management", "whatsapp_business_messaging"},
		}},
		WABAs: []metasim.WABA{{
			ID: waba, Name: name, Currency: "USD", OwnerBusinessID: business,
			PhoneNumbers: []metasim.PhoneNumber{{ID: r.phoneID, DisplayPhoneNumber: "+1 555-078-410" + digit, VerifiedName: name, Registered: true}},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	secret(t, systemNamespace, name, map[string]string{v1alpha1.SecretKeyAppSecret: r.before})
	secret(t, tenantNamespace, name, map[string]string{v1alpha1.SecretKeyAccessToken: r.token})
	r.app = &v1alpha1.MetaApp{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MetaAppSpec{
		AppID: r.appID, SecretRef: v1alpha1.SecretReference{Name: name}, Webhook: v1alpha1.MetaAppWebhook{URL: "https://" + publicHost},
		AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "yes"}},
	}}
	create(t, r.app)
	r.channel = &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: name},
		Spec: v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{Direct: &v1alpha1.DirectSource{
			PhoneNumberID: r.phoneID, BusinessAccountID: waba, CredentialsSecretRef: v1alpha1.SecretReference{Name: name},
			MetaAppRef: &v1alpha1.MetaAppReference{Name: name},
		}}},
	}
	create(t, r.channel)
	awaitCondition(t, r.app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	awaitCondition(t, r.channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	return r
}

// write plays a customer, and waits until Meta has its 200.
func (r *rotating) write(text string) {
	r.Helper()
	sent, err := sim.SendText(metasim.DemoCustomer, r.phoneID, text)
	if err != nil {
		r.Fatal(err)
	}
	r.sent = append(r.sent, text)
	for _, id := range sent.Deliveries {
		d, err := sim.AwaitDelivery(r.Context(), id)
		if err != nil || d.LastStatus != 200 {
			r.Fatalf("Meta's delivery was answered with %d: %v", d.LastStatus, err)
		}
	}
}

// stored waits until exactly the messages that were sent, but for the last held, are in the store, and that many bodies in quarantine.
func (r *rotating) stored(held int) {
	r.Helper()
	want := r.sent[:len(r.sent)-held]
	await(r.T, func(ctx context.Context) error {
		got, err := texts(ctx, r.channel.Status.LineID)
		if err != nil {
			return err
		}
		entries, err := messages.QuarantineEntries(ctx, r.appID, 0, 100)
		if err != nil {
			return err
		}
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) || len(entries) != held {
			return fmt.Errorf("stored are %q, want %q; %d bodies are in quarantine, want %d", got, sorted, len(entries), held)
		}
		return nil
	})
}

// TestAppSecretRotationLosesNothing rotates an app's secret at Meta and in the cluster, in either order, while customers write. What is
// signed with a secret that the server doesn't have yet waits in quarantine, and lands when the manager has proven and projected it.
func TestAppSecretRotationLosesNothing(t *testing.T) {
	change := func(r *rotating) {
		secret(r.T, systemNamespace, r.app.Name, map[string]string{v1alpha1.SecretKeyAppSecret: r.after, v1alpha1.SecretKeyPreviousAppSecret: r.before})
	}
	rotate := func(r *rotating) {
		if err := sim.SetAppSecret(r.appID, r.after); err != nil {
			r.Fatal(err)
		}
	}
	halfway := func(r *rotating) {
		awaitCondition(r.T, r.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonAppSecretInvalid)
	}
	t.Run("Meta first", func(t *testing.T) {
		r := newRotating(t, "meta-first", "1")
		r.write("before")
		r.stored(0)
		rotate(r)
		r.write("signed with a secret that nobody here has")
		r.write("and another one")
		r.stored(2)
		halfway(r)
		r.write("also when the app is known to be unhealthy")
		r.stored(3)
		change(r)
		r.stored(0)
		awaitCondition(t, r.app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		awaitCondition(t, r.channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		r.write("after")
		r.stored(0)
	})
	t.Run("cluster first", func(t *testing.T) {
		r := newRotating(t, "cluster-first", "2")
		r.write("before")
		r.stored(0)
		change(r)
		halfway(r)
		r.write("still signed with the old one")
		r.stored(0)
		rotate(r)
		r.write("signed with the new one")
		r.stored(0)
		awaitCondition(t, r.app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		r.write("after")
		r.stored(0)
	})
}
