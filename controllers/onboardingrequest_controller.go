package controllers

import (
	"context"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// maxJourneySteps is more than there are steps: each is performed at most once in a reconciliation.
const maxJourneySteps = 12

// testSender sends test messages through the webhook-server, which knows whether the tester has written.
type testSender interface {
	SendTestMessage(ctx context.Context, m serverapi.TestMessage) (serverapi.TestOutcome, error)
}

// OnboardingRequestReconciler leads a request from the kept token to a working number, and is the only writer of its status.
// Spending the code is ExchangeReconciler's work; this one learns of it from the vault.
type OnboardingRequestReconciler struct {
	client client.Client
	// live reads Secrets, ConfigMaps and Namespaces from the API.
	live client.Reader
	apps *graphApps
	gate *exchangeGate
	// places are where codes stand in line in this process.
	places        *places
	vault         *vault.Vault
	ledger        *credit.Ledger
	creditTurns   turns
	leftovers     *leftovers
	projector     *projector
	subscriptions *subscriptions
	tests         func(ctx context.Context) (testSender, error)
	status        *statusWriter
	clock         clock.PassiveClock
	workers       int
}

// journey is one reconciliation of one request: what was found and what became of each step.
type journey struct {
	old, request *v1alpha1.OnboardingRequest
	key          vault.Key
	entry        *vault.Entry
	// app is nil until a step needs the Graph API.
	app   *graphApp
	facts onboarding.Facts
	progress
	// performedNow are the conditions whose steps succeeded in this reconciliation, rather than earlier.
	performedNow map[string]bool

	// link is the signup link that can be used; nil if there is none, or if it was not looked at.
	link *signup.Link
	// expiring means that the token serves and dies soon, dead that it served and is dead.
	expiring, dead bool

	// What this reconciliation read at Meta; nil if it did not.
	waba  *meta.WABA
	phone *meta.PhoneNumber
}

// Reconcile takes a request as far as it goes now.
func (r *OnboardingRequestReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	old := &v1alpha1.OnboardingRequest{}
	if err := r.client.Get(ctx, req.NamespacedName, old); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.status.stale(old) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	j := &journey{old: old, request: old.DeepCopy(), performedNow: map[string]bool{}}
	if !old.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, j)
	}
	// The finalizer comes before everything that deletion would have to undo. It changes the object, so old follows.
	isNew := !controllerutil.ContainsFinalizer(old, v1alpha1.Finalizer)
	if err := ensureFinalizer(ctx, r.client, j.request); err != nil {
		return settle(ctx, ctrl.Result{}, err)
	}
	if isNew {
		r.status.wrote(j.request)
	}
	j.old = j.request.DeepCopy()
	if err := r.observe(ctx, j); err != nil {
		j.fail(ctx, v1alpha1.ConditionTokenExchanged, err)
		return r.finish(ctx, j)
	}
	if wantsCode(old) && !settled(j.entry) && (isNew || r.inLine(old)) {
		return ctrl.Result{RequeueAfter: exchangeHeadStart}, nil
	}
	if rest := j.rest(r.clock.Now()); rest > 0 {
		return ctrl.Result{RequeueAfter: rest}, nil
	}
	r.advance(ctx, j)
	r.renew(ctx, j)
	return r.finish(ctx, j)
}

// advance performs one step after the other until one fails, waits, or none is left.
func (r *OnboardingRequestReconciler) advance(ctx context.Context, j *journey) {
	for range maxJourneySteps {
		step := onboarding.Next(j.facts)
		if step == onboarding.StepHold || step == onboarding.StepDone {
			return
		}
		condition := conditionOf(step)
		switch {
		case j.run(ctx, condition, func(ctx context.Context) error { return r.perform(ctx, j, step) }):
			j.performedNow[condition] = true
		case step.Optional():
			// Nothing waits for it. It is tried again with the next reconciliation.
			j.facts.Synced = true
		default:
			return
		}
	}
	j.fail(ctx, v1alpha1.ConditionTokenExchanged, fmt.Errorf("the journey did not come to an end within %d steps", maxJourneySteps))
}

// fail records an error under a condition.
func (j *journey) fail(ctx context.Context, condition string, err error) {
	j.run(ctx, condition, func(context.Context) error { return err })
}

// conditionCopy is no condition of the API: a failed copy shows in Ready alone.
const conditionCopy = "CredentialsCopied"

// conditionOf is the condition that tells of a step.
func conditionOf(step onboarding.Step) string {
	switch step {
	case onboarding.StepAwaitToken:
		return v1alpha1.ConditionTokenExchanged
	case onboarding.StepVerifyAssets:
		return v1alpha1.ConditionAssetsVerified
	case onboarding.StepAwaitApproval, onboarding.StepSubscribe:
		return v1alpha1.ConditionWebhooksSubscribed
	case onboarding.StepSync:
		return v1alpha1.ConditionBusinessAppSynced
	case onboarding.StepShareCredit:
		return v1alpha1.ConditionCreditShared
	case onboarding.StepCopyCredentials:
		return conditionCopy
	case onboarding.StepTestMessage:
		return v1alpha1.ConditionTestMessageSent
	default:
		return v1alpha1.ConditionPhoneRegistered
	}
}

// perform does one step. The error says what is in the way; without one the facts have changed.
func (r *OnboardingRequestReconciler) perform(ctx context.Context, j *journey, step onboarding.Step) error {
	switch step {
	case onboarding.StepAwaitToken:
		return r.awaitToken(ctx, j)
	case onboarding.StepCopyCredentials:
		return r.copyCredentials(ctx, j)
	case onboarding.StepTestMessage:
		return r.sendTestMessage(ctx, j)
	case onboarding.StepAwaitApproval:
		return awaitingApproval(j)
	case onboarding.StepAwaitUnlock:
		return registrationLocked(j)
	case onboarding.StepAwaitPIN:
		return pinRefused(j)
	case onboarding.StepSync:
		if !syncOpen(j) {
			return syncEnded(j)
		}
		return r.performAtMeta(ctx, j, step)
	default:
		return r.performAtMeta(ctx, j, step)
	}
}

// performAtMeta does a step that calls Meta, for which the app's gate has to be open.
func (r *OnboardingRequestReconciler) performAtMeta(ctx context.Context, j *journey, step onboarding.Step) error {
	if err := r.loadApp(ctx, j); err != nil {
		return err
	}
	switch step {
	case onboarding.StepVerifyAssets:
		return r.verifyAssets(ctx, j)
	case onboarding.StepSubscribe:
		return r.subscribe(ctx, j)
	case onboarding.StepSync:
		return r.syncBusinessApp(ctx, j)
	case onboarding.StepShareCredit:
		return r.shareCredit(ctx, j)
	case onboarding.StepRegister:
		return r.register(ctx, j)
	default:
		return fmt.Errorf("no such step: %q", step)
	}
}

// loadApp loads the MetaApp once per reconciliation, and waits for the turn that the app's limit gives.
func (r *OnboardingRequestReconciler) loadApp(ctx context.Context, j *journey) error {
	if j.app != nil {
		return nil
	}
	app, err := r.apps.open(ctx, fieldMetaApp, j.request.Spec.MetaAppRef.Name, j.request.Namespace)
	if err != nil {
		return err
	}
	queue, err := r.apps.clients.queueOf(app)
	if err != nil {
		return err
	}
	// A journey that the limit stops halfway has made its calls for nothing. One that works has few to make, and must not look broken while
	// it waits.
	queues := queue != nil && !apimeta.IsStatusConditionTrue(j.old.Status.Conditions, v1alpha1.ConditionReady)
	if queues {
		if wait := queue.enter(j.request.UID, callsAhead(&j.facts, app.Spec.SolutionPartner != nil), r.clock.Now()); wait > 0 {
			return &blockedError{reason: v1alpha1.ReasonProgressing, message: "Waits for its turn: the MetaApp's spec.graph.callsPerSecond bounds its calls.", recheck: wait}
		}
	}
	loaded, err := r.apps.Load(ctx, app)
	if err != nil {
		return err
	}
	if queues {
		loaded.Client = queue.admitted
	}
	j.app = loaded
	return nil
}
