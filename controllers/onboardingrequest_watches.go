package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

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
		Watches(&v1alpha1.MetaApp{}, handler.EnqueueRequestsFromMapFunc(r.requestsOfApp), builder.WithPredicates(opensGate())).
		Watches(&v1alpha1.WhatsAppChannel{}, handler.EnqueueRequestsFromMapFunc(requestOfChannel), builder.WithPredicates(tokenRefusedNow())).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(r.workers, 1)}).
		Complete(calmly(r))
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

// tokenRefusedNow lets through channels whose token Meta begins to refuse.
func tokenRefusedNow() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return tokenRefused(e.ObjectNew) && !tokenRefused(e.ObjectOld) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// requestOfChannel maps a channel to the request that it comes from.
func requestOfChannel(_ context.Context, obj client.Object) []reconcile.Request {
	channel, ok := obj.(*v1alpha1.WhatsAppChannel)
	if !ok || channel.Spec.Source.OnboardingRequestRef == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: channel.Namespace, Name: channel.Spec.Source.OnboardingRequestRef.Name}}}
}

// opensGate lets through what may open the gate of a MetaApp's requests.
func opensGate() predicate.Predicate {
	return usability(v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionCreditLineReady)
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
