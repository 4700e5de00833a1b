package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

// readyTimeout bounds the start of one of our programs.
const readyTimeout = 30 * time.Second

// The number that load is for.
const (
	benchPhone = "106540352242922"
	benchWABA  = "102290129340398"
	benchApp   = "670843887433847"
)

// measureIngest runs the floor and the webhook-server in turns, so that what disturbs the machine disturbs both.
func measureIngest(ctx context.Context, dir string, o options) error {
	fmt.Printf("Durable ingest on SQLite: %d connections, closed loop, %d rounds of %s each\n\n", connections, o.rounds, o.duration)
	fmt.Printf("%-8s %26s %26s %8s\n", "round", "bare handler", "webhook-server", "ratio")
	secret := []byte("0123456789abcdef0123456789abcdef")
	var ratios []float64
	for round := range o.rounds {
		roundDir := filepath.Join(dir, fmt.Sprintf("round-%d", round))
		if err := os.Mkdir(roundDir, 0o750); err != nil {
			return err
		}
		bare, err := driveFloor(ctx, roundDir, secret, o.duration)
		if err != nil {
			return fmt.Errorf("bare handler: %w", err)
		}
		ours, err := driveServer(ctx, dir, roundDir, secret, o.duration)
		if err != nil {
			return fmt.Errorf("webhook-server: %w", err)
		}
		ratio := ours.perSecond / bare.perSecond
		ratios = append(ratios, ratio)
		fmt.Printf("%-8d %26s %26s %8.2f\n", round+1, bare, ours, ratio)
	}
	slices.SortFunc(ratios, cmp.Compare)
	fmt.Printf("\nwebhook-server ÷ bare handler, median: %.2f\n\n", ratios[len(ratios)/2])
	return nil
}

// String shows a rate and latencies in one cell.
func (f figures) String() string {
	return fmt.Sprintf("%6.0f/s p50 %s p99 %s", f.perSecond, f.p50.Round(100*time.Microsecond), f.p99.Round(100*time.Microsecond))
}

func driveFloor(ctx context.Context, dir string, secret []byte, duration time.Duration) (_ figures, err error) {
	f, url, err := startFloor(ctx, dir, secret)
	if err != nil {
		return figures{}, err
	}
	defer func() {
		if stopErr := f.stop(ctx); err == nil {
			err = stopErr
		}
	}()
	return warmAndDrive(ctx, url, secret, duration)
}

// driveServer runs the product's own binary, in the role that takes webhooks, with its configuration from a directory.
func driveServer(ctx context.Context, binDir, dir string, secret []byte, duration time.Duration) (_ figures, err error) {
	channels := filepath.Join(dir, "channels")
	if err := writeChannels(channels, secret); err != nil {
		return figures{}, err
	}
	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = program.FreeAddress(ctx); err != nil {
			return figures{}, err
		}
	}
	p, err := program.Start(ctx, dir, filepath.Join(binDir, "webhook-server"), "--roles=ingress", "--channels-dir="+channels,
		"--store=sqlite:"+filepath.Join(dir, "messages.db"), "--addr="+addresses[0], "--internal-addr="+addresses[1], "--ops-addr="+addresses[2])
	if err != nil {
		return figures{}, err
	}
	defer func() {
		if stopErr := p.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := p.AwaitOK(ctx, "http://"+addresses[2]+"/readyz", readyTimeout); err != nil {
		return figures{}, err
	}
	return warmAndDrive(ctx, "http://"+addresses[0]+webhookPath, secret, duration)
}

// warmAndDrive leaves the first second out: connections are made, files grow, the customers are new.
func warmAndDrive(ctx context.Context, url string, secret []byte, duration time.Duration) (figures, error) {
	var sequence atomic.Int64
	if _, err := drive(ctx, url, secret, &sequence, time.Second); err != nil {
		return figures{}, err
	}
	return drive(ctx, url, secret, &sequence, duration)
}

// writeChannels writes the projection of one app and one channel, as the manager would.
func writeChannels(dir string, secret []byte) error {
	app := &runtimeconfig.App{
		Name: "bench", AppID: benchApp, Graph: runtimeconfig.Graph{BaseURL: "http://127.0.0.1:1", Version: "v25.0"}, AppSecret: redact.New(string(secret)),
	}
	channel := &runtimeconfig.Channel{
		Namespace: "bench", Name: "bench", LineID: "bench", PhoneNumberID: benchPhone, WABAID: benchWABA, AppID: benchApp, Graph: app.Graph,
		MessagesPerSecond: 80, PlanActive: true, Retention: runtimeconfig.Duration(216 * time.Hour), AccessToken: redact.New("EAAGbench"),
		Assistant: runtimeconfig.Assistant{Enabled: true, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
	}
	for _, encode := range []func() (runtimeconfig.Object, error){app.Object, channel.Object} {
		object, err := encode()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, object.Name), 0o750); err != nil {
			return err
		}
		for key, value := range object.Data {
			if err := os.WriteFile(filepath.Join(dir, object.Name, key), value, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
