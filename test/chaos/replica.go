package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

const (
	// readyTimeout bounds a start, also one that has to wait for its database.
	readyTimeout = time.Minute
	// scrapeTimeout bounds one look at the metrics.
	scrapeTimeout = 10 * time.Second
)

// replica is one process of the webhook-server, which starts again at the same addresses.
type replica struct {
	dir, binary string
	args        []string
	public, ops string
	internal    string

	// mu is held while the process starts, restarts or ends.
	mu     sync.Mutex
	starts int
	live   *program.Program
}

func newReplica(ctx context.Context, dir, binary string, args ...string) (*replica, error) {
	r := &replica{dir: dir, binary: binary, args: args}
	for _, address := range []*string{&r.public, &r.internal, &r.ops} {
		var err error
		if *address, err = program.FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// start starts the process and waits until it is ready.
func (r *replica) start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.launch(ctx); err != nil {
		return err
	}
	return r.live.AwaitOK(ctx, "http://"+r.ops+"/readyz", readyTimeout)
}

func (r *replica) launch(ctx context.Context) error {
	r.starts++
	dir := filepath.Join(r.dir, "start-"+strconv.Itoa(r.starts)) // of each its own log
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	p, err := program.Start(ctx, dir, r.binary, append([]string{
		"--addr=" + r.public, "--internal-addr=" + r.internal, "--ops-addr=" + r.ops, "--drain-delay=0s",
	}, r.args...)...)
	if err != nil {
		return err
	}
	r.live = p
	return nil
}

// restart kills the process and starts it again. One that can't start, because its database is away, is started until it can.
func (r *replica) restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.live.Kill(); err != nil {
		return err
	}
	for {
		if !pause(ctx, restartPause) {
			return ctx.Err()
		}
		if err := r.launch(ctx); err != nil {
			return err
		}
		deadline := time.Now().Add(readyTimeout)
		for r.live.Alive() == nil && time.Now().Before(deadline) {
			if r.live.AwaitOK(ctx, "http://"+r.ops+"/readyz", scrapeTimeout) == nil {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// stop asks the process to end.
func (r *replica) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == nil {
		return nil
	}
	if err := r.live.Stop(); err != nil {
		return err
	}
	p := r.live
	r.live = nil
	if err := p.Alive(); err != nil && strings.Contains(err.Error(), "exit status") {
		return fmt.Errorf("it did not end in order: %w\n%s", err, p.Tail())
	}
	return nil
}

// metrics reads the values of the process's metrics by name with labels.
func (r *replica) metrics(ctx context.Context) (values map[string]float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.ops+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Timeout: scrapeTimeout}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := res.Body.Close(); err == nil {
			err = closeErr
		}
	}()
	values = map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = v
		}
	}
	return values, lines.Err()
}

// pause waits and tells whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
