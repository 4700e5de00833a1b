package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const (
	servedSecret = "secret-of-the-app-01"
	servedLine   = "line-p"
	// patience bounds waits that take moments on an idle machine.
	patience = time.Minute
	// pollInterval is short against them.
	pollInterval = 20 * time.Millisecond
)

// served is the program as a process, which serves one number.
type served struct {
	*exec.Cmd
	url string
}

// serve starts the program with a store, by the words of a command that runs it, if any.
func serve(t *testing.T, dir, storeFlag string, by ...string) *served {
	t.Helper()
	channel := &runtimeconfig.Channel{
		Namespace: "shop", Name: "sales", LineID: servedLine, PhoneNumberID: "201", WABAID: "301", AppID: "1001", Direct: true,
		Graph: runtimeconfig.Graph{BaseURL: "http://127.0.0.1:1", Version: "v25.0"}, MessagesPerSecond: 80,
		AppSecret: redact.New(servedSecret), AccessToken: redact.New("token-of-the-line"),
	}
	object, err := channel.Object()
	if err != nil {
		t.Fatal(err)
	}
	channels := filepath.Join(dir, "channels")
	if err := os.MkdirAll(filepath.Join(channels, object.Name), 0o750); err != nil {
		t.Fatal(err)
	}
	for key, value := range object.Data {
		if err := os.WriteFile(filepath.Join(channels, object.Name, key), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	words := slices.Concat(by, []string{
		os.Args[0], "--channels-dir=" + channels, "--store=" + storeFlag, "--roles=ingress",
		"--addr=127.0.0.1:0", "--internal-addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0", "--drain-delay=0s",
	})
	s := &served{Cmd: exec.CommandContext(t.Context(), words[0], words[1:]...)}
	s.Env = append(os.Environ(), asProgram+"=1")
	// Nobody may read in the logs what the number's secrets are.
	search := &leaks.Search{}
	if err := search.Object(object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := search.Leaks(leaks.Logs); err != nil {
			t.Error(err)
		}
	})
	reader, writer := io.Pipe()
	s.Stderr = writer
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			search.Show(leaks.Logs, lines.Text())
			if _, after, ok := strings.Cut(lines.Text(), `"public":"`); ok {
				url, _, _ := strings.Cut(after, `"`)
				ready <- url
			}
		}
	}()
	select {
	case s.url = <-ready:
	case <-time.After(patience):
		t.Fatal("the program does not serve")
	}
	return s
}

// end stops the program in order.
func (s *served) end(t *testing.T) {
	t.Helper()
	if err := errors.Join(s.Process.Signal(syscall.SIGTERM), s.Wait()); err != nil {
		t.Errorf("the program did not end in order: %v", err)
	}
}

// post delivers a message, signed, and returns the answer's status, and whether it says when to come again.
func (s *served) post(ctx context.Context, wamid string) (status int, retry bool, err error) {
	body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"301","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",`+
		`"metadata":{"phone_number_id":"201"},"messages":[{"from":"4915112345678","id":%q,"timestamp":"%d","type":"text","text":{"body":"hello"}}]}}]}]}`,
		wamid, time.Now().Unix())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+ingress.Path, strings.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.SignatureHeader, webhook.Sign([]byte(servedSecret), []byte(body)))
	res, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return 0, false, err
	}
	return res.StatusCode, res.Header.Get("Retry-After") != "", res.Body.Close()
}

// accepts posts until the status is the wanted one: the store may notice its trouble, or the end of it, a moment late. What was answered
// with 200 is noted.
func (s *served) accepts(t *testing.T, want int, acknowledged map[string]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		wamid := fmt.Sprintf("wamid.%d", time.Now().UnixNano())
		status, retry, err := s.post(ctx, wamid)
		if err != nil {
			t.Fatalf("waiting for an answer of %d: %v", want, err)
		}
		if status == http.StatusOK {
			acknowledged[wamid] = true
		} else if status != http.StatusServiceUnavailable || !retry {
			t.Fatalf("answered %d, Retry-After %v; the sender must come again", status, retry)
		}
		if status == want {
			return
		}
		<-time.After(pollInterval)
	}
}

// wantStored looks for each acknowledged message in the store.
func wantStored(t *testing.T, s store.Store, acknowledged map[string]bool) {
	t.Helper()
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	conversations, err := s.Conversations(t.Context(), servedLine, 0, 10)
	if err != nil || len(conversations) != 1 {
		t.Fatalf("%d conversations, %v", len(conversations), err)
	}
	messages, err := s.Messages(t.Context(), servedLine, conversations[0].ID, 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	for i := range messages {
		stored[messages[i].WAMID]++
	}
	for wamid := range acknowledged {
		if stored[wamid] != 1 {
			t.Errorf("an acknowledged message is stored %d times", stored[wamid])
		}
	}
}

// TestFullDisk lets no file of the program grow, which to it is a full disk, and then lets them again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "messages.db")
	s := serve(t, dir, "sqlite:"+path)
	limit := func(bytes string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "prlimit", "--pid="+strconv.Itoa(s.Process.Pid), "--fsize="+bytes+":").CombinedOutput(); err != nil {
			t.Fatalf("prlimit of util-linux is needed to fill the disk: %v\n%s", err, out)
		}
	}
	acknowledged := map[string]bool{}
	s.accepts(t, http.StatusOK, acknowledged)
	limit("4096")
	s.accepts(t, http.StatusServiceUnavailable, acknowledged)
	limit("unlimited")
	s.accepts(t, http.StatusOK, acknowledged)
	s.end(t)
	again, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	wantStored(t, again, acknowledged)
}

// TestReadOnlyDatabase makes the database read-only under the program, as a failover does, and then writable again.
func TestReadOnlyDatabase(t *testing.T) {
	server, err := pgserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn, _, err := server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir, "postgres:"+filepath.Join(dir, "dsn"))
	readOnly := func(value string) {
		t.Helper()
		if err := errors.Join(server.Exec(t.Context(), "ALTER SYSTEM SET default_transaction_read_only = "+value),
			server.Exec(t.Context(), "SELECT pg_reload_conf()")); err != nil {
			t.Fatal(err)
		}
	}
	acknowledged := map[string]bool{}
	s.accepts(t, http.StatusOK, acknowledged)
	readOnly("on")
	s.accepts(t, http.StatusServiceUnavailable, acknowledged)
	readOnly("off")
	s.accepts(t, http.StatusOK, acknowledged)
	s.end(t)
	again, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	wantStored(t, again, acknowledged)
}

// TestKillRightAfterA200 kills the program while several deliver, as soon as the first of them has its answer, again and again on the
// same file.
func TestKillRightAfterA200(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "messages.db")
	acknowledged := map[string]bool{}
	for life := range 50 {
		s := serve(t, dir, "sqlite:"+path)
		answered := make(chan string, 8)
		var group errgroup.Group
		for sender := range cap(answered) {
			group.Go(func() error {
				wamid := fmt.Sprintf("wamid.%d.%d", life, sender)
				// An error is an answer that the kill was faster than.
				if status, _, err := s.post(t.Context(), wamid); err == nil && status == http.StatusOK {
					answered <- wamid
				}
				return nil
			})
		}
		select {
		case wamid := <-answered:
			acknowledged[wamid] = true
		case <-time.After(patience):
			t.Fatal("nothing was answered with 200")
		}
		if err := s.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = s.Wait() // it was killed
		_ = group.Wait()
		close(answered)
		for wamid := range answered {
			acknowledged[wamid] = true
		}
	}
	again, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	wantStored(t, again, acknowledged)
}

// TestAnswersAreSynced watches the program's system calls: what a kill can't tell, because the page cache survives it, is whether the log
// was forced to the disk between the last write of a group and its 200.
func TestAnswersAreSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see what reaches the disk: run hack/prerequisites.sh strace")
	}
	const deliveries = 20
	dir := t.TempDir()
	traced := filepath.Join(dir, "trace")
	// The tracer is a child of the program, not the other way round, so that the program can be stopped.
	s := serve(t, dir, "sqlite:"+filepath.Join(dir, "messages.db"), strace, "-D", "-f", "-y", "-o", traced, "-e", "trace=write,pwrite64,fsync,fdatasync")
	for i := range deliveries {
		if status, _, err := s.post(t.Context(), fmt.Sprintf("wamid.%d", i)); err != nil || status != http.StatusOK {
			t.Fatalf("answered %d, %v", status, err)
		}
	}
	s.end(t)
	answers, unsynced := answersIn(t, traced, s.Process.Pid)
	if answers != deliveries || unsynced != 0 {
		t.Errorf("%d answers in the trace, want %d; %d of them came before the log was forced to the disk", answers, deliveries, unsynced)
	}
}

// answersIn reads the trace of a process that has ended, and counts the answers of 200, and those of them before which nothing was both
// written to the log and forced to the disk.
func answersIn(t *testing.T, traced string, pid int) (answers, unsynced int) {
	t.Helper()
	ended := regexp.MustCompile(fmt.Sprintf(`(?m)^%d +\+\+\+ exited`, pid))
	var trace string
	for deadline := time.Now().Add(patience); !ended.MatchString(trace); {
		<-time.After(pollInterval)
		content, err := os.ReadFile(traced)
		if trace = string(content); err != nil || time.Now().After(deadline) {
			t.Fatalf("the trace has no end: %v", err)
		}
	}
	written, durable := false, false
	syncing := map[string]bool{}
	for line := range strings.Lines(trace) {
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		ofLog, done := strings.Contains(call, "messages.db-wal>"), strings.HasSuffix(call, "= 0")
		switch {
		case strings.Contains(call, `"HTTP/1.1 200 OK`):
			answers++
			if !durable {
				unsynced++
			}
			written, durable = false, false
		case ofLog && strings.HasPrefix(call, "pwrite64"):
			written = true
		case ofLog && strings.HasPrefix(call, "f"):
			syncing[thread] = !done && written
			durable = durable || done && written
		case syncing[thread] && strings.Contains(call, "resumed>") && done:
			syncing[thread], durable = false, true
		}
	}
	return answers, unsynced
}
