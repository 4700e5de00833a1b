package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// deletionPatience is how long a deletion tries to clean up at Meta while Meta can't be reached or refuses for now. After that the object
// goes and what remains is told: a finalizer that never goes away blocks more than it protects.
const deletionPatience = 10 * time.Minute

// reconcileDelete lets a MetaApp go once nothing refers to it: first what Meta would call, then what answers such calls.
func (r *MetaAppReconciler) reconcileDelete(ctx context.Context, s *metaAppScope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.app, v1alpha1.Finalizer) {
		r.checks.forget(s.app.UID)
		return ctrl.Result{}, nil
	}
	if err := r.release(ctx, s); err != nil {
		v := classify(err)
		if v.reason == v1alpha1.ReasonInternalError {
			log.FromContext(ctx).Error(err, "The deletion of the MetaApp did not come through")
		}
		if v.state == stateRetry && v.after == 0 {
			v.after = jitter(firstBackoff)
		}
		s.deletion = &v
		return r.finish(ctx, s)
	}
	r.checks.forget(s.app.UID)
	return settle(ctx, ctrl.Result{}, removeFinalizer(ctx, r.client, s.app))
}

func (r *MetaAppReconciler) release(ctx context.Context, s *metaAppScope) error {
	requests, channels, err := r.users(ctx, s.app)
	if err != nil {
		return err
	}
	s.app.Status.InUseBy = inUse(requests + channels)
	if requests+channels > 0 {
		return stalled(v1alpha1.ReasonInUse, "%d OnboardingRequests and %d WhatsAppChannels refer to this MetaApp; it goes when they are deleted.", requests, channels)
	}
	projection, err := r.projector.read(ctx, runtimeconfig.AppName(s.app.Spec.AppID))
	if err != nil {
		return err
	}
	if projection == nil || projection.Annotations[annotationHolder] != s.app.Name {
		// A duplicate, or an app that never got so far: there is nothing of ours.
		return nil
	}
	if err := r.unsubscribe(ctx, s); err != nil {
		return err
	}
	if err := deleteOurs(ctx, r.client, projection); err != nil {
		return err
	}
	for _, name := range []string{verifyTokenSecret(s.app), signupKeySecret(s.app)} {
		made := &corev1.Secret{}
		made.Namespace, made.Name = r.options.SystemNamespace, name
		if err := client.IgnoreNotFound(r.client.Delete(ctx, made)); err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
	}
	return nil
}

// unsubscribe ends the app's webhooks if they come to us. What can't be undone because the credentials are gone is left, and told.
func (r *MetaAppReconciler) unsubscribe(ctx context.Context, s *metaAppScope) error {
	if s.app.Spec.Webhook.Subscription == v1alpha1.SubscriptionManual || s.app.Status.CallbackURL == "" {
		return nil
	}
	graph, err := r.apps.Load(ctx, s.app)
	if err == nil {
		err = deleteSubscription(ctx, graph, s.app.Status.CallbackURL)
	}
	if err == nil {
		return nil
	}
	patient := time.Since(s.app.DeletionTimestamp.Time) < deletionPatience
	if v := classify(err); v.state == stateRetry && !v.secret && patient {
		return err
	}
	r.status.recorder.Eventf(s.app, nil, corev1.EventTypeWarning, v1alpha1.ReasonOffboardDenied, "Delete",
		"The app's webhook subscription could not be removed at Meta; remove it in the App Dashboard (WhatsApp, Configuration).")
	return nil
}

// deleteSubscription removes the subscription unless it is somebody else's.
func deleteSubscription(ctx context.Context, graph *graphApp, callback string) error {
	appID := graph.App.Spec.AppID
	all, err := graph.Client.AppSubscriptions(ctx, graph.AppCredential(), appID)
	if err != nil {
		return err
	}
	if have := findSubscription(all); have == nil || have.CallbackURL != callback {
		return nil
	}
	if err := graph.Client.DeleteAppSubscription(ctx, graph.AppCredential(), appID); err != nil {
		if meta.ClassOf(err).AccessLost() {
			return stalledBy(err, v1alpha1.ReasonOffboardDenied, "Meta refuses to remove the app's subscription.")
		}
		return err
	}
	return nil
}

// deleteOurs deletes an object that is as it was read.
func deleteOurs(ctx context.Context, c client.Client, obj client.Object) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := c.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if err := client.IgnoreNotFound(err); err != nil {
		return fmt.Errorf("delete %s: %w", obj.GetName(), err)
	}
	return nil
}
