package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// firstLook lets a leader look at a request that it has never seen.
func (w *exchangeWorld) firstLook() (after time.Duration) {
	w.t.Helper()
	res, err := w.leader(&mortal{Client: w.objects}).Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)})
	if err == nil {
		err = w.objects.Get(w.t.Context(), client.ObjectKeyFromObject(w.request), w.request)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if !controllerutil.ContainsFinalizer(w.request, v1alpha1.Finalizer) {
		w.t.Error("the first look left no finalizer")
	}
	return res.RequeueAfter
}

// TestFirstLookWaitsForTheExchange: a thousand requests that are applied together get one status each, not two.
func TestFirstLookWaitsForTheExchange(t *testing.T) {
	w := newExchangeWorld(t)
	if after := w.firstLook(); after != exchangeHeadStart || len(w.request.Status.Conditions) != 0 {
		t.Errorf("it comes again after %s, and wrote %d conditions", after, len(w.request.Status.Conditions))
	}
}

// TestFirstLookShowsATokenThatIsThere: a leader that comes late must not make the customer wait for what is done.
func TestFirstLookShowsATokenThatIsThere(t *testing.T) {
	w := newExchangeWorld(t)
	w.keepToken()
	w.firstLook()
	if !apimeta.IsStatusConditionTrue(w.request.Status.Conditions, v1alpha1.ConditionTokenExchanged) {
		t.Errorf("the token is kept and not shown: %v", w.request.Status.Conditions)
	}
}

// TestUrgencyEndsWithTheLook: news keeps its place before a thousand first looks until it was looked at, and not longer.
func TestUrgencyEndsWithTheLook(t *testing.T) {
	for _, tc := range []struct {
		why    string
		result ctrl.Result
		err    error
		keeps  bool
	}{
		{"the cache is behind", ctrl.Result{RequeueAfter: cacheLag}, nil, true},
		{"somebody else wrote", ctrl.Result{RequeueAfter: conflictLag}, nil, true},
		{"the API failed", ctrl.Result{}, errors.New("away"), true},
		{"it was looked at and comes again", ctrl.Result{RequeueAfter: time.Second}, nil, false},
	} {
		t.Run(tc.why, func(t *testing.T) {
			r := calmly(reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) { return tc.result, tc.err }))
			got, err := r.Reconcile(t.Context(), ctrl.Request{})
			if !errors.Is(err, tc.err) || (got.Priority == nil) != tc.keeps {
				t.Errorf("priority %v, error %v", got.Priority, err)
			}
		})
	}
}

// TestWorkInProgressMakesNoEvents: an event is for what came of it.
func TestWorkInProgressMakesNoEvents(t *testing.T) {
	changed := []metav1.Condition{
		{Type: v1alpha1.ConditionTokenExchanged, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded},
		{Type: v1alpha1.ConditionAssetsVerified, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing},
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProgressing},
	}
	if got := eventful(changed); len(got) != 1 || got[0].Type != v1alpha1.ConditionTokenExchanged {
		t.Errorf("events of %v", got)
	}
}

// TestWaitingForAPersonIsNoWarning: a warning is for what went wrong.
func TestWaitingForAPersonIsNoWarning(t *testing.T) {
	for _, tc := range []struct {
		status       metav1.ConditionStatus
		reason, want string
	}{
		{metav1.ConditionFalse, v1alpha1.ReasonWaitingForSignup, corev1.EventTypeNormal},
		{metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval, corev1.EventTypeNormal},
		{metav1.ConditionFalse, v1alpha1.ReasonWaitingForTester, corev1.EventTypeNormal},
		{metav1.ConditionFalse, v1alpha1.ReasonWaitingForCode, corev1.EventTypeNormal},
		{metav1.ConditionFalse, v1alpha1.ReasonWaitingForPhoneNumber, corev1.EventTypeNormal},
		{metav1.ConditionFalse, v1alpha1.ReasonTokenInvalid, corev1.EventTypeWarning},
		{metav1.ConditionUnknown, v1alpha1.ReasonTokenInvalid, corev1.EventTypeNormal},
		{metav1.ConditionTrue, v1alpha1.ReasonSucceeded, corev1.EventTypeNormal},
	} {
		if got := eventType(metav1.Condition{Status: tc.status, Reason: tc.reason}); got != tc.want {
			t.Errorf("%s, %s: %s, want %s", tc.status, tc.reason, got, tc.want)
		}
	}
}

// TestNewsWaitsForWhatPeopleChange: who applies a channel at a full hour must not wait until thousands of others have shown their traffic.
func TestNewsWaitsForWhatPeopleChange(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("news")
	defer queue.ShutDown()
	for _, name := range []string{"busy-1", "busy-2"} {
		channel := &v1alpha1.WhatsAppChannel{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		patiently().Generic(t.Context(), event.GenericEvent{Object: channel}, queue)
	}
	queue.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "new"}})
	for _, want := range []string{"new", "busy-1", "busy-2"} {
		if got, _ := queue.Get(); got.Name != want {
			t.Fatalf("%s comes before %s", got.Name, want)
		}
	}
}
