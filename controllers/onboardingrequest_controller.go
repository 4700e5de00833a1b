package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

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

// observe gathers the facts that need no call to Meta: what the vault holds and what status remembers as proven.
func (r *OnboardingRequestReconciler) observe(ctx context.Context, j *journey) error {
	var err error
	if j.key, err = r.gate.key(ctx, j.request); err != nil {
		return err
	}
	if j.entry, err = r.readVault(ctx, j.key); err != nil {
		return err
	}
	j.facts = factsOf(j.request, j.entry, r.ownsEntry(ctx, j))
	if !j.facts.AssetsVerified {
		return nil
	}
	suspected, err := r.tokenSuspected(ctx, j.request)
	token := j.request.Status.Token
	if suspected || (token != nil && token.ExpiresAt != nil && !r.clock.Now().Before(token.ExpiresAt.Time)) {
		j.facts.AssetsVerified = false
	}
	return err
}

// ownsEntry says whether the vault's token may serve this request: if it was made for this very namespace, or if the request
// shows the code that it came from.
func (r *OnboardingRequestReconciler) ownsEntry(ctx context.Context, j *journey) bool {
	if !j.entry.Exists() || j.entry.BelongsTo(j.key.NamespaceUID) {
		return j.entry.Exists()
	}
	if j.request.Spec.CodeSecretRef == nil {
		return false
	}
	code, err := readCode(ctx, r.live, j.request)
	return err == nil && j.entry.HasTokenOf(vault.CodeHash(code))
}

// factsOf says what is known without asking Meta. What a person asks to be looked at again counts as unknown; every step
// reads before it writes, so that costs reads alone.
func factsOf(request *v1alpha1.OnboardingRequest, entry *vault.Entry, owned bool) onboarding.Facts {
	token, proven := entry.Current()
	spec, status := &request.Spec, &request.Status
	done := func(conditionType string) bool {
		return apimeta.IsStatusConditionTrue(status.Conditions, conditionType) && !recheckWanted(request)
	}
	f := onboarding.Facts{
		Held:     isSuspended(request),
		HasToken: owned && !token.IsZero(),
		AssetsVerified: done(v1alpha1.ConditionAssetsVerified) && proven && status.WABAID == entry.WABAID && status.PhoneNumberID == entry.PhoneNumberID &&
			expects(spec.WABAID, status.WABAID) && expects(spec.PhoneNumberID, status.PhoneNumberID),
		// A request without a code came by signup link: whoever opened it onboarded his business at the partner's cost.
		NeedsApproval: spec.CodeSecretRef == nil, Approved: spec.WABAID != "",
		Subscribed: done(v1alpha1.ConditionWebhooksSubscribed), Synced: done(v1alpha1.ConditionBusinessAppSynced),
		// Whether credit is needed is known when the MetaApp is loaded; until then it is, unless it was shared.
		Partner: true, CreditShared: done(v1alpha1.ConditionCreditShared),
		Number:    onboarding.NumberUnregistered,
		WantsCopy: spec.CredentialsSecretName != "",
		WantsTest: spec.TestMessage != nil,
	}
	switch {
	case entry.Coexistent:
		f.Number = onboarding.NumberCoexistent
	case done(v1alpha1.ConditionPhoneRegistered):
		f.Number = onboarding.NumberConnected
	}
	return f
}

// settled says whether the vault has something to tell of a code.
func settled(entry *vault.Entry) bool {
	return entry.Exists() && (!atWork(entry) || entry.LastOutcome != "")
}

// inLine says whether the code of a request may still stand in line with many others.
func (r *OnboardingRequestReconciler) inLine(request *v1alpha1.OnboardingRequest) bool {
	return r.places.crowded() && r.clock.Now().Before(request.CreationTimestamp.Add(codeLife))
}

// expects says whether a proven id is the expected one, or none is expected.
func expects(want, proven string) bool { return want == "" || want == proven }

// recheckWanted says whether a person asked for a reconciliation that has not been made.
func recheckWanted(request *v1alpha1.OnboardingRequest) bool {
	wish := requestedAt(request)
	return wish != "" && wish != request.Status.LastHandledReconcileAt
}

// rest is how long the back-off of the last failure goes on. It lives in status, so that a restart doesn't shorten it; a
// person's change ends it.
func (j *journey) rest(now time.Time) time.Duration {
	next := j.request.Status.NextAttemptTime
	ready := apimeta.FindStatusCondition(j.request.Status.Conditions, v1alpha1.ConditionReady)
	if next == nil || ready == nil || ready.ObservedGeneration != j.request.Generation || recheckWanted(j.request) || !j.facts.HasToken {
		return 0
	}
	return next.Sub(now)
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

// readVault reads the entry live, and says what to do about a place that is taken.
func (r *OnboardingRequestReconciler) readVault(ctx context.Context, key vault.Key) (*vault.Entry, error) {
	entry, err := r.vault.Read(ctx, key)
	return entry, r.vaultError(key, err)
}

// vaultError gives the vault's errors the meaning that they have for a request.
func (r *OnboardingRequestReconciler) vaultError(key vault.Key, err error) error {
	switch {
	case errors.Is(err, vault.ErrOccupied):
		return stalledBy(err, v1alpha1.ReasonVaultConflict,
			"The place for the token, the Secret %s/%s, is taken by a Secret that this operator did not make for this request; a platform administrator must look at it and remove it.",
			r.vault.Namespace, key.SecretName())
	case errors.Is(err, vault.ErrConflict):
		return retryAfter(secretInterval, v1alpha1.ReasonProgressing, "The token's record was changed by another replica; looking again.")
	default:
		return err
	}
}

// SetupWithManager registers the controller. woken tells of requests that the webhook-server has reported on; nil means none.
func (r *OnboardingRequestReconciler) SetupWithManager(mgr ctrl.Manager, woken <-chan event.GenericEvent) error {
	b := ctrl.NewControllerManagedBy(mgr)
	if woken != nil {
		b = b.WatchesRawSource(source.Channel(woken, &handler.EnqueueRequestForObject{}))
	}
	return b.Named("onboardingrequest").
		For(&v1alpha1.OnboardingRequest{}, builder.WithPredicates(specOrRequest())).
		// The exchange runs on any replica and can tell the leader only through the vault.
		WatchesMetadata(&corev1.Secret{}, urgently(requestOfEntry), builder.WithPredicates(isVaultEntry(r.vault.Namespace))).
		// Another key kills the links that are out.
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.linksOfKey), builder.WithPredicates(isSignupKey(r.vault.Namespace))).
		Watches(&v1alpha1.MetaApp{}, handler.EnqueueRequestsFromMapFunc(r.requestsOfApp), builder.WithPredicates(metaAppUsable())).
		Watches(&v1alpha1.WhatsAppChannel{}, handler.EnqueueRequestsFromMapFunc(requestOfChannel), builder.WithPredicates(tokenRefusedNow())).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(r.workers, 1)}).
		Complete(calmly(r))
}

// urgent is for a code that was just spent: it must not wait for the first look at a thousand requests that were applied together. mostUrgent
// comes before that, for who has signed up by link and waits in front of a page.
const (
	urgent     = 1
	mostUrgent = 2
)

// urgencyOf is that of a vault entry's news.
func urgencyOf(entry client.Object) int {
	if vault.ByLink(entry.GetAnnotations()) {
		return mostUrgent
	}
	return urgent
}

// workQueue is what a controller takes its work from.
type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// enqueue adds an object with a priority; those of a higher one come first.
func enqueue(q workQueue, priority int, req reconcile.Request) {
	if first, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		first.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, req)
		return
	}
	q.Add(req)
}

// urgently enqueues what an event of a vault entry maps to with urgency. What is there when the watch begins is no news.
func urgently(requests handler.MapFunc) handler.EventHandler {
	add := func(ctx context.Context, obj client.Object, q workQueue, priority int) {
		for _, req := range requests(ctx, obj) {
			enqueue(q, priority, req)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workQueue) {
			priority := urgencyOf(e.Object)
			if e.IsInInitialList {
				priority = handler.LowPriority
			}
			add(ctx, e.Object, q, priority)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workQueue) {
			add(ctx, e.ObjectNew, q, urgencyOf(e.ObjectNew))
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workQueue) {
			add(ctx, e.Object, q, urgencyOf(e.Object))
		},
	}
}

// calmly lets what comes back by itself wait among the others again: it would keep its urgency. What comes back at once does keep it, since
// it was not looked at: our view of it was stale, and its news would wait behind a thousand first looks.
func calmly(r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		result, err := r.Reconcile(ctx, req)
		if err == nil && result.RequeueAfter > atOnce {
			result.Priority = new(int)
		}
		return result, err
	})
}

// isVaultEntry lets through the vault's Secrets, once there is something to tell of them.
func isVaultEntry(namespace string) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(obj client.Object) bool {
		return obj.GetNamespace() == namespace && obj.GetLabels()[vault.Label] == vault.LabelValue && vault.Settled(obj.GetAnnotations())
	})
}

// requestOfEntry maps a vault entry to its request.
func requestOfEntry(_ context.Context, obj client.Object) []reconcile.Request {
	name, ok := vault.KeyOf(obj.GetAnnotations())
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: name}}
}

// metaAppUsable lets through what may open the gate of a MetaApp's requests: a new spec, or other findings about its
// credentials.
func metaAppUsable() predicate.Predicate {
	state := func(obj client.Object) string {
		app, ok := obj.(*v1alpha1.MetaApp)
		if !ok {
			return ""
		}
		var out strings.Builder
		for _, conditionType := range []string{v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionCreditLineReady} {
			if c := apimeta.FindStatusCondition(app.Status.Conditions, conditionType); c != nil {
				out.WriteString(string(c.Status) + "/")
			}
		}
		return out.String()
	}
	changed := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return state(e.ObjectOld) != state(e.ObjectNew) }}
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Predicate(changed))
}

// requestsOfApp maps a MetaApp to its requests that are not Ready: the others have no call to make.
func (r *OnboardingRequestReconciler) requestsOfApp(ctx context.Context, app client.Object) []reconcile.Request {
	return requestsOf(ctx, r.client, app.GetName(), func(request *v1alpha1.OnboardingRequest) bool {
		return !apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionReady)
	})
}

// requestsOf lists the requests of a MetaApp that pass a filter, from the cache.
func requestsOf(ctx context.Context, cached client.Reader, app string, filter func(*v1alpha1.OnboardingRequest) bool) []reconcile.Request {
	var all v1alpha1.OnboardingRequestList
	if err := cached.List(ctx, &all); err != nil {
		// A cache that was never filled: the requests come by themselves when it is.
		log.FromContext(ctx).Error(err, "The requests of a MetaApp could not be listed", "metaApp", app)
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if request := &all.Items[i]; request.Spec.MetaAppRef.Name == app && filter(request) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(request)})
		}
	}
	return out
}
