package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// expiryWarning is how long before its end a token is warned about: a business needs days to sign up again.
const expiryWarning = 14 * 24 * time.Hour

// subscribedFields are the webhook fields that the webhook-server works with. The last three come from numbers that are also used in
// the WhatsApp Business app.
var subscribedFields = []string{
	"messages", "account_update", "account_alerts", "account_review_update", "business_capability_update", "phone_number_quality_update",
	"phone_number_name_update", "security", "message_template_status_update", "standby", "messaging_handovers",
	"smb_message_echoes", "smb_app_state_sync", "history",
}

// systemScopes are the permissions that a partner's system token needs.
var systemScopes = []string{meta.ScopeManagement, meta.ScopeMessaging, meta.ScopeBusinessManagement}

// resolve reads what the cluster knows, without a call to Meta.
func (r *MetaAppReconciler) resolve(ctx context.Context, s *metaAppScope) error {
	if err := r.refuseDuplicate(ctx, s.app); err != nil {
		return err
	}
	requests, channels, err := r.users(ctx, s.app)
	if err != nil {
		return err
	}
	s.app.Status.InUseBy = inUse(requests + channels)
	if s.app.Status.Leftovers, err = r.leftovers.of(ctx, s.app.Name); err != nil {
		return err
	}
	if s.graph, err = r.apps.Load(ctx, s.app); err != nil {
		return err
	}
	if s.app.Spec.SolutionPartner != nil && s.graph.SystemToken.IsZero() {
		return stalled(v1alpha1.ReasonSystemTokenMissing, "spec.solutionPartner is set, but the Secret %s/%s has no key %q; add the token of the partner's system user.",
			r.options.SystemNamespace, s.app.Spec.SecretRef.Name, v1alpha1.SecretKeySystemToken)
	}
	return nil
}

// refuseDuplicate fails for the younger of two MetaApps with one appID: they would fight over one projection and one subscription.
func (r *MetaAppReconciler) refuseDuplicate(ctx context.Context, app *v1alpha1.MetaApp) error {
	var apps v1alpha1.MetaAppList
	if err := r.client.List(ctx, &apps); err != nil {
		return fmt.Errorf("list MetaApps: %w", err)
	}
	for i := range apps.Items {
		other := &apps.Items[i]
		if other.Spec.AppID != app.Spec.AppID || other.UID == app.UID {
			continue
		}
		age := other.CreationTimestamp.Compare(app.CreationTimestamp.Time)
		if age < 0 || (age == 0 && other.Name < app.Name) {
			return stalled(v1alpha1.ReasonDuplicateApp, "spec.appID %s is already that of the MetaApp %s; use that one, and delete this one.", app.Spec.AppID, other.Name)
		}
	}
	return nil
}

// proveCredentials asks Meta whether the app secret and the system token are good, and projects what verifies the app's webhooks.
func (r *MetaAppReconciler) proveCredentials(ctx context.Context, s *metaAppScope) error {
	// The app's own token proves the secret: nothing but the app id and the secret is in it.
	if _, err := s.graph.Client.AppSubscriptions(ctx, s.graph.AppCredential(), s.app.Spec.AppID); err != nil {
		return r.appSecretError(s, err)
	}
	if err := r.proveSystemToken(ctx, s); err != nil {
		return err
	}
	return r.project(ctx, s)
}

// appSecretError gives a refusal of the app's own token its meaning.
func (r *MetaAppReconciler) appSecretError(s *metaAppScope, err error) error {
	switch meta.ClassOf(err) {
	case meta.ClassTokenInvalid, meta.ClassClientSecretInvalid, meta.ClassAppIDInvalid, meta.ClassAppSecretProofInvalid,
		meta.ClassPermissionDenied, meta.ClassObjectNotVisible:
		return stalledBy(err, v1alpha1.ReasonAppSecretInvalid,
			"Meta refuses spec.appID %s together with the key %q of the Secret %s/%s; copy both from the App Dashboard (App settings, Basic).",
			s.app.Spec.AppID, v1alpha1.SecretKeyAppSecret, r.options.SystemNamespace, s.app.Spec.SecretRef.Name)
	default:
		return err
	}
}

func (r *MetaAppReconciler) proveSystemToken(ctx context.Context, s *metaAppScope) error {
	s.app.Status.SystemToken, s.app.Status.SystemUserID = nil, ""
	if s.graph.SystemToken.IsZero() {
		return nil
	}
	invalid := func(cause error, problem string) error {
		return stalledBy(cause, v1alpha1.ReasonSystemTokenInvalid, "The key %q of the Secret %s/%s %s; generate another token in Business Settings (System users) for this app.",
			v1alpha1.SecretKeySystemToken, r.options.SystemNamespace, s.app.Spec.SecretRef.Name, problem)
	}
	info, err := s.graph.Client.DebugToken(ctx, s.graph.AppCredential(), s.graph.SystemToken)
	if err != nil {
		if meta.OutcomeOf(err) == meta.Rejected {
			return invalid(err, "holds a token that does not belong to this app")
		}
		return err
	}
	switch missing := missingScopes(&info, systemScopes); {
	case !info.Valid:
		return invalid(nil, "holds a token that has expired or was revoked")
	case string(info.AppID) != s.app.Spec.AppID:
		return invalid(nil, "holds a token that does not belong to this app")
	case len(missing) > 0:
		return invalid(nil, "holds a token that lacks the permissions "+strings.Join(missing, ", "))
	}
	user := info.UserID
	if user == "" {
		// Credit sharing needs to know whom to add to the customers' accounts.
		me, err := s.graph.Client.Me(ctx, s.graph.SystemCredential())
		if err != nil {
			return err
		}
		user = me.ID
	}
	s.app.Status.SystemToken = tokenStatus(s.graph.SystemToken, info)
	s.app.Status.SystemUserID = string(user)
	s.app.Status.AppName = clip(info.Application, maxAppNameShown)
	return nil
}

func missingScopes(info *meta.TokenInfo, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), info.HasScope)
}

// tokenStatus describes a token without showing it.
func tokenStatus(token redact.Secret, info meta.TokenInfo) *v1alpha1.TokenStatus {
	status := &v1alpha1.TokenStatus{Hint: redact.Mask(token.Reveal())}
	if !info.ExpiresAt.IsZero() {
		at := metav1.NewTime(info.ExpiresAt.Time)
		status.ExpiresAt = &at
	}
	return status
}

// expiring says whether a token should be warned about.
func expiring(token *v1alpha1.TokenStatus, now time.Time) bool {
	return token != nil && token.ExpiresAt != nil && token.ExpiresAt.Sub(now) < expiryWarning
}

// proveCreditLine looks whether the partner's credit line can be shared.
func (r *MetaAppReconciler) proveCreditLine(ctx context.Context, s *metaAppScope) error {
	s.app.Status.CreditLineName = ""
	partner := s.app.Spec.SolutionPartner
	if partner == nil {
		return nil
	}
	line, err := s.graph.Client.CreditLine(ctx, s.graph.SystemCredential(), partner.CreditLineID)
	if meta.ClassOf(err).AccessLost() || (err == nil && line.AccessRevoked) {
		return stalledBy(err, v1alpha1.ReasonCreditLineNotFound,
			"The system token can't use spec.solutionPartner.creditLineID %s; correct the id, or give the system user the role Admin or Financial editor.", partner.CreditLineID)
	}
	if err != nil {
		return err
	}
	s.app.Status.CreditLineName = clip(line.LegalEntityName, maxAppNameShown)
	return nil
}

// project gives the webhook-server what it verifies webhooks and handshakes of this app with.
func (r *MetaAppReconciler) project(ctx context.Context, s *metaAppScope) error {
	token, err := r.ensureVerifyToken(ctx, s.app)
	if err != nil {
		return err
	}
	s.verifyToken = token
	if s.app.Spec.EmbeddedSignup != nil {
		if s.linkKey, err = r.ensureSignupKey(ctx, s.app); err != nil {
			return err
		}
	}
	object, err := r.object(s)
	if err != nil {
		return err
	}
	have, err := r.projector.read(ctx, object.Name)
	if err != nil {
		return err
	}
	_, err = r.projector.put(ctx, have, object, runtimeconfig.KindApp, holder{name: s.app.Name, uid: s.app.UID}, nil)
	return err
}

// defaultExtras is what Embedded Signup is launched with when the MetaApp says nothing.
const defaultExtras = `{"setup":{}}`

// validExtras says whether the page can give spec.embeddedSignup.extras to Meta's SDK; the API server sees the outermost braces only.
func validExtras(es *v1alpha1.EmbeddedSignup) bool {
	return es.Extras == "" || json.Valid([]byte(es.Extras))
}

func (r *MetaAppReconciler) object(s *metaAppScope) (runtimeconfig.Object, error) {
	app := runtimeconfig.App{
		Name: s.app.Name, AppID: s.app.Spec.AppID, Graph: r.apps.graphOf(s.app),
		AppSecret: s.graph.AppSecret, PreviousAppSecret: s.graph.PreviousAppSecret, VerifyToken: s.verifyToken, LinkPublicKey: s.linkKey,
	}
	if es := s.app.Spec.EmbeddedSignup; es != nil && validExtras(es) {
		// The requests that want a link say so if it is not valid: webhooks must go on all the same.
		app.EmbeddedSignup = &runtimeconfig.EmbeddedSignup{ConfigurationID: es.ConfigurationID, Extras: json.RawMessage(cmp.Or(es.Extras, defaultExtras))}
	}
	return app.Object()
}

// verifyTokenSecret names the Secret that keeps an app's verify token.
func verifyTokenSecret(app *v1alpha1.MetaApp) string { return "metaapp-" + app.Spec.AppID + "-webhook" }

// ensureVerifyToken reads the app's verify token, or makes it. It is made once: Meta has to be told of another.
func (r *MetaAppReconciler) ensureVerifyToken(ctx context.Context, app *v1alpha1.MetaApp) (redact.Secret, error) {
	name := verifyTokenSecret(app)
	secret, err := readSecret(ctx, r.live, "the manager", r.options.SystemNamespace, name)
	if err == nil {
		return secretValue(secret, "the manager", v1alpha1.SecretKeyVerifyToken)
	}
	if missing := (*missingSecretError)(nil); !errors.As(err, &missing) {
		return redact.Secret{}, err
	}
	token, err := newVerifyToken()
	if err != nil {
		return redact.Secret{}, err
	}
	secret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.options.SystemNamespace, Name: name, Annotations: map[string]string{annotationHolder: app.Name}},
		Data:       map[string][]byte{v1alpha1.SecretKeyVerifyToken: []byte(token)},
	}
	if err := r.client.Create(ctx, secret, client.FieldOwner(conditions.FieldManager)); err != nil {
		return redact.Secret{}, fmt.Errorf("keep the verify token: %w", err)
	}
	return redact.New(token), nil
}

// keepSubscription sees that Meta delivers this app's webhooks to us. It reads first and writes only what differs; somebody else's
// callback is never taken over.
func (r *MetaAppReconciler) keepSubscription(ctx context.Context, s *metaAppScope) error {
	s.callbackURL = callbackURL(s.app.Spec.Webhook.URL)
	if s.app.Spec.Webhook.Subscription == v1alpha1.SubscriptionManual {
		return nil
	}
	all, err := s.graph.Client.AppSubscriptions(ctx, s.graph.AppCredential(), s.app.Spec.AppID)
	if err != nil {
		return r.appSecretError(s, err)
	}
	have := findSubscription(all)
	if have != nil && have.CallbackURL != s.callbackURL && have.CallbackURL != s.old.Status.CallbackURL {
		return stalled(v1alpha1.ReasonForeignCallback,
			"The webhooks of this app go to another callback URL, which is not taken over. Remove it in the App Dashboard (WhatsApp, Configuration), or set spec.webhook.subscription to Manual; then set the annotation %s to the present time.",
			v1alpha1.RequestedAtAnnotation)
	}
	if have != nil && have.Active && have.CallbackURL == s.callbackURL && len(missingFields(have)) == 0 {
		return nil
	}
	return r.subscribe(ctx, s)
}

// subscribe sets callback and fields. Meta makes its handshake at any replica during the call, so each must know the verify token.
func (r *MetaAppReconciler) subscribe(ctx context.Context, s *metaAppScope) error {
	object, err := r.object(s)
	if err != nil {
		return err
	}
	if err := r.servers.loaded(ctx, object.Name, runtimeconfig.Revision(object.Data)); err != nil {
		return err
	}
	err = s.graph.Client.SetAppSubscription(ctx, s.graph.AppCredential(), s.app.Spec.AppID, meta.AppSubscriptionRequest{
		CallbackURL: s.callbackURL, VerifyToken: s.verifyToken, Fields: subscribedFields,
	})
	if meta.OutcomeOf(err) == meta.Rejected {
		return retry(err, v1alpha1.ReasonHandshakeFailed,
			"Meta could not verify the callback URL %s; see that spec.webhook.url leads to the webhook-server from the internet, with a valid certificate.", s.callbackURL)
	}
	return err
}

// findSubscription is the app's subscription to WhatsApp accounts, nil if it has none.
func findSubscription(all []meta.AppSubscription) *meta.AppSubscription {
	for i := range all {
		if all[i].Object == "whatsapp_business_account" && all[i].CallbackURL != "" {
			return &all[i]
		}
	}
	return nil
}

func missingFields(have *meta.AppSubscription) []string {
	return slices.DeleteFunc(slices.Clone(subscribedFields), func(name string) bool {
		return slices.ContainsFunc(have.Fields, func(f meta.AppSubscriptionField) bool { return f.Name == name })
	})
}

// callbackURL is what Meta calls; empty if the base is not known.
func callbackURL(base string) string {
	if base == "" {
		return ""
	}
	return base + CallbackPath
}

// fingerprint identifies what a look at Meta is based on. What can't be read now makes the next look come sooner, which is harmless.
func (r *MetaAppReconciler) fingerprint(ctx context.Context, s *metaAppScope) string {
	projection := ""
	if have, err := r.projector.read(ctx, runtimeconfig.AppName(s.app.Spec.AppID)); err == nil && have != nil {
		projection = have.ResourceVersion
	}
	return fingerprint(s.app, s.graph.SecretVersion, projection, fmt.Sprint(s.app.Status.Leftovers))
}

// users counts who refers to the app.
func (r *MetaAppReconciler) users(ctx context.Context, app *v1alpha1.MetaApp) (requests, channels int, err error) {
	var allRequests v1alpha1.OnboardingRequestList
	if err := r.client.List(ctx, &allRequests); err != nil {
		return 0, 0, fmt.Errorf("list OnboardingRequests: %w", err)
	}
	for i := range allRequests.Items {
		if allRequests.Items[i].Spec.MetaAppRef.Name == app.Name {
			requests++
		}
	}
	var allChannels v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &allChannels); err != nil {
		return 0, 0, fmt.Errorf("list WhatsAppChannels: %w", err)
	}
	for i := range allChannels.Items {
		if channelUses(&allChannels.Items[i], app) {
			channels++
		}
	}
	return requests, channels, nil
}
