package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestWebhooksPassWorkersThatWait: all connections of the workers are taken, and
// webhooks don't notice.
func TestWebhooksPassWorkersThatWait(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	var held sync.WaitGroup
	release := make(chan struct{})
	for range maxWorkConns {
		running := make(chan struct{})
		held.Go(func() {
			err := s.transact(t.Context(), s.work, (*tx).queueClock, func(*tx) error {
				close(running)
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-running
	}
	_, err := s.Ingest(t.Context(), delivery("wamid.1", "US.1"))
	stored, readErr := s.Conversations(t.Context(), "line", 0, 10)
	close(release)
	held.Wait()
	if err := errors.Join(err, readErr); err != nil || len(stored) != 1 {
		t.Errorf("%d conversations are stored: %v", len(stored), err)
	}
}

// TestTurnsGiveWayToACrowd: while webhooks crowd fewer turns are claimed, but
// some are, and afterwards nothing is held up.
func TestTurnsGiveWayToACrowd(t *testing.T) {
	now := time.Now()
	s := openStore(t, Options{DSN: schemaOf(t, server), Clock: func() time.Time { return now }})
	if _, err := s.Ingest(t.Context(), delivery("wamid.due", "US.due")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	release := block(t, s)
	var crowding sync.WaitGroup
	for i := range crowd + 1 {
		crowding.Go(func() {
			if _, err := s.Ingest(t.Context(), delivery(fmt.Sprint("wamid.", i), fmt.Sprint("US.", i))); err != nil {
				t.Error(err)
			}
		})
		waiting(t, s, i+1, i) // the first one is under way, and held up
	}
	crowded := s.writer.crowded()
	turns, err := s.ClaimConversations(t.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, Limit: 1, PerLineLimit: 1})
	release()
	crowding.Wait()
	if !crowded || err != nil || len(turns) != 1 {
		t.Errorf("crowded %t, and %d turns are claimed: %v; want a crowd, and one turn in spite of it", crowded, len(turns), err)
	}
	waiting(t, s, 0, 0)
	for deadline := time.Now().Add(60 * time.Second); s.writer.crowded(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing waits any more, and it still counts as a crowd")
		}
	}
}

// TestOnlyTheClaimIsSparedTheDisk: what the claim of a turn does not wait for,
// the next transaction on its connection does.
func TestOnlyTheClaimIsSparedTheDisk(t *testing.T) {
	now := time.Now()
	s := openStore(t, Options{DSN: schemaOf(t, server), Clock: func() time.Time { return now }})
	if _, err := s.Ingest(t.Context(), delivery("wamid.1", "US.1")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	turns, err := s.ClaimConversations(t.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, Limit: 1, PerLineLimit: 1})
	if err != nil || len(turns) != 1 {
		t.Fatalf("claimed %d turns: %v", len(turns), err)
	}
	var setting string
	if err := s.work.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&setting); err != nil {
		t.Fatal(err)
	}
	if setting != "on" {
		t.Errorf("synchronous_commit is %q after the claim, want on", setting)
	}
}
