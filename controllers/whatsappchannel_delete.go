package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// reconcileDelete lets a channel go: first its webhooks, if the spec says so, then the number. Everything it needs lies in the projection,
// so that a namespace which is being deleted, and has lost its Secrets already, holds nothing up.
func (r *WhatsAppChannelReconciler) reconcileDelete(ctx context.Context, s *channelScope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.channel, v1alpha1.Finalizer) {
		r.checks.forget(s.channel.UID)
		return ctrl.Result{}, nil
	}
	if err := r.release(ctx, s); err != nil {
		v := classify(err)
		if v.reason == v1alpha1.ReasonInternalError {
			log.FromContext(ctx).Error(err, "The deletion of the channel did not come through")
		}
		if v.after == 0 {
			v.after = jitter(firstBackoff)
		}
		v.state = stateRetry
		s.deletion = &v
		return r.finish(ctx, s, 0)
	}
	r.checks.forget(s.channel.UID)
	return settle(ctx, ctrl.Result{}, removeFinalizer(ctx, r.client, s.channel))
}

func (r *WhatsAppChannelReconciler) release(ctx context.Context, s *channelScope) error {
	projection, err := r.ownProjection(ctx, s.channel)
	if err != nil || projection == nil {
		return err
	}
	served, ok := decodeChannel(projection)
	if ok {
		err := r.undo(ctx, s, served, "the webhook setting of the number "+served.PhoneNumberID, func() error { return r.giveBackServed(ctx, projection, served) })
		if err != nil {
			return err
		}
		if err := r.unsubscribe(ctx, s, served); err != nil {
			return err
		}
	}
	if _, released := releasedAt(projection); released {
		return nil
	}
	return r.projector.bury(ctx, projection, s.now.Time)
}

// ownProjection is the projection of the number that this channel holds; nil if it holds none.
func (r *WhatsAppChannelReconciler) ownProjection(ctx context.Context, channel *v1alpha1.WhatsAppChannel) (*corev1.Secret, error) {
	var phoneNumberID string
	switch {
	case channel.Spec.Source.Direct != nil:
		phoneNumberID = channel.Spec.Source.Direct.PhoneNumberID
	case channel.Status.Phone != nil:
		phoneNumberID = channel.Status.Phone.ID
	default:
		return nil, nil //nolint:nilnil // a channel that never learnt its number holds none
	}
	secret, err := r.projector.read(ctx, runtimeconfig.ChannelName(phoneNumberID))
	if err != nil || secret == nil || secret.Annotations[annotationHolder] != channelHolder(channel).name {
		return nil, err
	}
	return secret, nil
}

// unsubscribe ends the account's webhooks for a direct channel that asks for it, unless another channel needs them.
func (r *WhatsAppChannelReconciler) unsubscribe(ctx context.Context, s *channelScope, served *runtimeconfig.Channel) error {
	direct := s.channel.Spec.Source.Direct
	if direct == nil || !ptr.Deref(direct.UnsubscribeOnDelete, false) {
		return nil
	}
	shared, err := r.accountShared(ctx, s.channel, served)
	if err != nil || shared {
		return err
	}
	return r.undo(ctx, s, served, "the app's subscription to the webhooks of the account "+served.WABAID, func() error { return r.endSubscription(ctx, served) })
}

// accountShared says whether another channel gets its webhooks by the same subscription.
func (r *WhatsAppChannelReconciler) accountShared(ctx context.Context, channel *v1alpha1.WhatsAppChannel, served *runtimeconfig.Channel) (bool, error) {
	var all v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &all); err != nil {
		return false, fmt.Errorf("list WhatsAppChannels: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != channel.UID && other.Status.BusinessAccountID == served.WABAID && other.Status.AppID == served.AppID {
			return true, nil
		}
	}
	return false, nil
}

func (r *WhatsAppChannelReconciler) endSubscription(ctx context.Context, served *runtimeconfig.Channel) error {
	graph, cred, err := r.credentialOf(ctx, served)
	if err != nil {
		return err
	}
	defer r.subscriptions.lock(served.AppID + "/" + served.WABAID)()
	return graph.UnsubscribeApp(ctx, cred, served.WABAID)
}

// splitHolder reads the holder of a channel's projection.
func splitHolder(holder string) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(holder, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok && namespace != "" && name != ""
}
