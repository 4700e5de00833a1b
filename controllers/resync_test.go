package controllers

import (
	"context"
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// TestResyncsSubscribeOnce onboards two numbers of one account at the same moment, with a channel for each, and makes all four objects look
// again, at once and over and over: the account's webhooks are subscribed by one call, whoever makes it.
func TestResyncsSubscribeOnce(t *testing.T) {
	t.Parallel()
	const rounds, objects = 25, 4
	first := newCustomer(t, func(_ *v1alpha1.MetaApp, waba *metasim.WABA) {
		waba.PhoneNumbers = append(waba.PhoneNumbers, metasim.PhoneNumber{ID: newID(), DisplayPhoneNumber: "+1 555-078-3882", VerifiedName: "Lucky Shrub Seeds"})
	})
	second := *first
	second.phoneID = otherNumber(t, first)
	var watched [objects]client.Object
	for i, c := range []*customer{first, &second} {
		name := fmt.Sprintf("number-%d", i)
		request := c.onboard(t, name, func(r *v1alpha1.OnboardingRequest) { r.Spec.PhoneNumberID = c.phoneID })
		channel := requestChannel(c.namespace, name, name)
		create(t, channel)
		watched[2*i], watched[2*i+1] = request, channel
	}
	for _, obj := range watched {
		awaitReady(t, obj)
	}
	reads := graphCalls(first.wabaID, "list_subscribed_apps")
	for round := range rounds {
		wish := fmt.Sprintf("round-%d", round)
		for _, obj := range watched {
			update(t, obj, func() { obj.SetAnnotations(map[string]string{v1alpha1.RequestedAtAnnotation: wish}) })
		}
		for _, obj := range watched {
			await(t, func(ctx context.Context) error {
				if err := admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
					return err
				}
				if handled := lastHandled(obj); handled != wish {
					return fmt.Errorf("%T %s has handled %q, want %q", obj, obj.GetName(), handled, wish)
				}
				return nil
			})
		}
	}
	for _, obj := range watched {
		awaitReady(t, obj)
	}
	if n := graphCalls(first.wabaID, "list_subscribed_apps") - reads; n < rounds*objects {
		t.Errorf("%d resyncs read the account's subscriptions %d times", rounds*objects, n)
	}
	if n := graphCalls(first.wabaID, "subscribe"); n != 1 {
		t.Errorf("the account was subscribed %d times", n)
	}
	if n := graphCalls(first.creditLineID, "credit_share_and_attach"); n != 1 {
		t.Errorf("the credit line was shared %d times with one account", n)
	}
	if a, b := graphCalls(first.phoneID, "register"), graphCalls(second.phoneID, "register"); a != 1 || b != 1 {
		t.Errorf("the numbers were registered %d and %d times", a, b)
	}
}

// otherNumber is the number of the customer's account that isn't the customer's own.
func otherNumber(t *testing.T, c *customer) string {
	t.Helper()
	for _, waba := range sim.World(false).WABAs {
		for _, phone := range waba.PhoneNumbers {
			if waba.ID == c.wabaID && phone.ID != c.phoneID {
				return phone.ID
			}
		}
	}
	t.Fatal("the account has one number only")
	return ""
}

func lastHandled(obj client.Object) string {
	switch o := obj.(type) {
	case *v1alpha1.OnboardingRequest:
		return o.Status.LastHandledReconcileAt
	case *v1alpha1.WhatsAppChannel:
		return o.Status.LastHandledReconcileAt
	default:
		return ""
	}
}
