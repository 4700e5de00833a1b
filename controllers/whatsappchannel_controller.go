package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// failingReferenceInterval is how often the Secret of a channel that isn't Ready is read again: somebody is probably correcting it.
const failingReferenceInterval = 30 * time.Second

// WhatsAppChannelReconciler proves a number's credentials, claims the number, projects it for the webhook-server and sees that its
// webhooks arrive.
type WhatsAppChannelReconciler struct {
	client        client.Client
	live          client.Reader
	status        *statusWriter
	apps          *graphApps
	vault         *vault.Vault
	projector     *projector
	subscriptions *subscriptions
	servers       *servers
	leftovers     *leftovers
	checks        *checks
	observations  *observations
	options       Options
}

// channelScope is one reconciliation: what the phases found.
type channelScope struct {
	channel, old *v1alpha1.WhatsAppChannel
	now          metav1.Time
	progress     progress

	namespaceUID    types.UID
	namespaceLabels map[string]string
	number          numberSource
	settings        runtimeconfig.Channel
	// modelsRead is true once settings has the models; defaultsProblem says why the platform's can't be used, empty if they can.
	modelsRead      bool
	defaultsProblem string
	// content is nil when the channel has no catalog and no knowledge.
	content *runtimeconfig.Object
	// projection is the number's Secret in the runtime namespace as it is now; nil if there is none.
	projection *corev1.Secret

	token meta.TokenInfo
	// phone is what Meta says of the number; phoneErr why it can't be read with credentials that are good.
	phone    meta.PhoneNumber
	phoneErr error
	// news is what the webhook-server has reported since the last status.
	news observation
	// kept means that nothing was looked at: only news changes the status.
	kept bool
	// deletion is why the channel can't go yet; nil while it isn't being deleted.
	deletion *verdict
}

// numberSource is a number with its credentials, from either source.
type numberSource struct {
	phoneNumberID, wabaID, appID string
	token                        redact.Secret
	// appSecret signs proofs. ownAppSecret and previousAppSecret are projected: a channel with an app of its own.
	appSecret, ownAppSecret, previousAppSecret, verifyToken redact.Secret
	// unsigned says that the app secret of a channel with an app of its own is not there; nil if it is, or if the app is a MetaApp's.
	unsigned error
	// app is nil for a channel with an app of its own.
	app         *graphApp
	client      *meta.Client
	graph       runtimeconfig.Graph
	callbackURL string
	// version changes whenever one of the credentials does.
	version string
}

func (n *numberSource) credential() meta.Credential {
	return meta.Credential{Token: n.token, AppSecret: n.appSecret}
}

// Reconcile brings one WhatsAppChannel up to date.
func (r *WhatsAppChannelReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	channel := &v1alpha1.WhatsAppChannel{}
	if err := r.client.Get(ctx, req.NamespacedName, channel); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.status.stale(channel) {
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	s := &channelScope{channel: channel, old: channel.DeepCopy(), now: conditions.Now()}
	if !channel.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, s)
	}
	if err := ensureFinalizer(ctx, r.client, channel); err != nil {
		return settle(ctx, ctrl.Result{}, err)
	}
	s.old = channel.DeepCopy()
	s.news = r.observations.take(channel.UID)
	if ptr.Deref(channel.Spec.Suspend, false) {
		return r.finish(ctx, s, 0)
	}
	if rest := s.rest(); rest > 0 {
		s.kept = true
		return r.finish(ctx, s, rest)
	}
	if !r.resolve(ctx, s) {
		return r.finish(ctx, s, 0)
	}
	if wait, fresh := r.checks.fresh(channel.UID, s.fingerprint(), s.now.Time); fresh && !s.news.recheck && !s.holdIsNew() {
		s.kept = true
		return r.finish(ctx, s, wait)
	}
	r.look(ctx, s)
	return r.finish(ctx, s, 0)
}

// rest is how long the back-off of the last failure goes on. It lives in status, so that a restart doesn't shorten it; a person's change
// and a report end it.
func (s *channelScope) rest() time.Duration {
	status := &s.channel.Status
	ready := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	switch {
	case status.NextAttemptTime == nil, ready == nil, ready.ObservedGeneration != s.channel.Generation,
		requestedAt(s.channel) != status.LastHandledReconcileAt, s.news.recheck:
		return 0
	}
	return status.NextAttemptTime.Sub(s.now.Time)
}

// resolve reads what the cluster knows, without a call to Meta.
func (r *WhatsAppChannelReconciler) resolve(ctx context.Context, s *channelScope) bool {
	return s.progress.run(ctx, v1alpha1.ConditionAccepted, bind(s, r.accept)) &&
		s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, bind(s, r.readCredentials)) &&
		s.progress.run(ctx, v1alpha1.ConditionAccepted, bind(s, r.readSettings))
}

// look asks Meta, and serves the number once access to it is proven.
func (r *WhatsAppChannelReconciler) look(ctx context.Context, s *channelScope) {
	if unsigned := s.number.unsigned; unsigned != nil {
		r.reserve(ctx, s)
		s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, func(context.Context) error { return unsigned })
		return
	}
	if !s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, bind(s, r.proveCredentials)) {
		return
	}
	if !s.progress.run(ctx, v1alpha1.ConditionPhoneConnected, bind(s, r.proveNumber)) {
		return
	}
	if !s.progress.run(ctx, v1alpha1.ConditionAccepted, bind(s, r.serve)) {
		return
	}
	// Whoever pays for what it sends, the number is served: what it receives must not be lost.
	s.progress.run(ctx, v1alpha1.ConditionAccepted, bind(s, r.namePayer))
	if s.progress.run(ctx, v1alpha1.ConditionPhoneConnected, bind(s, r.connected)) {
		s.progress.run(ctx, v1alpha1.ConditionWebhookSubscribed, bind(s, r.keepSubscription))
	}
}

// reserve takes the place of a number whose app secret is missing, once its token has proven it: without a secret the webhook-server can't tell
// what is genuine, and lets Meta deliver again what comes meanwhile instead of not knowing the number. A place that is taken stays as it is, so
// that a channel which loses its app secret goes on with the one it had.
func (r *WhatsAppChannelReconciler) reserve(ctx context.Context, s *channelScope) {
	if s.projection != nil {
		if _, released := releasedAt(s.projection); !released {
			return
		}
	}
	if s.progress.run(ctx, v1alpha1.ConditionCredentialsValid, bind(s, r.proveCredentials)) &&
		s.progress.run(ctx, v1alpha1.ConditionPhoneConnected, bind(s, r.proveNumber)) &&
		s.progress.run(ctx, v1alpha1.ConditionAccepted, bind(s, r.serve)) {
		s.progress.run(ctx, v1alpha1.ConditionPhoneConnected, bind(s, r.connected))
	}
}

// fingerprint identifies what a look at Meta is based on.
func (s *channelScope) fingerprint() string {
	projection := ""
	if s.projection != nil {
		projection = s.projection.ResourceVersion
	}
	// What the models are is not in the channel alone: the platform may provide them.
	models := map[string][]byte{}
	for _, capability := range runtimeconfig.Capabilities {
		if p := s.settings.Assistant.Provider(capability); p != nil {
			models[string(capability)] = fmt.Appendf(nil, "%t %s %s %s", p.Default, p.Provider, p.BaseURL, p.Model)
			models[capability.KeyOfAPIKey()] = []byte(p.APIKey.Reveal())
		}
	}
	return fingerprint(s.channel, s.number.version, s.settings.Assistant.Content, runtimeconfig.Revision(models), projection)
}

// finish turns what was found into status, events and the time of the next look. wait is how long what was seen before is good for.
func (r *WhatsAppChannelReconciler) finish(ctx context.Context, s *channelScope, wait time.Duration) (ctrl.Result, error) {
	after, held := s.progress.held()
	if held || ctx.Err() != nil {
		r.observations.giveBack(s.channel.UID, s.news)
		return ctrl.Result{RequeueAfter: after}, ctx.Err()
	}
	res := r.updateStatus(s, wait)
	if err := r.status.write(ctx, s.old, s.channel); err != nil {
		r.observations.giveBack(s.channel.UID, s.news)
		return settle(ctx, res, err)
	}
	r.observations.giveBack(s.channel.UID, s.unshownTraffic())
	r.tellOfFiles(s)
	if !s.kept {
		r.checks.remember(s.channel.UID, s.fingerprint(), s.now.Add(res.RequeueAfter))
	}
	for _, pause := range []time.Duration{r.referencePause(s), s.limitPause()} {
		if pause > 0 && (res.RequeueAfter == 0 || pause < res.RequeueAfter) {
			res.RequeueAfter = pause
		}
	}
	return res, nil
}

// referencePause is when to read the channel's Secrets and ConfigMaps again; 0 if it names none that can't be watched.
func (r *WhatsAppChannelReconciler) referencePause(s *channelScope) time.Duration {
	spec := &s.channel.Spec
	named := spec.Source.Direct != nil || spec.Assistant.Catalog != nil || len(spec.Assistant.Knowledge) > 0 ||
		namesModelSecrets(&spec.Assistant) || r.options.DefaultModelsSecret != ""
	switch {
	case !named || ptr.Deref(spec.Suspend, false) || s.deletion != nil:
		return 0
	case apimeta.IsStatusConditionTrue(s.channel.Status.Conditions, v1alpha1.ConditionReady):
		return jitter(r.options.ReferenceInterval)
	default:
		return jitter(min(failingReferenceInterval, r.options.ReferenceInterval))
	}
}
