package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

// publicURL is the address that the sample MetaApp tells Meta. The simulator stands for the Ingress too: it leads this host to the
// webhook-server on loopback.
const publicURL = "https://hooks.example.com"

// Where things are, seen from the checkout's root, in which make runs the demo.
const (
	systemNamespace  = "whatsapp-system"
	runtimeNamespace = "whatsapp-runtime"
	managerAccount   = "whatsapp-operator-manager"
	serverAccount    = "webhook-server"
	samplesDir       = "config/samples"
)

// upTimeout bounds the wait for each of our programs.
const upTimeout = 60 * time.Second

// world is everything that runs.
type world struct {
	dir       string
	cluster   *localcluster.Cluster
	programs  []*program.Program // in the order of their start
	sim       *simulator
	simURL    string
	serverURL string
	opsURL    string
	// metricsURL is the base URL of the manager's metrics.
	metricsURL string
}

// newWorld starts everything and returns when it is ready; what was started is stopped again if something fails.
func newWorld(ctx context.Context, out *narrator) (_ *world, err error) {
	out.title("The world")
	w := &world{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "whatsapp-demo-"); err != nil {
		return nil, err
	}
	if err := w.build(ctx, out); err != nil {
		return nil, err
	}
	if w.cluster, err = localcluster.Start(ctx, localcluster.Options{Dir: filepath.Join(w.dir, "cluster"), Progress: out}); err != nil {
		return nil, err
	}
	for _, folder := range []string{"config/namespaces", "config/rbac"} {
		if _, err := w.cluster.Kubectl(ctx, "apply", "--server-side", "-k", folder); err != nil {
			return nil, err
		}
	}
	if err := w.cluster.ApplyCRDs(ctx, "config/crd"); err != nil {
		return nil, err
	}
	out.seen("namespaces, ServiceAccounts and kinds are installed from config/")
	if err := w.startPrograms(ctx, out); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *world) build(ctx context.Context, out *narrator) error {
	out.seen("building manager, webhook-server and metasim")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", w.dir+string(filepath.Separator), "./cmd/manager", "./cmd/webhook-server", "./cmd/metasim")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}

func (w *world) startPrograms(ctx context.Context, out *narrator) error {
	var addresses [6]string
	for i := range addresses {
		address, err := program.FreeAddress(ctx)
		if err != nil {
			return err
		}
		addresses[i] = address
	}
	simAddr, publicAddr, internalAddr, opsAddr, healthAddr, metricsAddr := addresses[0], addresses[1], addresses[2], addresses[3], addresses[4], addresses[5]
	w.simURL, w.serverURL, w.opsURL, w.metricsURL = "http://"+simAddr, "http://"+publicAddr, "http://"+opsAddr, "http://"+metricsAddr
	w.sim = newSimulator(w.simURL)
	host := strings.TrimPrefix(publicURL, "https://")
	if err := w.start(ctx, out, w.simURL+"/phone", "metasim", "--addr="+simAddr, "--route="+host+"="+publicAddr); err != nil {
		return err
	}
	serverConfig, err := w.cluster.KubeconfigFor(ctx, runtimeNamespace, serverAccount)
	if err != nil {
		return err
	}
	// The server is alive before it is ready: what it serves is projected by the manager, which starts after it.
	if err := w.start(ctx, out, w.opsURL+"/healthz", "webhook-server", "--kubeconfig="+serverConfig, "--runtime-namespace="+runtimeNamespace,
		"--addr="+publicAddr, "--internal-addr="+internalAddr, "--ops-addr="+opsAddr, "--store=sqlite:"+filepath.Join(w.dir, "messages.db"),
		"--meta-sdk-url="+w.simURL+"/en_US/sdk.js"); err != nil {
		return err
	}
	managerConfig, err := w.cluster.KubeconfigFor(ctx, systemNamespace, managerAccount)
	if err != nil {
		return err
	}
	return w.start(ctx, out, "http://"+healthAddr+"/readyz", "manager", "--kubeconfig="+managerConfig, "--leader-elect",
		"--health-probe-bind-address="+healthAddr, "--metrics-bind-address="+metricsAddr, "--webhook-server-urls=http://"+internalAddr,
		"--public-webhook-url="+publicURL, "--direct-namespace-selector=example.com/whatsapp=direct", "--graph-base-url="+w.simURL)
}

// start starts one program and waits until its URL answers 200.
func (w *world) start(ctx context.Context, out *narrator, url, name string, args ...string) error {
	p, err := program.Start(ctx, w.dir, filepath.Join(w.dir, name), args...)
	if err != nil {
		return err
	}
	w.programs = append(w.programs, p)
	if err := p.AwaitOK(ctx, url, upTimeout); err != nil {
		return err
	}
	out.seen("%s is up", name)
	return nil
}

// stop ends everything in the reverse order of its start and removes what it wrote.
func (w *world) stop() error {
	var errs []error
	for _, p := range slices.Backward(w.programs) {
		errs = append(errs, p.Stop())
	}
	if w.cluster != nil {
		errs = append(errs, w.cluster.Stop())
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// logTails are the ends of our programs' logs, for somebody who has to find out why the story stopped.
func (w *world) logTails() string {
	var tails []string
	for _, p := range w.programs {
		tails = append(tails, p.Tail())
	}
	return strings.Join(tails, "\n")
}

// invite says where to go on from here.
func (w *world) invite(out *narrator, link string) {
	kubectl := fmt.Sprintf("%s --kubeconfig=%s", filepath.Join(w.cluster.BinDir(), "kubectl"), w.cluster.AdminKubeconfig())
	out.title("It stays up until you press Ctrl-C")
	out.seen("play the customer:   %s/phone", w.simURL)
	out.seen("sign up a business:  %s", link)
	out.seen("approve it:          %s -n %s patch onboardingrequest %s --type=merge -p '{\"spec\":{\"wabaID\":\"%s\"}}'", kubectl, bike.namespace, bike.namespace, bike.waba)
	out.seen("what Meta saw:       %s/sim/v1/journal", w.simURL)
	out.seen("server metrics:      %s/metrics", w.opsURL)
	out.seen("look around:         %s get whatsapp -A", kubectl)
	out.seen("describe a channel:  %s -n lucky-shrub describe whatsappchannel lucky-shrub", kubectl)
	out.seen("logs:                %s/*.log", w.dir)
}

// await polls until check has nothing left to wish for, and fails with the last wish when the time is over. An error of check
// ends the wait at once.
func await(ctx context.Context, timeout time.Duration, check func(context.Context) (missing string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	last := "everything"
	for {
		missing, err := check(ctx)
		switch {
		case ctx.Err() != nil: // the look itself was cut off and says nothing
		case err != nil:
			return err
		case missing == "":
			return nil
		default:
			last = missing
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s still missing: %s", timeout, last)
		case <-ticker.C:
		}
	}
}
