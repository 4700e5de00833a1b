package controllers

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// setup registers the controller. reported delivers channels that the webhook-server has something to tell of.
func (r *WhatsAppChannelReconciler) setup(mgr ctrl.Manager, reported <-chan event.GenericEvent) error {
	if err := indexHolds(mgr); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("whatsappchannel").
		For(&v1alpha1.WhatsAppChannel{}, builder.WithPredicates(specOrRequest())).
		Watches(&v1alpha1.MetaApp{}, handler.EnqueueRequestsFromMapFunc(r.channelsOfApp), builder.WithPredicates(usability(v1alpha1.ConditionCredentialsValid))).
		Watches(&v1alpha1.OnboardingRequest{}, handler.EnqueueRequestsFromMapFunc(r.channelsOfRequest),
			builder.WithPredicates(usability(v1alpha1.ConditionPhoneRegistered))).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.channelsOfSecret), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.channelsOfNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(source.Channel(reported, patiently())).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.options.Workers}).
		Complete(r)
}

// usability lets through what can change whether dependants may use an object: its spec, its deletion, whether one of its conditions is True.
func usability(conditionTypes ...string) predicate.Predicate {
	changed := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return slices.ContainsFunc(conditionTypes, func(conditionType string) bool {
			return conditionTrue(e.ObjectOld, conditionType) != conditionTrue(e.ObjectNew, conditionType)
		})
	}}
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Predicate(changed))
}

func conditionTrue(obj client.Object, conditionType string) bool {
	switch o := obj.(type) {
	case *v1alpha1.MetaApp:
		return apimeta.IsStatusConditionTrue(o.Status.Conditions, conditionType)
	case *v1alpha1.OnboardingRequest:
		return apimeta.IsStatusConditionTrue(o.Status.Conditions, conditionType)
	default:
		return false
	}
}

// channelsOfApp finds the channels that use a MetaApp, or would if it existed.
func (r *WhatsAppChannelReconciler) channelsOfApp(ctx context.Context, obj client.Object) []reconcile.Request {
	app, ok := obj.(*v1alpha1.MetaApp)
	if !ok {
		return nil
	}
	return r.requestsFor(ctx, "", func(channel *v1alpha1.WhatsAppChannel) bool {
		// Before its first success a channel of a request doesn't know its app.
		return channelUses(channel, app) || (channel.Spec.Source.OnboardingRequestRef != nil && channel.Status.AppID == "")
	})
}

func (r *WhatsAppChannelReconciler) channelsOfRequest(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.ofRequest(ctx, client.ObjectKeyFromObject(obj))
}

func (r *WhatsAppChannelReconciler) ofRequest(ctx context.Context, request types.NamespacedName) []reconcile.Request {
	return r.requestsFor(ctx, request.Namespace, func(channel *v1alpha1.WhatsAppChannel) bool {
		ref := channel.Spec.Source.OnboardingRequestRef
		return ref != nil && ref.Name == request.Name
	})
}

func (r *WhatsAppChannelReconciler) channelsOfNamespace(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.requestsFor(ctx, obj.GetName(), func(*v1alpha1.WhatsAppChannel) bool { return true })
}

// channelsOfSecret finds the channels that a Secret of ours concerns: a kept token, or a projection.
func (r *WhatsAppChannelReconciler) channelsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	switch secret.GetNamespace() {
	case r.options.SystemNamespace:
		if request, ok := vault.KeyOf(secret.GetAnnotations()); ok {
			return r.ofRequest(ctx, request)
		}
	case r.options.RuntimeNamespace:
		if secret.GetLabels()[runtimeconfig.LabelProjection] != string(runtimeconfig.KindChannel) {
			return nil
		}
		if key, ok := splitHolder(secret.GetAnnotations()[annotationHolder]); ok {
			return []reconcile.Request{{NamespacedName: key}}
		}
	}
	return nil
}

// requestsFor finds channels of a namespace, or of all of them, in the cache.
func (r *WhatsAppChannelReconciler) requestsFor(ctx context.Context, namespace string, wanted func(*v1alpha1.WhatsAppChannel) bool) []reconcile.Request {
	var all v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		// The cache can't fail once it has started; the regular check is the safety net.
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if wanted(&all.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
