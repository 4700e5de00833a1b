package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

func TestAccountLimits(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	l := &accountLimits{now: func() time.Time { return now }}
	l.observe(meta.Usage{Object: "phone-1", Account: "waba-1"})
	l.observe(meta.Usage{Object: "phone-2", Account: "waba-2"})
	if l.wait("phone-1") != 0 {
		t.Error("an account that has calls left is held back")
	}
	l.observe(meta.Usage{Object: "waba-1", Account: "waba-1", Regain: time.Hour})
	for object, want := range map[string]time.Duration{"phone-1": time.Hour, "waba-1": time.Hour, "phone-2": 0, "waba-2": 0, "": 0} {
		if got := l.wait(object); got != want {
			t.Errorf("%q waits %s, want %s", object, got, want)
		}
	}
	now = now.Add(time.Hour)
	if got := l.wait("phone-1"); got != 0 {
		t.Errorf("after the hour phone-1 still waits %s", got)
	}
}

// TestThrottledAccountStopsNobodyElse uses up what Meta allows for one account in an hour.
func TestThrottledAccountStopsNobodyElse(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	code := c.signUp(t)
	cred := meta.Credential{Token: redact.New(c.systemToken)}
	graph := simClient(t)
	for range 200 {
		if _, err := graph.WABA(t.Context(), cred, c.wabaID); err != nil {
			t.Fatal(err)
		}
	}
	busy := c.request("busy")
	createSecret(t, c.namespace, "busy", map[string]string{v1alpha1.SecretKeyCode: code})
	create(t, busy)
	got := awaitCondition(t, busy, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonThrottled)
	if busy.Status.NextAttemptTime == nil || time.Until(busy.Status.NextAttemptTime.Time) < 30*time.Minute {
		t.Errorf("Meta says an hour, status.nextAttemptTime is %v (%s)", busy.Status.NextAttemptTime, got.Message)
	}
	refused := graphCalls(c.wabaID)

	other, phone, business := newID(), newID(), newID()
	addWorld(t, metasim.World{
		Businesses: []metasim.Business{{ID: business, Name: "Blue Door"}},
		WABAs: []metasim.WABA{{
			ID: other, Name: "Blue Door", Currency: "USD", OwnerBusinessID: business,
			PhoneNumbers: []metasim.PhoneNumber{{ID: phone, DisplayPhoneNumber: "+1 555-078-3000", VerifiedName: "Blue Door"}},
		}},
	})
	calm := c.request("calm")
	createSecret(t, c.namespace, "calm", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t, other)})
	create(t, calm)
	awaitReady(t, calm)

	// Asked again by a person, the busy account is still not called: the answer is known.
	update(t, busy, func() { busy.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "now"} })
	awaitCondition(t, busy, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonThrottled)
	if calls := graphCalls(c.wabaID); calls != refused {
		t.Errorf("%d more calls were made for an account that Meta refuses", calls-refused)
	}
}
