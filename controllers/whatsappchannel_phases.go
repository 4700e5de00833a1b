package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// connectRecheck is how soon a number that isn't connected is looked at again: that changes outside, and nobody tells us.
	connectRecheck = 5 * time.Minute
	// setupRecheck is how soon the App Dashboard's settings are looked at again while a person is about to enter them. A handshake that
	// reaches the webhook-server is reported and needs no such look.
	setupRecheck = time.Minute
	// fieldCredentials is the path of a direct channel's credentials.
	fieldCredentials = "spec.source.direct.credentialsSecretRef"
)

// channelScopes are the permissions that a channel's token needs.
var channelScopes = []string{meta.ScopeManagement, meta.ScopeMessaging}

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
	if n.ownAppSecret, err = secretValue(secret, fieldCredentials, v1alpha1.SecretKeyAppSecret); err != nil {
		if missing := (*missingSecretError)(nil); errors.As(err, &missing) {
			missing.why, missing.remedy = v1alpha1.ReasonAppSecretNotConfigured, "copy the app secret into it from the App Dashboard (App settings, Basic, Show)"
		}
		return err
	}
	n.appSecret = n.ownAppSecret
	n.previousAppSecret, err = optionalValue(secret, v1alpha1.SecretKeyPreviousAppSecret)
	return err
}

// proveCredentials asks Meta whether the token is good for this number, and whether the app secret is that of its app.
func (r *WhatsAppChannelReconciler) proveCredentials(ctx context.Context, s *channelScope) error {
	n := &s.number
	// A token may ask about itself, so that no app id is needed.
	info, err := n.client.DebugToken(ctx, meta.Credential{Token: n.token}, n.token)
	if err != nil {
		return r.tokenError(s, err)
	}
	missing := missingScopes(&info, channelScopes)
	switch {
	case !info.Valid:
		return r.tokenError(s, nil)
	case n.appID != "" && string(info.AppID) != n.appID:
		return stalled(v1alpha1.ReasonWrongApp, "The access token belongs to the Meta app %s, not to %s; %s.", info.AppID, n.appID, s.tokenAdvice())
	case len(missing) > 0:
		return stalled(v1alpha1.ReasonScopesMissing, "The access token lacks the permissions %s; %s.", strings.Join(missing, ", "), s.tokenAdvice())
	}
	s.token, n.appID = info, string(info.AppID)
	s.phone, s.phoneErr = n.client.PhoneNumber(ctx, n.credential(), n.phoneNumberID)
	switch meta.ClassOf(s.phoneErr) {
	case meta.ClassAppSecretProofInvalid:
		return stalledBy(s.phoneErr, v1alpha1.ReasonAppSecretInvalid,
			"The app secret is not that of the Meta app %s; copy it from the App Dashboard (App settings, Basic) into the key %q of the Secret %s, which %s names.",
			n.appID, v1alpha1.SecretKeyAppSecret, s.credentialsSecret(), fieldCredentials)
	case meta.ClassTokenInvalid:
		return r.tokenError(s, s.phoneErr)
	default:
		// proveNumber judges the rest.
		return nil
	}
}

// tokenError is what a dead token means; other errors pass.
func (r *WhatsAppChannelReconciler) tokenError(s *channelScope, err error) error {
	if err != nil && meta.OutcomeOf(err) != meta.Rejected {
		return err
	}
	return stalledBy(err, v1alpha1.ReasonInvalidAccessToken, "Invalid access token: it has expired, was revoked, or never was one; %s.", s.tokenAdvice())
}

// tokenAdvice is where another token comes from.
func (s *channelScope) tokenAdvice() string {
	if ref := s.channel.Spec.Source.OnboardingRequestRef; ref != nil {
		return fmt.Sprintf("set the annotation %s of the OnboardingRequest %s to the present time, and when it asks for a new code, let the customer sign up again",
			v1alpha1.RequestedAtAnnotation, ref.Name)
	}
	return fmt.Sprintf("generate a permanent one in Meta Business Settings (System users) and put it into the key %q of the Secret %s, which %s names",
		v1alpha1.SecretKeyAccessToken, s.credentialsSecret(), fieldCredentials)
}

// credentialsSecret is the Secret of a direct channel, as messages name it.
func (s *channelScope) credentialsSecret() string {
	direct := s.channel.Spec.Source.Direct
	if direct == nil {
		return ""
	}
	return s.channel.Namespace + "/" + direct.CredentialsSecretRef.Name
}

// proveNumber sees that the number exists, is shown to the token and belongs to the account.
func (r *WhatsAppChannelReconciler) proveNumber(ctx context.Context, s *channelScope) error {
	n := &s.number
	if err := s.phoneErr; err != nil {
		if meta.OutcomeOf(err) == meta.Rejected {
			return stalledBy(err, v1alpha1.ReasonPhoneNumberNotFound, "Phone number not found: Meta does not show the phone number id %s to this token; double-check %s, and give the system user access to the account.",
				n.phoneNumberID, s.field("phoneNumberID"))
		}
		return err
	}
	numbers, err := n.client.PhoneNumbers(ctx, n.credential(), n.wabaID)
	if err != nil && !meta.ClassOf(err).AccessLost() {
		return err
	}
	if err != nil || !slices.ContainsFunc(numbers, func(p meta.PhoneNumber) bool { return string(p.ID) == n.phoneNumberID }) {
		return stalledBy(err, v1alpha1.ReasonBusinessAccountMismatch, "The phone number id %s is not one of the WhatsApp Business account %s; double-check %s.",
			n.phoneNumberID, n.wabaID, s.field("businessAccountID"))
	}
	return nil
}

// field is where a person would correct an id.
func (s *channelScope) field(name string) string {
	if s.channel.Spec.Source.Direct != nil {
		return "spec.source.direct." + name
	}
	return "the OnboardingRequest " + s.channel.Spec.Source.OnboardingRequestRef.Name
}

// connected sees that the number can send and receive.
func (r *WhatsAppChannelReconciler) connected(_ context.Context, s *channelScope) error {
	if s.phone.Status == meta.PhoneStatusConnected {
		return nil
	}
	return waitingFor(jitter(connectRecheck), v1alpha1.ReasonNotConnected,
		"Meta reports the number as %s instead of CONNECTED; see it in WhatsApp Manager (Phone numbers), and register it if it is not.", s.phone.Status)
}

// keepSubscription sees that this number's webhooks come to us.
func (r *WhatsAppChannelReconciler) keepSubscription(ctx context.Context, s *channelScope) error {
	n := &s.number
	if err := r.ensureAccount(ctx, n); err != nil {
		return err
	}
	return r.settleWebhooks(ctx, s, r.whereWebhooksGo(ctx, s))
}

// whereWebhooksGo fails if this number's webhooks don't come to us.
func (r *WhatsAppChannelReconciler) whereWebhooksGo(ctx context.Context, s *channelScope) error {
	n := &s.number
	if n.app == nil {
		if err := r.checkOwnApp(ctx, s); err != nil {
			return err
		}
	}
	callbacks := []string{s.phone.WebhookConfiguration.PhoneNumber, s.phone.WebhookConfiguration.WABA}
	if n.foreignCallback() {
		callbacks = append(callbacks, s.phone.WebhookConfiguration.Application)
	}
	for _, override := range callbacks {
		if override == "" {
			continue
		}
		if n.callbackURL != "" && override != n.callbackURL {
			return waitingFor(jitter(connectRecheck), v1alpha1.ReasonConnectedElsewhere,
				"This number's webhooks go to another URL than %s; remove the override where it was set, or set spec.webhook.takeOver to true.", n.callbackURL)
		}
		break // The narrowest one decides.
	}
	return nil
}

// ensureAccount subscribes the app to the account, in step with everybody else who does.
func (r *WhatsAppChannelReconciler) ensureAccount(ctx context.Context, n *numberSource) error {
	defer r.subscriptions.lock(n.appID + "/" + n.wabaID)()
	return ensureSubscription(ctx, n.client, n.credential(), n.appID, n.wabaID)
}

// checkOwnApp looks whether the business has entered our callback URL in its own app. Only a person can: the app is not ours.
func (r *WhatsAppChannelReconciler) checkOwnApp(ctx context.Context, s *channelScope) error {
	n := &s.number
	all, err := n.client.AppSubscriptions(ctx, meta.AppCredential(n.appID, n.ownAppSecret), n.appID)
	if err != nil {
		return err
	}
	have := findSubscription(all)
	switch {
	case s.phone.WebhookConfiguration.PhoneNumber == n.callbackURL && n.callbackURL != "":
		return nil // An override sends this number's messages to us whatever the app says.
	case have == nil || !have.Active:
		return waitingFor(jitter(setupRecheck), v1alpha1.ReasonNotSubscribedToMessages,
			"The app's webhook is not set: in the App Dashboard (WhatsApp, Configuration) enter %s, and as verify token the value that status.verifyTokenSecretRef names, then subscribe to the field messages.",
			n.callbackAdvice())
	case n.callbackURL != "" && have.CallbackURL != n.callbackURL:
		return waitingFor(jitter(setupRecheck), v1alpha1.ReasonConnectedElsewhere,
			"The app's webhook goes to another URL; if this channel should get the messages, enter %s in the App Dashboard (WhatsApp, Configuration), or set spec.webhook.takeOver to true to get those of this number alone.", n.callbackURL)
	case !slices.ContainsFunc(have.Fields, func(f meta.AppSubscriptionField) bool { return f.Name == "messages" }):
		return waitingFor(jitter(setupRecheck), v1alpha1.ReasonNotSubscribedToMessages,
			"The app's webhook does not include the field messages; in the App Dashboard (WhatsApp, Configuration) click Subscribe next to it.")
	}
	return nil
}

// callbackAdvice is what to enter as callback URL.
func (n *numberSource) callbackAdvice() string {
	if n.callbackURL == "" {
		return "the callback URL that the platform team gives you (the manager's flag --public-webhook-url is not set)"
	}
	return "the callback URL " + n.callbackURL
}

// ownVerifyToken says whether the channel answers handshakes with a token of its own.
func (n *numberSource) ownVerifyToken() bool { return n.app == nil }

// givenVerifyToken says whether the channel's Secret brings the verify token.
func (n *numberSource) givenVerifyToken() bool { return n.ownVerifyToken() && !n.verifyToken.IsZero() }

// masked is the hint of a secret for status.
func masked(secret redact.Secret) string { return redact.Mask(secret.Reveal()) }
