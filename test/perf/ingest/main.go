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
)

// options say how much is measured.
type options struct {
	sections string
	short    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.StringVar(&o.sections, "sections", "", "measure only these, separated by commas: closed, mix, open, batches, replicas, channels, latency, memory")
	flag.BoolVar(&o.short, "short", false, "measure far less, for a first look")
	flag.Parse()
	err := buildAndMeasure(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ingest: "+err.Error())
		os.Exit(1)
	}
}

func buildAndMeasure(ctx context.Context, o options) (err error) {
	bin, err := os.MkdirTemp("", "whatsapp-perf-")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(bin); err == nil {
			err = removeErr
		}
	}()
	build := exec.CommandContext(ctx, "go", "build", "-o", bin+string(filepath.Separator), "./cmd/webhook-server")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return measure(ctx, bin, o)
}
