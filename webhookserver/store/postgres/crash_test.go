package postgres

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// ingestUntilKilled is the child: it prints each wamid that the store has
// acknowledged, one per line, and never ends by itself.
func ingestUntilKilled(dsn string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{DSN: dsn})
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

func message(wamid, bsuid string) store.InboundMessage {
	return store.InboundMessage{
		Line: "line", PhoneNumberID: "15550000001", WAMID: wamid, From: store.Identity{BSUID: bsuid}, Source: store.SourceMessages,
		Type: "text", Text: "hello", EventTime: time.Now(), ReplyWorthy: true, OpensWindow: true, Raw: []byte(`{"type":"text"}`),
	}
}

func delivery(wamid, bsuid string) *store.Delivery {
	return &store.Delivery{App: "app", Messages: []store.InboundMessage{message(wamid, bsuid)}}
}

// storedWAMIDs counts what is stored by wamid, and checks that each message has
// its number.
func storedWAMIDs(t *testing.T, s *Store) map[string]int {
	t.Helper()
	conversations, err := s.Conversations(t.Context(), "line", 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	for i := range conversations {
		c := &conversations[i]
		messages, err := s.Messages(t.Context(), "line", c.ID, 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if c.LastSeq != int64(len(messages)) {
			t.Errorf("conversation %d has number %d for %d messages", c.ID, c.LastSeq, len(messages))
		}
		for n := range messages {
			if want := int64(n + 1); messages[n].Seq != want {
				t.Errorf("conversation %d: message %d has number %d", c.ID, want, messages[n].Seq)
			}
			stored[messages[n].WAMID]++
		}
	}
	return stored
}

// TestKillDuringLoad kills a process in the midst of its work, several times on
// the same schema, and looks for everything that it had acknowledged.
func TestKillDuringLoad(t *testing.T) {
	dsn := schemaOf(t, server)
	acknowledged := map[string]bool{}
	for range 5 {
		for _, wamid := range killMidway(t, dsn) {
			acknowledged[wamid] = true
		}
	}
	stored := storedWAMIDs(t, openStore(t, Options{DSN: dsn}))
	for wamid := range acknowledged {
		if stored[wamid] != 1 {
			t.Errorf("an acknowledged message is stored %d times", stored[wamid])
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acknowledged), len(stored))
}

// killMidway runs the child until it has acknowledged some hundred messages,
// kills it, and returns all that it had printed by then.
func killMidway(t *testing.T, dsn string) []string {
	t.Helper()
	const n = 400
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe)
	child.Env = append(os.Environ(), crashDSN+"="+dsn)
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
