package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunServesAndStops(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "world.yaml")
	if err := os.WriteFile(seed, []byte("apps: [{id: \"77\", name: Seeded}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	urls, done := make(chan string, 1), make(chan error, 1)
	go func() {
		args := []string{"--addr=127.0.0.1:0", "--seed-file=" + seed, "--route=hooks.example.com=127.0.0.1:1", "--code-ttl=5s", "--time-scale=1"}
		done <- run(ctx, args, slog.New(slog.DiscardHandler), func(url string) { urls <- url })
	}()
	var base string
	select {
	case base = <-urls:
	case err := <-done:
		t.Fatalf("run ended: %v", err)
	}
	res, err := (&http.Client{Timeout: time.Minute}).Get(base + "/sim/v1/world")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), "Seeded") {
		t.Errorf("world = %s", body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	cases := map[string][]string{
		"a route without target":        {"--route=hooks.example.com"},
		"a route off this machine":      {"--route=hooks.example.com=192.0.2.1:80"},
		"a seed file that is not there": {"--seed-file=/nonexistent"},
		"a stray argument":              {"serve"},
	}
	for reason, args := range cases {
		err := run(t.Context(), append([]string{"--addr=127.0.0.1:0"}, args...), slog.New(slog.DiscardHandler), nil)
		if err == nil {
			t.Errorf("%s must be refused", reason)
		}
	}
}
