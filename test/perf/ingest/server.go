package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

// readyTimeout bounds the start of one of our programs.
const readyTimeout = 60 * time.Second

// serverOptions say how the product's binary runs.
type serverOptions struct {
	on       string
	channels int
	// roles are both if empty.
	roles string
	// graph is the address of the stand-in for Meta, if replies are to be sent.
	graph string
	// dsn of a database that another replica has already; a fresh one if empty.
	dsn string
}

// instance is a running webhook-server.
type instance struct {
	addr, ops string
	*program.Program
}

// startServer runs the product's own binary with its configuration from a directory.
func (b *bench) startServer(ctx context.Context, o serverOptions) (*instance, error) {
	dir, err := b.place()
	if err != nil {
		return nil, err
	}
	channels := filepath.Join(dir, "channels")
	if err := writeChannels(channels, b.secret, o); err != nil {
		return nil, err
	}
	storeFlag := "--store=sqlite:" + filepath.Join(dir, "messages.db")
	if o.on == onPostgres {
		if o.dsn == "" {
			if o.dsn, err = b.schema(ctx); err != nil {
				return nil, err
			}
		}
		path := filepath.Join(dir, "dsn")
		if err := os.WriteFile(path, []byte(o.dsn), 0o600); err != nil {
			return nil, err
		}
		storeFlag = "--store=postgres:" + path
	}
	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = program.FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	args := []string{
		"--channels-dir=" + channels, storeFlag, "--addr=" + addresses[0], "--internal-addr=" + addresses[1], "--ops-addr=" + addresses[2],
		"--drain-delay=0s", "--egress-allow-cidrs=127.0.0.0/8",
	}
	if o.roles != "" {
		args = append(args, "--roles="+o.roles)
	}
	p, err := program.Start(ctx, dir, filepath.Join(b.bin, "webhook-server"), args...)
	if err != nil {
		return nil, err
	}
	b.later(func(context.Context) error { return p.Stop() })
	if err := p.AwaitOK(ctx, "http://"+addresses[2]+"/readyz", readyTimeout); err != nil {
		return nil, err
	}
	return &instance{addr: addresses[0], ops: "http://" + addresses[2], Program: p}, nil
}

// metric reads one value without labels that the server exports.
func (i *instance) metric(ctx context.Context, name string) (value float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.ops+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("the server has no metric %s", name), lines.Err())
}

// writeChannels writes the projection of one app and its channels, as the manager would.
func writeChannels(dir string, secret []byte, o serverOptions) error {
	graph := runtimeconfig.Graph{BaseURL: "http://127.0.0.1:1", Version: "v25.0"}
	if o.graph != "" {
		graph.BaseURL = o.graph
	}
	app := &runtimeconfig.App{Name: "bench", AppID: benchApp, Graph: graph, AppSecret: redact.New(string(secret))}
	object, err := app.Object()
	if err != nil {
		return err
	}
	if err := writeObject(dir, object); err != nil {
		return err
	}
	for i := range int64(o.channels) {
		channel := &runtimeconfig.Channel{
			Namespace: "bench", Name: fmt.Sprintf("bench-%d", i), LineID: fmt.Sprintf("line-%032d", i), PhoneNumberID: benchPhone(i), WABAID: benchWABA(i),
			AppID: benchApp, Graph: graph, MessagesPerSecond: 80, PlanActive: true, Retention: runtimeconfig.Duration(216 * time.Hour),
			AccessToken: redact.New("EAAGbench"),
			Assistant:   runtimeconfig.Assistant{Enabled: true, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
		}
		object, err := channel.Object()
		if err != nil {
			return err
		}
		if err := writeObject(dir, object); err != nil {
			return err
		}
	}
	return nil
}

func writeObject(dir string, object runtimeconfig.Object) error {
	if err := os.MkdirAll(filepath.Join(dir, object.Name), 0o750); err != nil {
		return err
	}
	for key, value := range object.Data {
		if err := os.WriteFile(filepath.Join(dir, object.Name, key), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}
