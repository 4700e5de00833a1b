package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopTimeout is how long a program gets to drain: the manager's own bound is 25 seconds.
const stopTimeout = 40 * time.Second

const (
	// pollInterval is short against the seconds that a start takes.
	pollInterval = 100 * time.Millisecond
	// probeTimeout bounds one look at a program that starts.
	probeTimeout = 2 * time.Second
)

// logTailBytes of a program's log are shown when the story fails.
const logTailBytes = 3 << 10

// Program is a running child.
type Program struct {
	// Name of its binary.
	Name string
	// LogPath is the file that holds its output.
	LogPath string

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, valid once exited is closed
}

// Start starts a binary that runs until Stop, also when ctx ends before; its output goes to a file in dir.
func Start(ctx context.Context, dir, binary string, args ...string) (*Program, error) {
	name := filepath.Base(binary)
	p := &Program{Name: name, LogPath: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.LogPath)
	if err != nil {
		return nil, err
	}
	// An interrupt must drain the programs, not kill them.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// An interrupt from the terminal goes to the parent alone, which then stops its children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, log.Close()
}

// Alive returns an error when the program has ended by itself.
func (p *Program) Alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended by itself: %w", p.Name, p.err)
	default:
		return nil
	}
}

// Stop asks the program to end and waits for it; a program that doesn't drain in time is an error.
func (p *Program) Stop() error {
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.Name, stopTimeout), p.cmd.Process.Kill())
	}
}

// AwaitOK waits until the URL answers 200, the program ends by itself, or the time is over.
func (p *Program) AwaitOK(ctx context.Context, url string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := &http.Client{Timeout: probeTimeout}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		missing := p.probe(ctx, client, url)
		if missing == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%w\n%s", p.Alive(), p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w\n%s", p.Name, timeout, missing, p.Tail())
		case <-ticker.C:
		}
	}
}

func (*Program) probe(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %d", resp.StatusCode)
	}
	return nil
}

// Tail is the end of the program's log.
func (p *Program) Tail() string {
	log, err := os.ReadFile(p.LogPath)
	if err != nil {
		return err.Error()
	}
	if len(log) > logTailBytes {
		log = log[len(log)-logTailBytes:]
	}
	return fmt.Sprintf("--- end of %s\n%s", p.LogPath, bytes.TrimSpace(log))
}

// The ports of FreeAddress. Kernels give none of them to those who listen on any port.
const (
	firstPort = 20000
	ports     = 10000
)

// FreeAddress is a loopback address that nobody listens on now. Until the program does, other tests start servers by the dozen, each on
// any port, so it is none that they could get.
func FreeAddress(ctx context.Context) (string, error) {
	for {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(ports)))
		switch {
		case err == nil:
			return l.Addr().String(), l.Close()
		case ctx.Err() != nil || !errors.Is(err, syscall.EADDRINUSE):
			return "", err
		}
	}
}
