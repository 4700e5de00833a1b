package controllers

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// annotationTookOver holds, on a channel's projection, the callback that the number's own webhook setting was pointed at. It is written before
// Meta is told, so that whoever comes after a crash knows what is to be undone.
const annotationTookOver = v1alpha1.GroupName + "/took-over"

// settleWebhooks does with the finding where this number's webhooks go what the spec asks for. The account's subscription and the app's
// callback belong to all of their numbers: only the number's own setting is ever used to take webhooks over.
func (r *WhatsAppChannelReconciler) settleWebhooks(ctx context.Context, s *channelScope, finding error) error {
	took := tookOver(s.projection)
	switch {
	case ptr.Deref(s.channel.Spec.Webhook.TakeOver, false):
		if connectedElsewhere(finding) {
			return r.takeOver(ctx, s)
		}
		return finding
	case took != "":
		if err := r.giveBack(ctx, s, took); err != nil {
			return err
		}
		// What the setting hid shows again.
		return r.whereWebhooksGo(ctx, s)
	default:
		return finding
	}
}

// tookOver is the callback that was set for the number; empty if none was.
func tookOver(projection *corev1.Secret) string {
	if projection == nil {
		return ""
	}
	return projection.Annotations[annotationTookOver]
}

// connectedElsewhere says whether an error is that webhooks go to another URL, which taking over cures.
func connectedElsewhere(err error) bool {
	wait, ok := errors.AsType[*waitingError](err)
	return ok && wait.reason == v1alpha1.ReasonConnectedElsewhere
}

// takeOver points the number's own webhook setting at us.
func (r *WhatsAppChannelReconciler) takeOver(ctx context.Context, s *channelScope) error {
	n := &s.number
	token, object, err := r.handshakeOf(ctx, s)
	if err != nil {
		return err
	}
	if err := r.rememberTakeOver(ctx, s, n.callbackURL); err != nil {
		return err
	}
	revision := runtimeconfig.Revision(object.Data)
	if object.Name == s.projection.Name {
		revision = runtimeconfig.Revision(s.projection.Data)
	}
	if err := r.servers.loaded(ctx, object.Name, revision); err != nil {
		return err
	}
	err = n.client.OverridePhoneWebhook(ctx, n.credential(), n.phoneNumberID, meta.CallbackOverride{URI: n.callbackURL, VerifyToken: token})
	if class := meta.ClassOf(err); meta.OutcomeOf(err) == meta.Rejected && !class.AccessLost() && class != meta.ClassTokenInvalid {
		return retry(err, v1alpha1.ReasonHandshakeFailed,
			"spec.webhook.takeOver is true, and Meta could not verify the callback URL %s for this number; see that it leads to the webhook-server from the internet, with a valid certificate.", n.callbackURL)
	}
	if err != nil {
		return err
	}
	return r.confirmOverride(ctx, s, func(set string) bool { return set == n.callbackURL })
}

// handshakeOf finds the verify token with which Meta's handshake succeeds at our callback, and the Object that brings it to the server.
func (r *WhatsAppChannelReconciler) handshakeOf(ctx context.Context, s *channelScope) (redact.Secret, *corev1.Secret, error) {
	if s.number.app == nil {
		return s.settings.VerifyToken, s.projection, nil
	}
	secret, err := readSecret(ctx, r.live, "the manager", r.options.SystemNamespace, verifyTokenSecret(s.number.app.App))
	if err != nil {
		return redact.Secret{}, nil, err
	}
	token, err := secretValue(secret, "the manager", v1alpha1.SecretKeyVerifyToken)
	if err != nil {
		return redact.Secret{}, nil, err
	}
	object, err := r.projector.read(ctx, runtimeconfig.AppName(s.number.appID))
	if err == nil && object == nil {
		err = blocked(v1alpha1.ReasonServerNotReady, "The webhook-server has not been given the verify token of the MetaApp %s yet.", s.number.app.App.Name)
	}
	return token, object, err
}

// rememberTakeOver writes on the projection what is about to be set, or with an empty callback that nothing is set any more.
func (r *WhatsAppChannelReconciler) rememberTakeOver(ctx context.Context, s *channelScope, callback string) error {
	if tookOver(s.projection) == callback {
		return nil
	}
	next := s.projection.DeepCopy()
	next.Annotations = maps.Clone(next.Annotations)
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[annotationTookOver] = callback
	if callback == "" {
		delete(next.Annotations, annotationTookOver)
	}
	if err := r.client.Update(ctx, next, client.FieldOwner(conditions.FieldManager)); err != nil {
		return err
	}
	s.projection = next
	return nil
}

// confirmOverride reads back what the number's own setting is: Meta's "success" is no proof.
func (r *WhatsAppChannelReconciler) confirmOverride(ctx context.Context, s *channelScope, right func(set string) bool) error {
	n := &s.number
	set, err := n.client.PhoneWebhook(ctx, n.credential(), n.phoneNumberID)
	if err != nil {
		return err
	}
	s.phone.WebhookConfiguration = set
	if !right(set.PhoneNumber) {
		return retry(nil, v1alpha1.ReasonGraphUnreachable, "Meta accepted the webhook setting of this number and does not show it yet; looking again.")
	}
	return nil
}

// giveBack removes the number's own setting if it is still the one that was made here.
func (r *WhatsAppChannelReconciler) giveBack(ctx context.Context, s *channelScope, took string) error {
	n := &s.number
	if s.phone.WebhookConfiguration.PhoneNumber == took {
		if err := n.client.OverridePhoneWebhook(ctx, n.credential(), n.phoneNumberID, meta.CallbackOverride{}); err != nil {
			return err
		}
		if err := r.confirmOverride(ctx, s, func(set string) bool { return set != took }); err != nil {
			return err
		}
	}
	return r.rememberTakeOver(ctx, s, "")
}

// giveBackServed undoes a taking over when the channel goes, with what the projection still holds.
func (r *WhatsAppChannelReconciler) giveBackServed(ctx context.Context, projection *corev1.Secret, served *runtimeconfig.Channel) error {
	took := tookOver(projection)
	if took == "" {
		return nil
	}
	graph, cred, err := r.credentialOf(ctx, served)
	if err != nil {
		return err
	}
	set, err := graph.PhoneWebhook(ctx, cred, served.PhoneNumberID)
	if err != nil {
		return err
	}
	if set.PhoneNumber != took {
		return nil
	}
	return graph.OverridePhoneWebhook(ctx, cred, served.PhoneNumberID, meta.CallbackOverride{})
}

// credentialOf is what a served number's calls are made with. The app secret of a MetaApp is not projected with its channels; without it
// calls go without a proof, which most apps accept.
func (r *WhatsAppChannelReconciler) credentialOf(ctx context.Context, served *runtimeconfig.Channel) (*meta.Client, meta.Credential, error) {
	graph, err := r.apps.clients.at(served.Graph)
	cred := meta.Credential{Token: served.AccessToken, AppSecret: served.AppSecret}
	if err != nil || !cred.AppSecret.IsZero() {
		return graph, cred, err
	}
	if app := r.appOf(ctx, served.AppID); app != nil {
		if loaded, err := r.apps.Load(ctx, app); err == nil {
			cred.AppSecret = loaded.AppSecret
		}
	}
	return graph, cred, nil
}

// appOf finds the MetaApp of an app id; nil if there is none, or none that can be found now.
func (r *WhatsAppChannelReconciler) appOf(ctx context.Context, appID string) *v1alpha1.MetaApp {
	var apps v1alpha1.MetaAppList
	if err := r.client.List(ctx, &apps); err != nil {
		log.FromContext(ctx).Error(err, "The MetaApps could not be listed")
		return nil
	}
	i := slices.IndexFunc(apps.Items, func(app v1alpha1.MetaApp) bool { return app.Spec.AppID == appID })
	if i < 0 {
		return nil
	}
	return &apps.Items[i]
}

// undo performs a part of a channel's deletion. What can't be undone for good is told, by an event and among the MetaApp's leftovers, since no
// event can be made in a namespace that is being deleted.
func (r *WhatsAppChannelReconciler) undo(ctx context.Context, s *channelScope, served *runtimeconfig.Channel, what string, part func() error) error {
	err := part()
	if err == nil {
		return nil
	}
	if v := classify(err); v.state == stateRetry && time.Since(s.channel.DeletionTimestamp.Time) < deletionPatience {
		return err
	}
	log.FromContext(ctx).Info("Something could not be undone at Meta", "what", what)
	r.status.recorder.Eventf(s.channel, nil, corev1.EventTypeWarning, v1alpha1.ReasonOffboardDenied, "Delete", "%s could not be removed at Meta; remove it there.", what)
	app := r.appOf(ctx, served.AppID)
	if app == nil {
		return nil
	}
	return r.leftovers.record(ctx, app.Name, v1alpha1.Leftover{
		Time: conditions.Now(), Object: s.channel.Namespace + "/" + s.channel.Name, What: what, Reason: leftoverReason(err),
	})
}

// foreignCallback says whether the MetaApp's own webhooks are known to go to somebody else's URL.
func (n *numberSource) foreignCallback() bool {
	if n.app == nil {
		return false
	}
	c := apimeta.FindStatusCondition(n.app.App.Status.Conditions, v1alpha1.ConditionWebhookSubscribed)
	return c != nil && c.Reason == v1alpha1.ReasonForeignCallback
}
