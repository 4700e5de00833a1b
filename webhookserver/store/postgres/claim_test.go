package postgres

import (
	"net/url"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestOnlyTheClaimIsSparedTheDisk: what the claim of a turn does not wait for,
// the next transaction on its connection does.
func TestOnlyTheClaimIsSparedTheDisk(t *testing.T) {
	now := time.Now()
	dsn := with(t, schemaOf(t, server), func(_ *url.URL, q url.Values) { q.Set("pool_max_conns", "1") })
	s := openStore(t, Options{DSN: dsn, Clock: func() time.Time { return now }})
	if _, err := s.Ingest(t.Context(), delivery("wamid.1", "US.1")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	turns, err := s.ClaimConversations(t.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, Limit: 1, PerLineLimit: 1})
	if err != nil || len(turns) != 1 {
		t.Fatalf("claimed %d turns: %v", len(turns), err)
	}
	var setting string
	if err := s.pool.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&setting); err != nil {
		t.Fatal(err)
	}
	if setting != "on" {
		t.Errorf("synchronous_commit is %q after the claim, want on", setting)
	}
}
