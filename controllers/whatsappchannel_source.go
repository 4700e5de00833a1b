package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// accept checks whether the channel may be served here, and finds its number and its app.
func (r *WhatsAppChannelReconciler) accept(ctx context.Context, s *channelScope) error {
	// Live, since the line id follows from the UID: a cache may still show an earlier tenant's namespace of this name.
	ns, err := readNamespace(ctx, r.live, s.channel.Namespace)
	if err != nil {
		return err
	}
	s.namespaceUID, s.namespaceLabels = ns.UID, ns.Labels
	if s.channel.Spec.Source.Direct != nil {
		return r.acceptDirect(ctx, s)
	}
	return r.acceptRequest(ctx, s)
}

func (r *WhatsAppChannelReconciler) acceptDirect(ctx context.Context, s *channelScope) error {
	direct := s.channel.Spec.Source.Direct
	if !r.options.DirectNamespaces.Matches(labels.Set(s.namespaceLabels)) {
		return stalled(v1alpha1.ReasonDirectNotAllowed,
			"The platform does not allow spec.source.direct in the namespace %s; ask the platform team, or onboard the number with an OnboardingRequest.", s.channel.Namespace)
	}
	s.number.phoneNumberID, s.number.wabaID, s.number.appID = direct.PhoneNumberID, direct.BusinessAccountID, direct.AppID
	if direct.MetaAppRef != nil {
		app, err := r.apps.ForUse(ctx, "spec.source.direct.metaAppRef", direct.MetaAppRef.Name, s.channel.Namespace)
		if err != nil {
			return err
		}
		s.number.useApp(app, r.apps)
		return nil
	}
	var err error
	s.number.client, err = r.apps.clients.direct()
	s.number.graph = r.apps.clients.directSettings().graph()
	s.number.callbackURL = callbackURL(r.options.PublicWebhookURL)
	return err
}

// useApp takes client, callback and secret from a MetaApp.
func (n *numberSource) useApp(app *graphApp, apps *graphApps) {
	n.app, n.client, n.appID = app, app.Client, app.App.Spec.AppID
	n.appSecret = app.AppSecret
	n.graph = apps.graphOf(app.App)
	n.callbackURL = callbackURL(app.App.Spec.Webhook.URL)
}

// acceptRequest finds the number that an OnboardingRequest brought. The vault is the truth of it: a channel goes on when its request is
// deleted with Retain.
func (r *WhatsAppChannelReconciler) acceptRequest(ctx context.Context, s *channelScope) error {
	name := s.channel.Spec.Source.OnboardingRequestRef.Name
	request, err := r.requestOf(ctx, s.channel)
	if err != nil {
		return err
	}
	there := request != nil
	entry, err := r.vault.Read(ctx, vault.Key{Namespace: s.channel.Namespace, Name: name, NamespaceUID: s.namespaceUID})
	if err != nil {
		return err
	}
	kept := entry.Exists() && entry.TokenProven && entry.PhoneNumberID != "" && entry.WABAID != ""
	var appName string
	switch {
	case there && (!kept || !apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionPhoneRegistered)):
		return blocked(v1alpha1.ReasonOnboardingNotReady, "The OnboardingRequest %s has not registered its number yet; see its conditions.", name)
	case !there && (!kept || !entry.BelongsTo(s.namespaceUID)):
		return stalled(v1alpha1.ReasonOnboardingRequestNotFound,
			"spec.source.onboardingRequestRef.name is %q, and there is no such OnboardingRequest in this namespace; create it or correct the name.", name)
	case there:
		appName = request.Spec.MetaAppRef.Name
	default:
		if appName, err = r.appOfChannel(ctx, s.channel); err != nil {
			return err
		}
	}
	app, err := r.apps.ForUse(ctx, fieldMetaApp, appName, s.channel.Namespace)
	if err != nil {
		return err
	}
	s.number.phoneNumberID, s.number.wabaID, s.number.token = entry.PhoneNumberID, entry.WABAID, entry.Token
	s.number.useApp(app, r.apps)
	return nil
}

// requestOf reads the OnboardingRequest that a channel names; nil if there is none.
func (r *WhatsAppChannelReconciler) requestOf(ctx context.Context, channel *v1alpha1.WhatsAppChannel) (*v1alpha1.OnboardingRequest, error) {
	request := &v1alpha1.OnboardingRequest{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: channel.Namespace, Name: channel.Spec.Source.OnboardingRequestRef.Name}, request)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // "none" is an answer here, and the caller looks at it first
	}
	if err != nil {
		return nil, fmt.Errorf("read OnboardingRequest: %w", err)
	}
	return request, nil
}

// appOfChannel finds the MetaApp of a channel whose request is gone.
func (r *WhatsAppChannelReconciler) appOfChannel(ctx context.Context, channel *v1alpha1.WhatsAppChannel) (string, error) {
	var apps v1alpha1.MetaAppList
	if err := r.client.List(ctx, &apps); err != nil {
		return "", fmt.Errorf("list MetaApps: %w", err)
	}
	for i := range apps.Items {
		if channel.Status.AppID != "" && apps.Items[i].Spec.AppID == channel.Status.AppID {
			return apps.Items[i].Name, nil
		}
	}
	return "", stalled(v1alpha1.ReasonOnboardingRequestNotFound,
		"The OnboardingRequest %s is gone, and the app it used is not known; create it again.", channel.Spec.Source.OnboardingRequestRef.Name)
}

// readCredentials reads the Secret of a direct channel, and sums up what all credentials are worth comparing by.
func (r *WhatsAppChannelReconciler) readCredentials(ctx context.Context, s *channelScope) error {
	n := &s.number
	if s.channel.Spec.Source.Direct != nil {
		if err := r.readDirectSecret(ctx, s); err != nil {
			return err
		}
	}
	n.version = runtimeconfig.Revision(map[string][]byte{
		"token": []byte(n.token.Reveal()), "app-secret": []byte(n.appSecret.Reveal()), "previous": []byte(n.previousAppSecret.Reveal()),
		"verify": []byte(n.verifyToken.Reveal()), "ids": []byte(strings.Join([]string{n.phoneNumberID, n.wabaID, n.appID, n.callbackURL}, "/")),
	})
	return nil
}

func (r *WhatsAppChannelReconciler) readDirectSecret(ctx context.Context, s *channelScope) error {
	n, direct := &s.number, s.channel.Spec.Source.Direct
	secret, err := readSecret(ctx, r.live, fieldCredentials, s.channel.Namespace, direct.CredentialsSecretRef.Name)
	if err != nil {
		return err
	}
	if n.token, err = secretValue(secret, fieldCredentials, v1alpha1.SecretKeyAccessToken); err != nil {
		if missing := (*missingSecretError)(nil); errors.As(err, &missing) {
			missing.remedy = "add it; generate a permanent token in Meta Business Settings (System users)"
		}
		return err
	}
	if n.verifyToken, err = optionalValue(secret, v1alpha1.SecretKeyVerifyToken); err != nil {
		return err
	}
	if n.app != nil {
		return nil
	}
	n.ownAppSecret, err = secretValue(secret, fieldCredentials, v1alpha1.SecretKeyAppSecret)
	if missing := (*missingSecretError)(nil); errors.As(err, &missing) {
		missing.why, missing.remedy = v1alpha1.ReasonAppSecretNotConfigured, "copy the app secret into it from the App Dashboard (App settings, Basic, Show)"
		n.unsigned = missing
		return nil
	}
	if err != nil {
		return err
	}
	n.appSecret = n.ownAppSecret
	n.previousAppSecret, err = optionalValue(secret, v1alpha1.SecretKeyPreviousAppSecret)
	return err
}
