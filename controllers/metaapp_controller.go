package controllers

import (
	"context"
	"crypto/ed25519"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// MetaAppReconciler proves an app's credentials, projects what verifies its webhooks, and keeps its subscription at Meta.
type MetaAppReconciler struct {
	client    client.Client
	live      client.Reader
	status    *statusWriter
	apps      *graphApps
	projector *projector
	servers   *servers
	leftovers *leftovers
	checks    *checks
	options   Options
}

// metaAppScope is one reconciliation: what the phases found.
type metaAppScope struct {
	app, old *v1alpha1.MetaApp
	now      metav1.Time
	progress progress

	graph       *graphApp
	verifyToken redact.Secret
	linkKey     ed25519.PublicKey
	callbackURL string
	// deletion is why the app can't go yet; nil while it isn't being deleted.
	deletion *verdict
}

// Reconcile brings one MetaApp up to date.
func (r *MetaAppReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	app := &v1alpha1.MetaApp{}
	if err := r.client.Get(ctx, req.NamespacedName, app); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.status.stale(app) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	if !app.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, &metaAppScope{app: app, old: app.DeepCopy(), now: conditions.Now()})
	}
	if err := ensureFinalizer(ctx, r.client, app); err != nil {
		return settle(ctx, ctrl.Result{}, err)
	}
	s := &metaAppScope{app: app, old: app.DeepCopy(), now: conditions.Now()}
	if !s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, bind(s, r.resolve)) {
		return r.finish(ctx, s)
	}
	base := r.fingerprint(ctx, s)
	if wait, fresh := r.checks.fresh(app.UID, base, s.now.Time); fresh {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, bind(s, r.proveCredentials)) {
		s.progress.run(ctx, v1alpha1.ConditionCreditLineReady, bind(s, r.proveCreditLine))
		s.progress.run(ctx, v1alpha1.ConditionWebhookSubscribed, bind(s, r.keepSubscription))
	}
	res, err := r.finish(ctx, s)
	if err == nil {
		// The look itself may have written the projection.
		r.checks.remember(app.UID, r.fingerprint(ctx, s), s.now.Add(res.RequeueAfter))
	}
	return res, err
}

// bind gives a phase its scope.
func bind[S any](s S, phase func(context.Context, S) error) func(context.Context) error {
	return func(ctx context.Context) error { return phase(ctx, s) }
}

// finish turns what was found into status, events and the time of the next look.
func (r *MetaAppReconciler) finish(ctx context.Context, s *metaAppScope) (ctrl.Result, error) {
	if after, held := s.progress.held(); held {
		return ctrl.Result{RequeueAfter: after}, ctx.Err()
	}
	if ctx.Err() != nil {
		return ctrl.Result{}, ctx.Err()
	}
	res := r.updateStatus(s)
	return settle(ctx, res, r.status.write(ctx, s.old, s.app))
}

// setup registers the controller.
func (r *MetaAppReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("metaapp").
		For(&v1alpha1.MetaApp{}, builder.WithPredicates(specOrRequest())).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.appsOfSecret), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(appsOfLeftovers)).
		Watches(&v1alpha1.OnboardingRequest{}, handler.EnqueueRequestsFromMapFunc(appsOfUser), builder.WithPredicates(gone())).
		Watches(&v1alpha1.WhatsAppChannel{}, handler.EnqueueRequestsFromMapFunc(r.appsOfChannel), builder.WithPredicates(gone())).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.options.Workers}).
		Complete(r)
}

// gone lets through that an object disappeared: a MetaApp that is being deleted waits for that. New ones concern it only at the next
// check, or a thousand requests would be a thousand checks.
func gone() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// appsOfSecret finds the MetaApps that a Secret of ours concerns: their credentials, their verify token, their projection.
func (r *MetaAppReconciler) appsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	if secret.GetNamespace() == r.options.RuntimeNamespace {
		if secret.GetLabels()[runtimeconfig.LabelProjection] != string(runtimeconfig.KindApp) {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: secret.GetAnnotations()[annotationHolder]}}}
	}
	if secret.GetNamespace() != r.options.SystemNamespace {
		return nil
	}
	var apps v1alpha1.MetaAppList
	if err := r.client.List(ctx, &apps); err != nil {
		// The cache can't fail once it has started; the regular check is the safety net.
		return nil
	}
	var requests []reconcile.Request
	for i := range apps.Items {
		app := &apps.Items[i]
		if app.Spec.SecretRef.Name == secret.GetName() || verifyTokenSecret(app) == secret.GetName() || signupKeySecret(app) == secret.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(app)})
		}
	}
	return requests
}

// appsOfLeftovers finds the MetaApp whose status shows what an offboarding left.
func appsOfLeftovers(_ context.Context, cm client.Object) []reconcile.Request {
	name := cm.GetAnnotations()[annotationLeftoversOf]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

func appsOfUser(_ context.Context, obj client.Object) []reconcile.Request {
	request, ok := obj.(*v1alpha1.OnboardingRequest)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: request.Spec.MetaAppRef.Name}}}
}

func (r *MetaAppReconciler) appsOfChannel(ctx context.Context, obj client.Object) []reconcile.Request {
	channel, ok := obj.(*v1alpha1.WhatsAppChannel)
	if !ok {
		return nil
	}
	var apps v1alpha1.MetaAppList
	if err := r.client.List(ctx, &apps); err != nil {
		return nil // as in appsOfSecret
	}
	var requests []reconcile.Request
	for i := range apps.Items {
		if channelUses(channel, &apps.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&apps.Items[i])})
		}
	}
	return requests
}

// channelUses says whether a channel depends on a MetaApp.
func channelUses(channel *v1alpha1.WhatsAppChannel, app *v1alpha1.MetaApp) bool {
	if direct := channel.Spec.Source.Direct; direct != nil {
		return direct.MetaAppRef != nil && direct.MetaAppRef.Name == app.Name
	}
	return channel.Status.AppID == app.Spec.AppID
}
