package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// exchangeWorkers is how many codes are exchanged at once. A worker is held for up to 35 seconds by a Meta that doesn't
	// answer, and a code that waits for a worker dies.
	exchangeWorkers = 64
	// exchangeRetryFirst and exchangeRetryLongest bound the pause after an error of the Kubernetes API.
	exchangeRetryFirst   = 200 * time.Millisecond
	exchangeRetryLongest = 30 * time.Second
	// maxExchangeSteps is more than any code needs: reserve, two sends, a rescue, and what settles them.
	maxExchangeSteps = 8
)

// ExchangeReconciler spends signup codes. It runs on every replica without leader election, because a code doesn't survive
// the change of a leader; the vault entry decides which replica spends it. It writes nothing but the vault:
// OnboardingRequestReconciler shows in status what the vault says.
type ExchangeReconciler struct {
	client client.Reader
	gate   *exchangeGate
	vault  *vault.Vault
	clock  clock.PassiveClock
	// places bound how many codes are prepared at a time; nil means that nothing does.
	places *places
}

// Reconcile takes the code of a request as far as it goes now.
func (r *ExchangeReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	request := &v1alpha1.OnboardingRequest{}
	if err := r.client.Get(ctx, req.NamespacedName, request); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !wantsCode(request) {
		return ctrl.Result{}, nil
	}
	leave := r.places.take(ctx)
	defer leave()
	x, err := r.gate.check(ctx, request)
	if err != nil {
		return r.lookAgain(ctx, request, err)
	}
	x.sending = leave
	after, err := r.exchange(ctx, x)
	switch {
	case errors.Is(err, vault.ErrConflict), errors.Is(err, errRequestGone):
		// Another replica is at it, or the cache lags. What became of it is read afresh.
		return ctrl.Result{RequeueAfter: jitter(secretInterval)}, nil
	case errors.Is(err, vault.ErrOccupied), errors.Is(err, vault.ErrSpent):
		return r.lookAgain(ctx, request, err)
	case err != nil:
		return ctrl.Result{}, err
	case after > 0:
		return ctrl.Result{RequeueAfter: after}, nil
	}
	if x.kept && !apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionTokenExchanged) {
		// The leader is about to show it, which ends this request's wish. A thousand that were applied together and looked for another code
		// meanwhile would hold up the leader.
		return ctrl.Result{RequeueAfter: jitter(exchangeRecheck)}, nil
	}
	// This code is done with. If it failed, another one may follow.
	return ctrl.Result{RequeueAfter: nextCodeLook(request, r.clock.Now())}, nil
}

// lookAgain comes back for a request whose code can't be spent yet. What is in the way is shown by the other controller.
func (r *ExchangeReconciler) lookAgain(ctx context.Context, request *v1alpha1.OnboardingRequest, err error) (ctrl.Result, error) {
	v := classify(err)
	log.FromContext(ctx).V(1).Info("The signup code can't be spent yet", "reason", v.reason)
	return ctrl.Result{RequeueAfter: nextCodeLook(request, r.clock.Now())}, nil
}

// exchange performs steps until the code is done with or has to wait; then it returns for how long.
func (r *ExchangeReconciler) exchange(ctx context.Context, x *readyCode) (time.Duration, error) {
	entry := x.entry
	for range maxExchangeSteps {
		if entry == nil {
			var err error
			if entry, err = r.vault.Read(ctx, x.key); err != nil {
				return 0, err
			}
		}
		now := r.clock.Now()
		step := onboarding.NextExchange(exchangeFacts(entry, x, now))
		switch step.Action {
		case onboarding.ExchangeIdle:
			x.kept = entry.HasTokenOf(x.hash)
			return 0, nil
		case onboarding.ExchangeWait:
			return wakeAt(entry, now), nil
		default:
		}
		var err error
		if entry, err = r.perform(ctx, x, entry, step); err != nil || x.kept {
			return 0, err
		}
	}
	return 0, fmt.Errorf("the exchange did not come to an end within %d steps", maxExchangeSteps)
}

// perform does one step. It returns what it has written of the entry, or nil if the entry must be read again.
func (r *ExchangeReconciler) perform(ctx context.Context, x *readyCode, entry *vault.Entry, step onboarding.ExchangeStep) (*vault.Entry, error) {
	log.FromContext(ctx).V(1).Info("Exchanging a signup code", "step", step.Action, "attempt", entry.Attempt)
	switch step.Action {
	case onboarding.ExchangeReserve:
		return r.vault.ReserveFrom(ctx, x.key, entry, x.hash, x.origin)
	case onboarding.ExchangeSend, onboarding.ExchangeSendOtherRedirect:
		return nil, r.send(ctx, x, entry, redirectURI(x.app.App, step.Action == onboarding.ExchangeSendOtherRedirect))
	case onboarding.ExchangeRescue:
		return nil, r.rescue(ctx, x, entry)
	case onboarding.ExchangeAdopt:
		return r.vault.Adopt(ctx, x.key, entry)
	case onboarding.ExchangeFail:
		return r.vault.Settle(ctx, x.key, entry, vault.Settlement{
			Outcome: entry.LastOutcome, Uncertain: entry.Phase == vault.PhaseSending, Failure: step.Reason,
		})
	default:
		return nil, fmt.Errorf("no such step of the exchange: %q", step.Action)
	}
}

// SetupWithManager registers the controller.
func (r *ExchangeReconciler) SetupWithManager(mgr ctrl.Manager) error {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](exchangeRetryFirst, exchangeRetryLongest)
	return ctrl.NewControllerManagedBy(mgr).
		Named("exchange").
		For(&v1alpha1.OnboardingRequest{}, builder.WithPredicates(newCodeWish())).
		Watches(&v1alpha1.MetaApp{}, handler.EnqueueRequestsFromMapFunc(r.codeWishesOf), builder.WithPredicates(opensGate())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: exchangeWorkers,
			NeedLeaderElection:      new(false),
			// Each request has a back-off of its own and no bucket is shared: a storm of failing requests must not hold back a code.
			RateLimiter: limiter,
		}).
		Complete(r)
}

// newCodeWish lets through requests that want a code, when they appear, begin to want one, or are changed by a person.
func newCodeWish() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return objectWantsCode(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return objectWantsCode(e.ObjectNew) && (!objectWantsCode(e.ObjectOld) || specOrRequest().Update(e))
		},
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

func objectWantsCode(obj client.Object) bool {
	request, ok := obj.(*v1alpha1.OnboardingRequest)
	return ok && wantsCode(request)
}

// codeWishesOf maps a MetaApp to its requests that want a code.
func (r *ExchangeReconciler) codeWishesOf(ctx context.Context, app client.Object) []reconcile.Request {
	return requestsOf(ctx, r.client, app.GetName(), wantsCode)
}
