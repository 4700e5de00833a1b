package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestEraseWaitsForDeliveries: nothing goes while a delivery is under way. It may
// have a copy of what goes, which would wait for that and then be stored anew.
func TestEraseWaitsForDeliveries(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	named := store.RawChange{App: "app", Line: "line", PhoneNumberID: "15550000001", Field: "history", Raw: []byte(`{"wa_id":"49151"}`)}
	if _, err := s.Ingest(t.Context(), &store.Delivery{App: "app", Raw: []store.RawChange{named}}); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		changes, err := s.RawChanges(t.Context(), 0, 10)
		if err != nil {
			t.Error(err)
		}
		return len(changes)
	}
	erased := make(chan error, 1)
	meanwhile := 0
	err := s.write(t.Context(), func(tx *tx) error {
		if _, err := tx.exec(`SELECT pg_advisory_xact_lock_shared($1)`, s.key(lockDeliveries)); err != nil {
			return err
		}
		go func() {
			_, err := s.Erase(t.Context(), store.Erasure{Line: "line", PhoneNumberID: "15550000001", Phone: "49151"})
			erased <- err
		}()
		for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
			waits, err := s.anyRow(t.Context(), `
				SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND (classid::bigint << 32) | objid::bigint = $1`, []any{s.key(lockDeliveries)})
			if err != nil || waits {
				meanwhile = left()
				return err
			}
		}
		return errors.New("the erasure does not wait")
	})
	if err := errors.Join(err, <-erased); err != nil {
		t.Fatal(err)
	}
	if after := left(); meanwhile != 1 || after != 0 {
		t.Errorf("%d changes are left while a delivery is under way, and %d afterwards; want 1 and none", meanwhile, after)
	}
}
