package postgres

import (
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestManyUnknownSendsHoldUpNobody resolves thousands of sends of a number, as Meta's failures leave them, while no status comes: other
// lines wait meanwhile to be parked, or to go on.
func TestManyUnknownSendsHoldUpNobody(t *testing.T) {
	const many, most = 5000, 2 * time.Second
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := openStore(t, Options{DSN: schemaOf(t, server), Clock: func() time.Time { return now }})
	unknown := now.Add(-store.ResendAfter).UnixMilli()
	change := func(query string, args ...any) {
		t.Helper()
		if err := s.write(t.Context(), func(t *tx) error { return t.exec1(query, args...) }); err != nil {
			t.Fatal(err)
		}
	}
	change(`
		WITH message AS (
		  INSERT INTO messages (phone_number_id, conversation_id, author, source, type, text, event_at, received_at)
		  SELECT '1555', n, 'assistant', 'outbox', 'text', '', 0, 0 FROM generate_series(1, $1::int) n RETURNING id, conversation_id)
		INSERT INTO outbox (id, line, phone_number_id, conversation_id, message_id, author, state, state_at, sent_at, attempts)
		SELECT conversation_id::text, 'line-a', '1555', conversation_id, id, 'assistant', 'unknown', $2::bigint, $2::bigint - $1::int + conversation_id, 1 FROM message`,
		many, unknown)
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
	change(`UPDATE messages SET status = 'delivered', status_rank = 2 WHERE conversation_id = 21`)
	resolve(store.Resolution{Resent: 20})
}
