package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // spec.timeZone must not depend on what the image has

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webhook-server:", err)
		os.Exit(1)
	}
}

// command runs what the first argument names; without a name it serves.
func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "migrate":
			return migrate(ctx, args[1:], os.Stdout)
		case "erase":
			return erase(ctx, args[1:], os.Stdout)
		}
	}
	cfg, err := parse(args)
	if err != nil {
		return err
	}
	return run(ctx, cfg)
}

// run serves until ctx is done.
func run(ctx context.Context, cfg config) (err error) {
	defer holdSpareHeap()()
	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.logLevel}))
	cluster, err := newCluster(cfg)
	if err != nil {
		return err
	}
	from, err := newSource(cfg, cluster, log.WithName("source"))
	if err != nil {
		return err
	}
	messages, hints, err := openStore(ctx, cfg.store, cfg.migrate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, messages.Close()) }() // last: everything else has ended by then
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		webhookserver.NewStats(context.WithoutCancel(ctx), messages, log.WithName("stats")))
	o := webhookserver.Options{
		Source: from, Store: messages, Roles: cfg.roles, TextPayload: outbox.TextPayload, DrainDelay: cfg.drainDelay,
		PublicAddr: cfg.addr, InternalAddr: cfg.internalAddr, OpsAddr: cfg.opsAddr, Registry: registry, Log: log,
	}
	if cfg.roles.Worker {
		var blobs *media.Blobs
		if blobs, err = openBlobs(ctx, cfg); err != nil {
			return err
		}
		if blobs != nil {
			defer func() { err = errors.Join(err, blobs.Close()) }()
		} else {
			log.Info("Customers' files are not kept: set --blobs")
		}
		answering, err := webhookserver.NewAnswering(webhookserver.AnsweringOptions{
			View: from.View(), Store: messages, Egress: cfg.egress, IndexMemory: cfg.indexMemory, Owner: owner(), Registry: registry, Log: log, Hints: hints, Blobs: blobs,
		})
		if err != nil {
			return err
		}
		o.Received = answering.Received
		o.Workers = []webhookserver.Worker{answering, &webhookserver.Retention{View: from.View(), Store: messages, Log: log.WithName("retention")}}
	}
	if cfg.roles.Signup {
		o.Signup, err = signup.New(signup.Options{
			View: from.View(), Handover: signup.NewKubernetes(cluster, cfg.signupNamespace), SDK: cfg.sdk, Metrics: registry,
			Log: log.WithName("signup"), Now: time.Now,
		})
		if err != nil {
			return err
		}
	}
	server, err := webhookserver.New(ctx, o)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// newCluster makes a client of the cluster; nil for a server that runs without one.
func newCluster(cfg config) (kubernetes.Interface, error) {
	if cfg.channelsDir != "" {
		return nil, nil //nolint:nilnil // "none" is an answer here: such a server has a directory
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", cfg.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; outside of one, set --kubeconfig or --channels-dir", err)
	}
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	return client, nil
}

func newSource(cfg config, cluster kubernetes.Interface, log logr.Logger) (webhookserver.Source, error) {
	if cfg.channelsDir != "" {
		return source.NewDirectory(cfg.channelsDir, log)
	}
	return source.NewKubernetes(cluster, cfg.runtimeNamespace, log)
}

// owner names this process in leases, for people who read them.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + rand.Text()[:8]
}
