package sqlite

import (
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestManyUnknownSendsHoldUpNobody resolves thousands of sends of a number, as Meta's failures leave them, while no status comes: nothing
// is stored meanwhile.
func TestManyUnknownSendsHoldUpNobody(t *testing.T) {
	const many, most = 5000, 2 * time.Second
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := openStore(t, Options{Clock: func() time.Time { return now }})
	unknown := now.Add(-store.ResendAfter).UnixMilli()
	if err := s.write(t.Context(), func(tx *tx) error {
		for i := range int64(many) {
			if err := tx.exec1(`INSERT INTO messages (id, phone_number_id, conversation_id, author, source, type, text, event_at, received_at) VALUES (?, '1555', 0, 'assistant', 'outbox', 'text', '', 0, 0)`, 1+i); err != nil {
				return err
			}
			if err := tx.exec1(`
				INSERT INTO outbox (id, line, phone_number_id, conversation_id, message_id, author, state, state_at, sent_at, attempts)
				VALUES (?, 'line-a', '1555', ?, ?, 'assistant', 'unknown', ?, ?, 1)`, i, 1+i, 1+i, unknown, unknown-many+i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	resolve := func(want store.Resolution) {
		t.Helper()
		started := time.Now()
		got, err := s.ResolveUnknown(t.Context())
		if err != nil || got != want {
			t.Errorf("resolved %+v, %v; want %+v", got, err, want)
		}
		if took := time.Since(started); took > most {
			t.Errorf("it took %s", took)
		}
	}
	resolve(store.Resolution{})
	// The first status of one of them is a witness for those before it.
	if err := s.write(t.Context(), func(tx *tx) error {
		return tx.exec1(`UPDATE messages SET status = 'delivered', status_rank = 2 WHERE id = ?`, many-10)
	}); err != nil {
		t.Fatal(err)
	}
	resolve(store.Resolution{Resent: many - 11})
}
