package controllers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// fieldMetaApp is where an OnboardingRequest names its MetaApp.
const fieldMetaApp = "spec.metaAppRef"

// graphApp is a MetaApp with what its calls need.
type graphApp struct {
	App    *v1alpha1.MetaApp
	Client *meta.Client
	// AppSecret is never empty. PreviousAppSecret and SystemToken may be.
	AppSecret, PreviousAppSecret, SystemToken redact.Secret
	// SecretVersion is the resourceVersion of the Secret that they come from.
	SecretVersion string
}

// AppCredential authenticates as the app itself.
func (a *graphApp) AppCredential() meta.Credential {
	return meta.AppCredential(a.App.Spec.AppID, a.AppSecret)
}

// SystemCredential authenticates as the partner's system user.
func (a *graphApp) SystemCredential() meta.Credential { return a.Credential(a.SystemToken) }

// Credential authenticates with a token of this app, such as a customer's business token.
func (a *graphApp) Credential(token redact.Secret) meta.Credential {
	return meta.Credential{Token: token, AppSecret: a.AppSecret}
}

// graphApps loads MetaApps for those who make calls through them.
type graphApps struct {
	// cached reads MetaApps and Namespaces from the manager's cache, live reads Secrets from the API.
	cached, live client.Reader
	// namespace holds the MetaApps' Secrets.
	namespace string
	clients   *graphClients
}

// ForUse loads the MetaApp that a field of an object in a namespace names, if it is open.
func (g *graphApps) ForUse(ctx context.Context, field, name, namespace string) (*graphApp, error) {
	app, err := g.open(ctx, field, name, namespace)
	if err != nil {
		return nil, err
	}
	return g.Load(ctx, app)
}

// open finds the MetaApp that a field of an object in a namespace names. It is the flood gate: it fails, before any call, unless the app exists, allows
// the namespace and has proven credentials.
func (g *graphApps) open(ctx context.Context, field, name, namespace string) (*v1alpha1.MetaApp, error) {
	app, err := g.find(ctx, field, name)
	if err != nil {
		return nil, err
	}
	if err := g.allowed(ctx, app, namespace); err != nil {
		return nil, err
	}
	if !app.DeletionTimestamp.IsZero() {
		return nil, blocked(v1alpha1.ReasonMetaAppNotReady, "The MetaApp %s is being deleted; it goes when nothing refers to it any more.", name)
	}
	if !apimeta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionCredentialsValid) {
		return nil, blocked(v1alpha1.ReasonMetaAppNotReady,
			"The credentials of the MetaApp %s are not proven, so no calls are made; see its condition CredentialsValid.", name)
	}
	return app, nil
}

// ForDeletion loads the MetaApp whatever its state is: what an object caused must be undone even while its app is in trouble, or no
// longer allows the namespace.
func (g *graphApps) ForDeletion(ctx context.Context, name string) (*graphApp, error) {
	app, err := g.find(ctx, fieldMetaApp, name)
	if err != nil {
		return nil, err
	}
	return g.Load(ctx, app)
}

// Load reads the MetaApp's Secret live and adds the app's client.
func (g *graphApps) Load(ctx context.Context, app *v1alpha1.MetaApp) (*graphApp, error) {
	secret, err := readSecret(ctx, g.live, "spec.secretRef", g.namespace, app.Spec.SecretRef.Name)
	if err != nil {
		return nil, err
	}
	loaded := &graphApp{App: app, SecretVersion: secret.ResourceVersion}
	if loaded.AppSecret, err = secretValue(secret, "spec.secretRef", v1alpha1.SecretKeyAppSecret); err != nil {
		return nil, err
	}
	if loaded.PreviousAppSecret, err = optionalValue(secret, v1alpha1.SecretKeyPreviousAppSecret); err != nil {
		return nil, err
	}
	if loaded.SystemToken, err = optionalValue(secret, v1alpha1.SecretKeySystemToken); err != nil {
		return nil, err
	}
	loaded.Client, err = g.clients.forApp(app)
	return loaded, err
}

func (g *graphApps) find(ctx context.Context, field, name string) (*v1alpha1.MetaApp, error) {
	app := &v1alpha1.MetaApp{}
	err := g.cached.Get(ctx, client.ObjectKey{Name: name}, app)
	if apierrors.IsNotFound(err) {
		return nil, stalled(v1alpha1.ReasonMetaAppNotFound, "%s.name is %q, and there is no MetaApp of this name; create it or correct the name.", field, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read MetaApp: %w", err)
	}
	return app, nil
}

// allowed fails unless the MetaApp's allowedNamespaces selects the namespace.
func (g *graphApps) allowed(ctx context.Context, app *v1alpha1.MetaApp, namespace string) error {
	ns, err := readNamespace(ctx, g.cached, namespace)
	if err != nil {
		return err
	}
	if app.Spec.AllowedNamespaces != nil && !selectsNothing(app.Spec.AllowedNamespaces) {
		selector, err := metav1.LabelSelectorAsSelector(app.Spec.AllowedNamespaces)
		if err != nil {
			return stalled(v1alpha1.ReasonNamespaceNotAllowed, "spec.allowedNamespaces of the MetaApp %s is no valid selector; correct it.", app.Name)
		}
		if selector.Matches(labels.Set(ns.Labels)) {
			return nil
		}
	}
	return stalled(v1alpha1.ReasonNamespaceNotAllowed,
		"The MetaApp %s does not allow the namespace %s; let the platform team label the namespace so that spec.allowedNamespaces of the MetaApp selects it.", app.Name, namespace)
}

// selectsNothing says whether a selector is empty. To Kubernetes an empty selector means everything; here it means nobody, since the
// app's credit is the platform's money.
func selectsNothing(s *metav1.LabelSelector) bool {
	return len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

// graphOf is where the webhook-server calls the Graph API for an app.
func (g *graphApps) graphOf(app *v1alpha1.MetaApp) runtimeconfig.Graph {
	return g.clients.settingsOf(app).graph()
}

// readNamespace reads the metadata of a namespace.
func readNamespace(ctx context.Context, r client.Reader, name string) (*metav1.PartialObjectMetadata, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Get(ctx, client.ObjectKey{Name: name}, ns); err != nil {
		return nil, fmt.Errorf("read namespace: %w", err)
	}
	return ns, nil
}

// readSecret reads a Secret that the field of an object names.
func readSecret(ctx context.Context, live client.Reader, field, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, &missingSecretError{field: field, namespace: namespace, name: name}
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret: %w", err)
	}
	return secret, nil
}

// secretValue is a key of a Secret that must be there.
func secretValue(secret *corev1.Secret, field, key string) (redact.Secret, error) {
	value, err := optionalValue(secret, key)
	if err == nil && value.IsZero() {
		err = &missingSecretError{field: field, namespace: secret.Namespace, name: secret.Name, key: key}
	}
	return value, err
}

// maxSecretValue is far more than any token or key has. What tenants name is kept in memory and projected, so it has a bound.
const maxSecretValue = 8 << 10

// optionalValue is a key of a Secret, without the white space that editors and echo leave around it. A value that was copied from a
// page which masks it is refused.
func optionalValue(secret *corev1.Secret, key string) (redact.Secret, error) {
	value := trimmed(secret.Data[key])
	if len(value) > maxSecretValue {
		return redact.Secret{}, stalled(v1alpha1.ReasonRejected,
			"The key %q of the Secret %s/%s holds %d bytes, which is no token, secret or key; put the value alone in.", key, secret.Namespace, secret.Name, len(value))
	}
	if redact.LooksMasked(value) {
		return redact.Secret{}, stalled(v1alpha1.ReasonTokenMasked,
			"The key %q of the Secret %s/%s appears to be masked, as web pages show it; put the full value in.", key, secret.Namespace, secret.Name)
	}
	return redact.New(value), nil
}

// graphClients keeps one client per MetaApp: its connections and its rate limit are shared by all who use the app.
type graphClients struct {
	// baseURL is used for apps that name none; empty means Meta.
	baseURL string
	// observe is told of every call; may be nil.
	observe func(meta.Call)
	// now tells the time; nil means time.Now.
	now func() time.Time

	mu   sync.Mutex
	byID map[string]cachedClient
}

type cachedClient struct {
	settings clientSettings
	client   *meta.Client
	// queue is nil if there is no limit.
	queue *callQueue
}

type clientSettings struct {
	baseURL, version string
	callsPerSecond   int32
}

// graph is the same for the webhook-server, with the defaults spelled out.
func (s clientSettings) graph() runtimeconfig.Graph {
	return runtimeconfig.Graph{BaseURL: cmp.Or(s.baseURL, meta.DefaultBaseURL), Version: cmp.Or(s.version, meta.DefaultVersion)}
}

// directClient is the key of the client of direct channels that name no MetaApp; no app id looks like it.
const directClient = "direct"

// forApp returns the client of a MetaApp. One whose settings changed gets another.
func (g *graphClients) forApp(app *v1alpha1.MetaApp) (*meta.Client, error) {
	return g.get(app.Spec.AppID, g.settingsOf(app))
}

func (g *graphClients) settingsOf(app *v1alpha1.MetaApp) clientSettings {
	baseURL := app.Spec.Graph.BaseURL
	if baseURL == "" {
		baseURL = g.baseURL
	}
	return clientSettings{baseURL, app.Spec.GraphAPIVersion, app.Spec.Graph.CallsPerSecond}
}

func (g *graphClients) directSettings() clientSettings { return clientSettings{baseURL: g.baseURL} }

// direct returns the client of channels that bring an app of their own.
func (g *graphClients) direct() (*meta.Client, error) {
	return g.get(directClient, g.directSettings())
}

// at returns a client of an address that is known from a projection.
func (g *graphClients) at(graph runtimeconfig.Graph) (*meta.Client, error) {
	return g.get(directClient+"/"+graph.BaseURL+"/"+graph.Version, clientSettings{baseURL: graph.BaseURL, version: graph.Version})
}

func (g *graphClients) get(id string, settings clientSettings) (*meta.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if have, ok := g.byID[id]; ok {
		if have.settings == settings {
			return have.client, nil
		}
		have.client.CloseIdleConnections()
	}
	accounts := &accountLimits{now: g.now}
	cfg := meta.Config{
		BaseURL: settings.baseURL, Version: settings.version, Observe: g.observe,
		Usage: accounts.observe,
	}
	var bucket *rate.Limiter
	if settings.callsPerSecond > 0 {
		bucket = rate.NewLimiter(rate.Limit(settings.callsPerSecond), int(settings.callsPerSecond))
	}
	cfg.Limit = limiter(bucket, accounts)
	made, err := meta.New(cfg)
	if err != nil {
		return nil, stalled(v1alpha1.ReasonRejected, "spec.graph.baseURL or spec.graphAPIVersion can't be used: %s.", err)
	}
	if g.byID == nil {
		g.byID = map[string]cachedClient{}
	}
	cached := cachedClient{settings: settings, client: made}
	if bucket != nil {
		cached.queue = newCallQueue(made, bucket, accounts)
	}
	g.byID[id] = cached
	return made, nil
}

// queueOf returns the queue of a MetaApp, or nil if its calls have no limit.
func (g *graphClients) queueOf(app *v1alpha1.MetaApp) (*callQueue, error) {
	if _, err := g.forApp(app); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byID[app.Spec.AppID].queue, nil
}

func trimmed(value []byte) string { return strings.TrimSpace(string(value)) }
