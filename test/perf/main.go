package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options say how much is measured.
type options struct {
	only     string
	sections string
	requests int
	short    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.StringVar(&o.only, "only", "", "measure one thing: onboarding or operator; operator is measured alone only")
	flag.StringVar(&o.sections, "sections", "", "of the operator measure only these, separated by commas: onboarding, variants, channels, traffic; or exchanges, the first minute of onboarding, alone")
	flag.IntVar(&o.requests, "requests", 100, "OnboardingRequests to create")
	flag.BoolVar(&o.short, "short", false, "measure the operator with far fewer objects")
	flag.Parse()
	// The client library would complain, with a stack, that nobody told it where to log.
	ctrl.SetLogger(logr.Discard())
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "perf: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	sections, err := chooseSections(o.sections)
	if err != nil {
		return err
	}
	switch o.only {
	case "", "onboarding", "operator":
	default:
		return fmt.Errorf("-only must be onboarding or operator, not %q", o.only)
	}
	dir, err := os.MkdirTemp("", "whatsapp-perf-")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); err == nil {
			err = removeErr
		}
	}()
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/manager", "./cmd/webhook-server", "./cmd/metasim")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	if o.only == "operator" {
		size := fullSize
		if o.short {
			size = shortSize
		}
		return measureOperator(ctx, dir, size, sections)
	}
	if err := measureOnboarding(ctx, dir, o); err != nil {
		return fmt.Errorf("onboarding: %w", err)
	}
	return nil
}
