package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		reason string
		args   []string
		want   string // part of the error; empty for none
	}{
		{"a store is all that is needed in a cluster", []string{"--store=sqlite:/x.db"}, ""},
		{"without one messages would be kept nowhere", nil, "--store is required"},
		{"another database", []string{"--store=mysql:x"}, "sqlite:/path/to/file.db"},
		{"the file that holds the DSN", []string{"--store=postgres:/etc/store/dsn"}, ""},
		{"no file", []string{"--store=postgres:"}, "postgres:/path/to/file-with-dsn"},
		{"command lines are public", []string{"--store=postgres://user:s3cret@db/messages"}, "put it into a file"},
		{"a role that there is not", []string{"--store=sqlite:/x.db", "--roles=ingress,console"}, `unknown role "console"`},
		{"one role", []string{"--store=sqlite:/x.db", "--roles=worker"}, ""},
		{"the signup page alone", []string{"--store=sqlite:/x.db", "--roles=signup"}, ""},
		{"a signup page with nobody to hand codes to", []string{"--store=sqlite:/x.db", "--roles=signup", "--channels-dir=/a"}, "needs Kubernetes"},
		{"without Kubernetes there is no signup page", []string{"--store=sqlite:/x.db", "--channels-dir=/a"}, ""},
		{"a simulator's SDK", []string{"--store=sqlite:/x.db", "--meta-sdk-url=http://127.0.0.1:9180/en_US/sdk.js"}, ""},
		{"an SDK that anybody on the way could change", []string{"--store=sqlite:/x.db", "--meta-sdk-url=http://example.com/sdk.js"}, "https"},
		{"two sources", []string{"--store=sqlite:/x.db", "--channels-dir=/a", "--kubeconfig=/b"}, "exclude each other"},
		{"networks", []string{"--store=sqlite:/x.db", "--egress-allow-cidrs=127.0.0.0/8", "--egress-allow-cidrs=10.0.0.0/8,::1/128"}, ""},
		{"a proxy", []string{"--store=sqlite:/x.db", "--egress-proxy=http://proxy.example:3128"}, ""},
		{"a proxy with a password", []string{"--store=sqlite:/x.db", "--egress-proxy=http://u:s3cret@proxy.example"}, "without user and password"},
		{"no file of authorities", []string{"--store=sqlite:/x.db", "--egress-ca-file=/does/not/exist"}, "no such file"},
		{"a file without authorities", []string{"--store=sqlite:/x.db", "--egress-ca-file=main_test.go"}, "no PEM certificate"},
		{"memory for indexes", []string{"--store=sqlite:/x.db", "--index-memory=600Mi"}, ""},
		{"too little memory for indexes", []string{"--store=sqlite:/x.db", "--index-memory=600"}, "600Mi"},
		{"room for files", []string{"--store=sqlite:/x.db", "--media-quota=20Gi"}, ""},
		{"no room for files", []string{"--store=sqlite:/x.db", "--media-quota=0"}, "20Gi"},
		{"no network", []string{"--store=sqlite:/x.db", "--egress-allow-cidrs=localhost"}, "10.20.0.0/16"},
		{"a typing error", []string{"--store=sqlite:/x.db", "serve"}, `unexpected argument "serve"`},
	} {
		cfg, err := parse(tc.args)
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error has the password: %v", tc.reason, err)
		}
		if tc.reason == "networks" && len(cfg.egress.Allow) != 3 {
			t.Errorf("%s: got %v", tc.reason, cfg.egress.Allow)
		}
	}
}

// asProgram makes the test binary run the program instead of the tests.
const asProgram = "WEBHOOK_SERVER_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestProgram starts the program as a process, without Kubernetes, and ends it with SIGTERM.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	channels := filepath.Join(dir, "channels")
	if err := os.Mkdir(channels, 0o750); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "--channels-dir="+channels, "--store=sqlite:"+filepath.Join(dir, "messages.db"),
		"--addr=127.0.0.1:0", "--internal-addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0", "--drain-delay=0s")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(seen.String(), `"ops":"http://`) {
		n, err := logs.Read(buffer)
		seen.Write(buffer[:n])
		if err != nil {
			t.Fatalf("ended before it served: %v\n%s", err, seen.String())
		}
	}
	_, after, _ := strings.Cut(seen.String(), `"ops":"`)
	url, _, _ := strings.Cut(after, `"`)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs")); err != nil {
		t.Errorf("customers' files have no place beside the database: %v", err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("not ready: %d, %v", res.StatusCode, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(logs)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(string(rest), `"Stopped"`) {
		t.Errorf("SIGTERM must end it in order: %v\n%s", err, rest)
	}
}
