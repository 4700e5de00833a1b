package controllers

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// TestSuspendedRequestRestsWhateverIsWrong: its status says that it is suspended, and what is wrong when it no longer is.
func TestSuspendedRequestRestsWhateverIsWrong(t *testing.T) {
	w := newExchangeWorld(t)
	taken := secretOf(systemNamespace, w.key.SecretName(), map[string]string{"note": "Somebody else's."})
	if err := w.objects.Create(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	suspend := func(suspended bool) {
		w.request.Spec.Suspend = &suspended
		w.request.Generation++
		if err := w.objects.Update(t.Context(), w.request); err != nil {
			t.Fatal(err)
		}
	}
	look := func() *v1alpha1.OnboardingRequestStatus {
		key := client.ObjectKeyFromObject(w.request)
		if _, err := w.leader(&mortal{Client: w.objects}).Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if err := w.objects.Get(t.Context(), key, w.request); err != nil {
			t.Fatal(err)
		}
		assertStatusContract(t, w.request)
		return &w.request.Status
	}
	is := func(conditionType string, status metav1.ConditionStatus, reason string) {
		t.Helper()
		for _, c := range w.request.Status.Conditions {
			if c.Type == conditionType && c.Status == status && c.Reason == reason {
				return
			}
		}
		t.Errorf("want %s=%s/%s, it has\n%s", conditionType, status, reason, describe(w.request))
	}
	suspend(true)
	if status := look(); status.NextAttemptTime != nil || status.Failures != nil {
		t.Errorf("%v failures are counted, and %v is announced as the next attempt", status.Failures, status.NextAttemptTime)
	}
	is(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	is(v1alpha1.ConditionSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	suspend(false)
	look()
	is(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonVaultConflict)
	is(v1alpha1.ConditionSuspended, metav1.ConditionFalse, v1alpha1.ReasonActive)
	// Of a token that can't be read nothing is known to be done, or not needed.
	for _, step := range []string{v1alpha1.ConditionWebhooksSubscribed, v1alpha1.ConditionCreditShared, v1alpha1.ConditionPhoneRegistered} {
		is(step, metav1.ConditionUnknown, v1alpha1.ReasonPending)
	}
}

// TestSuspendedChannelAnnouncesNoAttempt: of a channel that failed and was suspended then.
func TestSuspendedChannelAnnouncesNoAttempt(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	if _, err := sim.AddFault(metasim.Fault{ObjectID: d.phoneNumberID, Count: -1, Action: "http_status", Status: 503}); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
			return err
		}
		if channel.Status.NextAttemptTime == nil {
			return errors.New("no next attempt is announced")
		}
		return nil
	})
	update(t, channel, func() { channel.Spec.Suspend = new(true) })
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	if at := channel.Status.NextAttemptTime; at != nil {
		t.Errorf("a suspended channel announces an attempt at %s", at)
	}
}
