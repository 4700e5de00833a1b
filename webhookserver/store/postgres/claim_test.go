package postgres

import (
	"errors"
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
