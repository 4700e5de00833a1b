package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// Webhook attempts in flight end at once; a hanging client must not keep the process.
const shutdownTimeout = 5 * time.Second

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], log, nil)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Error("metasim failed", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. started, when not nil, is told the base URL.
func run(ctx context.Context, args []string, log *slog.Logger, started func(url string)) error {
	addr, o, err := parse(args)
	if err != nil {
		return err
	}
	o.Log = log
	srv, err := metasim.Start(addr, o)
	if err != nil {
		return err
	}
	log.Info("metasim serves", "graph", srv.URL, "admin", srv.URL+"/sim/v1/world", "phone", srv.URL+"/phone")
	if started != nil {
		started(srv.URL)
	}
	<-ctx.Done()
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return srv.Close(closeCtx)
}

func parse(args []string) (string, metasim.Options, error) {
	o := metasim.Options{Routes: map[string][]string{}}
	fs := flag.NewFlagSet("metasim", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:9180", "address to serve on")
	seedFile := fs.String("seed-file", "", "YAML or JSON world; the demo world when empty")
	fs.DurationVar(&o.CodeTTL, "code-ttl", 30*time.Second, "life of signup codes")
	fs.Float64Var(&o.TimeScale, "time-scale", 10_000, "how much faster than Meta webhooks are retried")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of generated ids, tokens and secrets")
	fs.StringVar(&o.PublicURL, "public-url", "", "base of media URLs; the host of the request when empty")
	fs.Func("route", "host=ip:port: call webhooks for this public host at a loopback address (repeatable)", func(v string) error {
		host, target, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("%q is not host=ip:port", v)
		}
		o.Routes[host] = append(o.Routes[host], target)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return "", o, err
	}
	if fs.NArg() > 0 {
		return "", o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.World = metasim.DemoWorld()
	if *seedFile != "" {
		data, err := os.ReadFile(*seedFile)
		if err != nil {
			return "", o, fmt.Errorf("seed file: %w", err)
		}
		if o.World, err = metasim.ParseWorld(data); err != nil {
			return "", o, err
		}
	}
	return *addr, o, nil
}
