package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// leaseName is the leader's Lease, in the system namespace.
	leaseName = "whatsapp-operator-manager"
	// shutdownPatience is how long a manager that is told to stop waits for its work: a running exchange may take 10 seconds to hear from Meta and 25 to keep its
	// token, and a token that isn't kept is lost.
	shutdownPatience = 40 * time.Second
	// eventSource is who events are said to come from.
	eventSource = "whatsapp-operator"
)

// Scheme knows the types that the controllers read and write.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build scheme: %w", err)
		}
	}
	return scheme, nil
}

// MaxLogVerbosity is the highest verbosity of a manager's log. From the next one on the Kubernetes client, which logs by the same
// logger, writes the bodies of its requests, and Secrets are among them.
const MaxLogVerbosity = 7

// ManagerOptions are what the controllers need of their manager. Addresses and leader election are the caller's to add.
func ManagerOptions(scheme *runtime.Scheme, o Options) ctrl.Options {
	o = o.withDefaults()
	ours := map[string]cache.Config{o.SystemNamespace: {}, o.RuntimeNamespace: {}, o.SignupNamespace: {}}
	return ctrl.Options{
		Scheme:                  scheme,
		LeaderElectionID:        leaseName,
		LeaderElectionNamespace: o.SystemNamespace,
		// The process waits for running work before it ends, so the next leader may begin at once.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       new(shutdownPatience),
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				// Tenants' Secrets are never listed or watched, and of our own only the metadata.
				&corev1.Secret{}:    {Namespaces: ours},
				&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{o.SystemNamespace: {}}},
			},
		},
		Client: client.Options{Cache: &client.CacheOptions{
			DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &discoveryv1.EndpointSlice{}},
		}},
	}
}

// Setup registers all controllers.
func Setup(mgr ctrl.Manager, o Options) error {
	o = o.withDefaults()
	live, cached := mgr.GetAPIReader(), mgr.GetClient()
	httpClient := serverapi.NewHTTPClient()
	shared := &shared{
		status:       &statusWriter{client: cached, recorder: mgr.GetEventRecorder(eventSource)},
		apps:         &graphApps{cached: cached, live: live, namespace: o.SystemNamespace, clients: &graphClients{baseURL: o.GraphBaseURL}},
		projector:    &projector{client: cached, live: live, namespace: o.RuntimeNamespace},
		servers:      &servers{live: live, http: httpClient, namespace: o.RuntimeNamespace, service: o.ServerService, urls: o.ServerURLs},
		vault:        &vault.Vault{Reader: live, Writer: cached, Namespace: o.SystemNamespace},
		leftovers:    &leftovers{live: live, writer: cached, namespace: o.SystemNamespace},
		observations: &observations{},
		channels:     make(chan event.GenericEvent, woken),
		requests:     make(chan event.GenericEvent, woken),
	}
	for _, add := range []func(ctrl.Manager, Options) error{shared.addMetaApps, shared.addChannels, shared.addOnboarding, shared.addRunnables} {
		if err := add(mgr, o); err != nil {
			return err
		}
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		httpClient.CloseIdleConnections()
		return nil
	}))
}

// shared is what the controllers have in common.
type shared struct {
	status             *statusWriter
	apps               *graphApps
	projector          *projector
	servers            *servers
	vault              *vault.Vault
	leftovers          *leftovers
	subscriptions      subscriptions
	observations       *observations
	channels, requests chan event.GenericEvent
}

func (s *shared) addMetaApps(mgr ctrl.Manager, o Options) error {
	r := &MetaAppReconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), status: s.status, apps: s.apps, projector: s.projector, servers: s.servers,
		leftovers: s.leftovers, checks: &checks{}, options: o,
	}
	if err := r.setup(mgr); err != nil {
		return fmt.Errorf("set up the MetaApp controller: %w", err)
	}
	return nil
}

func (s *shared) addChannels(mgr ctrl.Manager, o Options) error {
	r := &WhatsAppChannelReconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), status: s.status, apps: s.apps, vault: s.vault, projector: s.projector,
		subscriptions: &s.subscriptions, servers: s.servers, leftovers: s.leftovers, checks: &checks{}, observations: s.observations, options: o,
	}
	if err := r.setup(mgr, s.channels); err != nil {
		return fmt.Errorf("set up the WhatsAppChannel controller: %w", err)
	}
	return nil
}

func (s *shared) addOnboarding(mgr ctrl.Manager, o Options) error {
	gate := &exchangeGate{apps: s.apps, live: mgr.GetAPIReader()}
	exchange := &ExchangeReconciler{client: mgr.GetClient(), gate: gate, vault: s.vault, clock: clock.RealClock{}, places: &places{stays: guestStays}}
	if err := exchange.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the exchange controller: %w", err)
	}
	signups := &SignupReconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), exchange: exchange, recorder: s.status.recorder, clock: clock.RealClock{},
		systemNamespace: o.SystemNamespace, runtimeNamespace: o.RuntimeNamespace, namespace: o.SignupNamespace,
	}
	if err := signups.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the signup controller: %w", err)
	}
	requests := &OnboardingRequestReconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), apps: s.apps, gate: gate, places: exchange.places, vault: s.vault,
		ledger:    &credit.Ledger{Reader: mgr.GetAPIReader(), Writer: mgr.GetClient(), Namespace: o.SystemNamespace},
		leftovers: s.leftovers, projector: s.projector, subscriptions: &s.subscriptions, status: s.status, clock: clock.RealClock{}, workers: o.Workers,
		tests: func(ctx context.Context) (testSender, error) { return s.servers.Any(ctx) },
	}
	if err := requests.SetupWithManager(mgr, s.requests); err != nil {
		return fmt.Errorf("set up the OnboardingRequest controller: %w", err)
	}
	return nil
}

func (s *shared) addRunnables(mgr ctrl.Manager, o Options) error {
	pull := &reports{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), servers: s.servers, observations: s.observations, options: o,
		channels: s.channels, requests: s.requests,
	}
	if err := mgr.Add(pull); err != nil {
		return fmt.Errorf("set up the reports: %w", err)
	}
	sweep := &sweeper{client: mgr.GetClient(), live: mgr.GetAPIReader(), projector: s.projector, now: time.Now}
	if err := mgr.Add(sweep); err != nil {
		return fmt.Errorf("set up the sweep: %w", err)
	}
	return nil
}
