package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// ingestUntilKilled is the child: it prints each wamid that the store has
// acknowledged, one per line, and never ends by itself.
func ingestUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		return err
	}
	var n atomic.Int64
	run := time.Now().UnixNano()
	group, ctx := errgroup.WithContext(ctx)
	for range 16 {
		group.Go(func() error {
			for {
				i := n.Add(1)
				d := delivery(fmt.Sprintf("wamid.%d.%d", run, i), fmt.Sprintf("US.%d", i%50))
				if _, err := s.Ingest(ctx, d); err != nil {
					return err
				}
				// One write per line: a pipe keeps such short ones whole.
				if _, err := os.Stdout.WriteString(d.Messages[0].WAMID + "\n"); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// syncedAnswers are how many answers the child gives.
const syncedAnswers = 20

// ingestOneByOne is the child: it prints each wamid once the store has acknowledged it.
func ingestOneByOne(dir string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		return err
	}
	for i := range syncedAnswers {
		wamid := fmt.Sprintf("wamid.%d", i)
		if _, err := s.Ingest(ctx, delivery(wamid, "US.1")); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString(wamid + "\n"); err != nil {
			return err
		}
	}
	return s.Close()
}

func delivery(wamid, bsuid string) *store.Delivery {
	return &store.Delivery{App: "app", Messages: []store.InboundMessage{{
		Line: "line", PhoneNumberID: "15550000001", WAMID: wamid, From: store.Identity{BSUID: bsuid}, Source: store.SourceMessages,
		Type: "text", Text: "hello", EventTime: time.Now(), ReplyWorthy: true, OpensWindow: true, Raw: []byte(`{"type":"text"}`),
	}}}
}

// TestKillDuringLoad kills a process in the midst of its work, several times on
// the same file, and looks for everything that it had acknowledged.
func TestKillDuringLoad(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range 5 {
		for _, wamid := range killAfter(t, dir, 400) {
			acknowledged[wamid] = true
		}
	}
	wantStored(t, dir, acknowledged)
}

// TestKillRightAfterAnAnswer kills a process as soon as it has acknowledged something, again and again on the same file.
func TestKillRightAfterAnAnswer(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range 200 {
		for _, wamid := range killAfter(t, dir, 1) {
			acknowledged[wamid] = true
		}
	}
	if len(acknowledged) < 200 {
		t.Errorf("%d acknowledged in 200 lives", len(acknowledged))
	}
	wantStored(t, dir, acknowledged)
}

// wantStored looks for what was acknowledged.
func wantStored(t *testing.T, dir string, acknowledged map[string]bool) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	stored := map[string]int{}
	conversations, err := s.Conversations(t.Context(), "line", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conversations {
		messages, err := s.Messages(t.Context(), "line", c.ID, 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if c.LastSeq != int64(len(messages)) {
			t.Errorf("conversation %d has number %d for %d messages", c.ID, c.LastSeq, len(messages))
		}
		for i := range messages {
			stored[messages[i].WAMID]++
		}
	}
	for wamid := range acknowledged {
		if stored[wamid] != 1 {
			t.Errorf("an acknowledged message is stored %d times", stored[wamid])
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acknowledged), len(stored))
}

// killAfter runs the child until it has acknowledged n messages, kills it, and
// returns all that it had printed by then.
func killAfter(t *testing.T, dir string, n int) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe)
	child.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var wamids []string
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			break // a line without an end was cut by the kill
		}
		wamids = append(wamids, strings.TrimSpace(line))
		if len(wamids) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(wamids) < n {
		t.Fatalf("the child ended after %d messages: %v %s", len(wamids), err, stderr.String())
	}
	return wamids
}
