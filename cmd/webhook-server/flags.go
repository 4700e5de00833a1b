package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/signup"
)

// minIndexMemory holds the index of one usual shop.
const minIndexMemory = 16 << 20

// config is what the flags say.
type config struct {
	channelsDir, kubeconfig           string
	runtimeNamespace, signupNamespace string
	store                             storeFlag
	migrate                           bool
	blobs                             string
	mediaQuota                        int64
	roles                             webhookserver.Roles
	addr, internalAddr, opsAddr       string
	drainDelay                        time.Duration
	egress                            egress.Policy
	sdk                               signup.SDK
	indexMemory                       int64
	logLevel                          slog.Level
}

func parse(args []string) (config, error) {
	var cfg config
	rolesGiven := false
	fs := flag.NewFlagSet("webhook-server", flag.ContinueOnError)
	fs.StringVar(&cfg.channelsDir, "channels-dir", "", "directory of channels, in place of Kubernetes; see docs/channels-dir.md")
	fs.StringVar(&cfg.kubeconfig, "kubeconfig", "", "kubeconfig; empty means the service account of the pod")
	fs.StringVar(&cfg.runtimeNamespace, "runtime-namespace", "whatsapp-runtime", "namespace of what the manager projects")
	fs.StringVar(&cfg.signupNamespace, "signup-namespace", "whatsapp-signup", "namespace in which signup codes are handed over to the manager")
	fs.StringVar(&cfg.addr, "addr", ":8080", "address for Meta's webhooks and the signup page")
	fs.StringVar(&cfg.internalAddr, "internal-addr", ":8081", "address of the internal API, for the manager")
	fs.StringVar(&cfg.opsAddr, "ops-addr", ":8082", "address of /healthz, /readyz and /metrics")
	fs.DurationVar(&cfg.drainDelay, "drain-delay", webhookserver.DefaultDrainDelay, "how long to go on accepting after becoming unready")
	fs.TextVar(&cfg.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	fs.Var(&cfg.store, "store", "where messages are kept: sqlite:/path/to/file.db, on a local disk, or postgres:/path/to/file, which holds the DSN (required)")
	fs.BoolVar(&cfg.migrate, "migrate", true, `bring an older schema up to date at start; with false the server refuses it, and "webhook-server migrate" does it`)
	fs.StringVar(&cfg.blobs, "blobs", "", "where customers' files are kept: file:///path or s3://bucket?region=REGION (default the directory blobs beside a SQLite store, "+
		"and nowhere with PostgreSQL)")
	cfg.mediaQuota = media.DefaultQuota
	fs.Func("media-quota", "how much is kept of one number's files, in and out, such as 20Gi; what comes beyond stays at Meta (default 2Gi)", func(v string) (err error) {
		cfg.mediaQuota, err = parseMediaQuota(v)
		return err
	})
	fs.Func("roles", "what this process does: ingress, worker, signup, separated by commas (default all; signup needs Kubernetes)", func(v string) (err error) {
		rolesGiven = true
		cfg.roles, err = webhookserver.ParseRoles(v)
		return err
	})
	fs.Func("meta-sdk-url", "address of Meta's JavaScript SDK; set it only where a simulator plays Meta (default "+signup.DefaultSDK+")", func(v string) (err error) {
		cfg.sdk, err = signup.ParseSDK(v)
		return err
	})
	cfg.indexMemory = webhookserver.DefaultIndexMemory
	fs.Func("index-memory", "memory for the search indexes of all channels together, such as 600Mi; those not in use are built again when needed (default 256Mi)", func(v string) error {
		q, err := resource.ParseQuantity(v)
		if err != nil || q.Value() < minIndexMemory {
			return errors.New("it must be a quantity of at least 16Mi, such as 600Mi")
		}
		cfg.indexMemory = q.Value()
		return nil
	})
	fs.Func("egress-allow-cidrs", "private networks that tenants' models, catalogs and pages may be in, such as 10.20.0.0/16; may be repeated", func(v string) error {
		for text := range strings.SplitSeq(v, ",") {
			prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
			if err != nil {
				return errors.New("it must look like 10.20.0.0/16")
			}
			cfg.egress.Allow = append(cfg.egress.Allow, prefix)
		}
		return nil
	})
	fs.Func("egress-ca-file", "PEM file of further certificate authorities for tenants' models, beside the system's", func(v string) (err error) {
		cfg.egress.RootCAs, err = readAuthorities(v)
		return err
	})
	var proxyErr error // the flag package would quote the value with it
	fs.Func("egress-proxy", "http proxy for tenants' models, such as http://proxy.example:3128; none is taken from the environment", func(v string) error {
		cfg.egress.Proxy, proxyErr = parseProxy(v)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return config{}, err
	}
	if !rolesGiven {
		// Codes are handed over through Kubernetes.
		cfg.roles = webhookserver.Roles{Ingress: true, Worker: true, Signup: cfg.channelsDir == ""}
	}
	switch {
	case cfg.roles.Signup && cfg.channelsDir != "":
		return config{}, errors.New("--roles=signup needs Kubernetes, so it excludes --channels-dir")
	case fs.NArg() > 0:
		return config{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case proxyErr != nil:
		return config{}, proxyErr
	case cfg.store.err != nil:
		return config{}, cfg.store.err
	case cfg.store.kind == "":
		return config{}, errors.New("--store is required, such as --store=sqlite:/var/lib/whatsapp/messages.db")
	case cfg.channelsDir != "" && cfg.kubeconfig != "":
		return config{}, errors.New("--channels-dir and --kubeconfig exclude each other")
	}
	return cfg, nil
}

func parseMediaQuota(v string) (int64, error) {
	q, err := resource.ParseQuantity(v)
	if err != nil || q.Value() <= 0 {
		return 0, errors.New("it must be a quantity above 0, such as 20Gi")
	}
	return q.Value(), nil
}
