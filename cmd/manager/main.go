package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"
	_ "time/tzdata" // spec.timeZone must not depend on what the image has

	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	kubeconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/whatsapp-operator/whatsapp-operator/controllers"
)

// unlimited switches off the client's own rate limit: the API server protects itself (priority and fairness), and a signup code that waits
// in a client's queue dies there.
const unlimited = -1

// cacheProbe is how long a readiness probe looks at the caches.
const cacheProbe = 500 * time.Millisecond

// config is what the flags say.
type config struct {
	controllers    controllers.Options
	leaderElection bool
	metricsAddress string
	healthAddress  string
	log            zap.Options
}

func main() {
	cfg, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctrl.SetLogger(zap.New(zap.UseFlagOptions(&cfg.log)))
		err = run(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func parse(args []string) (config, error) {
	var cfg config
	o := &cfg.controllers
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	fs.StringVar(&o.SystemNamespace, "namespace", "whatsapp-system", "namespace of the manager: MetaApps' Secrets, kept tokens, credit ledger")
	fs.StringVar(&o.RuntimeNamespace, "runtime-namespace", "whatsapp-runtime", "namespace of the webhook-server and of what is projected for it")
	fs.StringVar(&o.SignupNamespace, "signup-namespace", "whatsapp-signup", "namespace that receives signup codes")
	fs.BoolVar(&cfg.leaderElection, "leader-elect", false, "elect a leader among several replicas; signup codes are exchanged by each")
	fs.StringVar(&cfg.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 switches it off")
	fs.StringVar(&cfg.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 switches them off")
	fs.StringVar(&o.ServerService, "webhook-server-service", "webhook-server-internal",
		"Service, in the runtime namespace, of the webhook-server's internal API; its EndpointSlices name the replicas")
	fs.Func("webhook-server-urls", "base URLs of the replicas' internal API, separated by commas, in place of the Service", func(v string) error {
		o.ServerURLs = strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
		return nil
	})
	fs.Func("public-webhook-url", "public https base URL of the webhook-server, for direct channels that bring their own Meta app", func(v string) error {
		if !strings.HasPrefix(v, "https://") {
			return errors.New("it must start with https://")
		}
		o.PublicWebhookURL = strings.TrimRight(v, "/")
		return nil
	})
	fs.Func("direct-namespace-selector", "label selector of the namespaces in which direct channels are allowed; none when not given", selector(func(s labels.Selector) { o.DirectNamespaces = s }))
	fs.StringVar(&o.DefaultModelsSecret, "default-models-secret", "", "Secret, in the manager's namespace, of the models for channels that name none; see docs/whatsappchannel.md")
	fs.Func("default-models-namespace-selector", "label selector of the namespaces whose channels may use those models; none when not given", selector(func(s labels.Selector) { o.DefaultModelsNamespaces = s }))
	fs.StringVar(&o.GraphBaseURL, "graph-base-url", "", "address of the Graph API for apps that name none; empty means https://graph.facebook.com")
	fs.DurationVar(&o.CheckInterval, "check-interval", 0, "how often what is Ready is compared with Meta; 0 means 30m")
	fs.DurationVar(&o.ReferenceInterval, "reference-interval", 0, "how often tenants' Secrets and ConfigMaps are read again; 0 means 5m")
	fs.DurationVar(&o.ReportInterval, "report-interval", 0, "how often the webhook-server is asked for reports; 0 means 2s")
	fs.IntVar(&o.Workers, "workers", 0, "objects of one kind that are reconciled at once; 0 means 8")
	kubeconfig.RegisterFlags(fs)
	cfg.log.BindFlags(fs)
	if err := fs.Parse(args); err != nil {
		return config{}, err
	}
	if fs.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if l := cfg.log.Level; l != nil && l.Enabled(-controllers.MaxLogVerbosity-1) {
		return config{}, fmt.Errorf("--zap-log-level may be %d at most: above it the Kubernetes client would log what it sends, Secrets included", controllers.MaxLogVerbosity)
	}
	return cfg, nil
}

// selector reads a flag that selects namespaces. To Kubernetes an empty selector means everything; here it means nobody.
func selector(set func(labels.Selector)) func(string) error {
	return func(v string) error {
		parsed, err := labels.Parse(v)
		if err == nil && parsed.Empty() {
			parsed = nil
		}
		set(parsed)
		return err
	}
}

// gcPercent keeps garbage small beside what the caches hold for good: a manager that rests makes little, and thousands of channels
// would take twice the memory that they need. $GOGC outranks it.
const gcPercent = 40

// run runs the controllers until the process is told to stop, and waits for work in flight.
func run(cfg config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	restConfig.QPS = unlimited
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	o := controllers.ManagerOptions(scheme, cfg.controllers)
	o.LeaderElection = cfg.leaderElection
	o.Metrics = server.Options{BindAddress: cfg.metricsAddress}
	o.HealthProbeBindAddress = cfg.healthAddress
	mgr, err := ctrl.NewManager(restConfig, o)
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesFilled(mgr.GetCache())); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	if err := controllers.Setup(mgr, cfg.controllers); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

// cachesFilled is ready when the manager sees the cluster. It doesn't wait: a probe that hangs says less than one that fails.
func cachesFilled(caches cache.Cache) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), cacheProbe)
		defer cancel()
		if !caches.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet; can the API server be reached, and is config/rbac applied?")
		}
		return nil
	}
}
