package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
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

// tokenScopes are the permissions that a customer's token needs.
var tokenScopes = []string{meta.ScopeManagement, meta.ScopeMessaging}

// proveCredentials asks Meta whether the token is good for this number, and whether the app secret is that of its app.
func (r *WhatsAppChannelReconciler) proveCredentials(ctx context.Context, s *channelScope) error {
	n := &s.number
	// A token may ask about itself, so that no app id is needed.
	info, err := n.client.DebugToken(ctx, meta.Credential{Token: n.token}, n.token)
	if err != nil {
		return r.tokenError(s, err)
	}
	missing := missingScopes(&info, tokenScopes)
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
	if err := r.subscriptions.ensure(ctx, n.client, n.credential(), n.appID, n.wabaID); err != nil {
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
