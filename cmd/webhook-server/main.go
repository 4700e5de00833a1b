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

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/signup"
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
	tracer, endTracing, err := startTracing(ctx, log.WithName("tracing"))
	if err != nil {
		return err
	}
	defer endTracing()
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
		Tracer: tracer,
	}
	if cfg.roles.Worker {
		var blobs *media.Blobs
		if blobs, err = openBlobs(ctx, cfg, log); err != nil {
			return err
		}
		if blobs != nil {
			defer func() { err = errors.Join(err, blobs.Close()) }()
		} else {
			log.Info("Customers' files are not kept: set --blobs")
		}
		answering, err := webhookserver.NewAnswering(webhookserver.AnsweringOptions{
			View: from.View(), Store: messages, Egress: cfg.egress, IndexMemory: cfg.indexMemory, Owner: owner(), Registry: registry, Log: log, Hints: hints, Blobs: blobs,
			MediaQuota: cfg.mediaQuota, Tracer: tracer,
		})
		if err != nil {
			return err
		}
		o.Received = answering.Received
		o.Workers = []webhookserver.Worker{answering, &webhookserver.Retention{View: from.View(), Store: messages, Log: log.WithName("retention")}}
	}
	if cfg.roles.Ingress && !cfg.roles.Worker {
		receiver := &outbox.Receiver{Store: messages, Snapshot: from.View().Snapshot, Owner: owner(), Log: log.WithName("receiver")}
		o.Received, o.Workers = receiver.Received, []webhookserver.Worker{receiver}
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

// owner names this process in leases, for people who read them.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + rand.Text()[:8]
}
