package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// span is of how many ids one is.
const span = 1 << 14

// of is a message to another customer's conversation.
func of(customer, wamid string) *store.Delivery {
	d := message(wamid, 10)
	d.Messages[0].From.BSUID = customer
	return d
}

// ids are those that a query of one conversation finds.
func ids(t *testing.T, s *Store, query string, args ...any) []int64 {
	t.Helper()
	found, err := list(t.Context(), s, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		return id, err
	}, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// reachOf is what a conversation says about itself.
func reachOf(t *testing.T, s *Store, conversation int64) reach {
	t.Helper()
	return reach{
		ids(t, s, `SELECT first_message_id FROM conversations WHERE id = ?`, conversation)[0],
		ids(t, s, `SELECT last_message_id FROM conversations WHERE id = ?`, conversation)[0],
	}
}

func ingest(t *testing.T, s *Store, deliveries ...*store.Delivery) {
	t.Helper()
	for _, d := range deliveries {
		if _, err := s.Ingest(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func execute(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if err := s.write(t.Context(), func(t *tx) error { return t.exec1(query, args...) }); err != nil {
		t.Fatal(err)
	}
}

// scattered is a store with two conversations whose messages take turns, over some spans with nothing and some with much.
func scattered(t *testing.T) (s *Store, conversation int64) {
	t.Helper()
	s = openStore(t, Options{})
	for i := range 12 {
		ingest(t, s, of("US.1", fmt.Sprintf("a%d", i)), of("US.2", fmt.Sprintf("b%d", i)))
	}
	// Ids at both ends of spans, with gaps between them.
	places := []int64{1, span - 1, span, span + 1, 2*span - 1, 5 * span, 5*span + 7, 6*span - 1, 6 * span, 9*span + 3, 9*span + 4, 20 * span}
	conversation = ids(t, s, `SELECT id FROM conversations WHERE bsuid = 'US.1'`)[0]
	mine := ids(t, s, `SELECT id FROM messages WHERE conversation_id = ? ORDER BY id`, conversation)
	execute(t, s, `UPDATE messages SET id = id + 1000 * ?`, span)
	for i, id := range mine {
		execute(t, s, `UPDATE messages SET id = ? WHERE id = ?`, places[i], id+1000*span)
	}
	execute(t, s, `UPDATE messages SET id = id - 999 * ? WHERE id > 900 * ?`, span, span)
	execute(t, s, `UPDATE conversations SET first_message_id = 1, last_message_id = ?`, 21*span)
	return s, conversation
}

func TestNewestMessagesAcrossSpans(t *testing.T) {
	s, conversation := scattered(t)
	all := ids(t, s, `SELECT id FROM messages WHERE conversation_id = ? ORDER BY id`, conversation)
	for limit := range len(all) + 2 {
		for _, before := range append(slices.Clone(all), 0, 3*span, math.MaxInt64) {
			want := slices.Clone(all)
			if before > 0 {
				want = slices.DeleteFunc(want, func(id int64) bool { return id >= before })
			}
			want = want[max(0, len(want)-limit):]
			page, err := s.Messages(t.Context(), "line", conversation, before, limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for i := range page {
				got = append(got, page[i].ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("the newest %d before %d are %d, want %d", limit, before, got, want)
			}
		}
	}
}

func TestAllMessagesAcrossSpans(t *testing.T) {
	s, conversation := scattered(t)
	want := ids(t, s, `SELECT id FROM messages WHERE conversation_id = ? ORDER BY id`, conversation)
	if len(want) != 12 {
		t.Fatalf("%d messages, want 12", len(want))
	}
	if got := ids(t, s, allMessages+` ORDER BY m.id`, conversation); !slices.Equal(got, want) {
		t.Errorf("all are %d, want %d", got, want)
	}
	if got := ids(t, s, messagesSince(`5 * 16384`)+` ORDER BY m.id`, conversation); !slices.Equal(got, want[5:]) {
		t.Errorf("those from the sixth span on are %d, want %d", got, want[5:])
	}
}

// TestExpireFollowsSpans has messages grow old one after the other.
func TestExpireFollowsSpans(t *testing.T) {
	s, conversation := scattered(t)
	all := ids(t, s, `SELECT id FROM messages WHERE conversation_id = ? ORDER BY id`, conversation)
	old := time.Now().Add(-2 * store.MinRetention).UnixMilli()
	expire := func(batch, want int) {
		t.Helper()
		if n, err := s.Expire(t.Context(), store.Retention{BatchSize: batch}); err != nil || n != want {
			t.Fatalf("%d went, %v; want %d", n, err, want)
		}
	}
	for i, id := range all[:5] {
		execute(t, s, `UPDATE messages SET received_at = ? WHERE id = ?`, old, id)
		expire(0, 1)
		if got := reachOf(t, s, conversation).first; got != all[i+1] {
			t.Fatalf("the first message is %d, want %d", got, all[i+1])
		}
	}
	// The next ones are in two spans, and more than go at once.
	execute(t, s, `UPDATE messages SET received_at = ? WHERE id IN (?, ?, ?)`, old, all[5], all[6], all[8])
	execute(t, s, `UPDATE messages SET received_at = ? WHERE id = ?`, old, all[7])
	expire(3, 3)
	expire(3, 1)
	if got := reachOf(t, s, conversation).first; got != all[9] {
		t.Fatalf("the first message is %d, want %d", got, all[9])
	}
	// One that went by other ways must not hide that the next one is old.
	execute(t, s, `DELETE FROM messages WHERE id = ?`, all[9])
	execute(t, s, `UPDATE messages SET received_at = ? WHERE id = ?`, old, all[10])
	expire(0, 1)
	if got := reachOf(t, s, conversation).first; got != all[11] {
		t.Fatalf("the first message is %d, want %d", got, all[11])
	}
	execute(t, s, `UPDATE messages SET received_at = ? WHERE id = ?`, old, all[11])
	expire(0, 1)
	if got := reachOf(t, s, conversation); got.first <= got.last {
		t.Fatalf("an empty conversation says that it has messages: %+v", got)
	}
	ingest(t, s, of("US.1", "anew"))
	now := ids(t, s, `SELECT id FROM messages WHERE wamid = 'anew'`)
	if got := ids(t, s, allMessages, conversation); !slices.Equal(got, now) {
		t.Errorf("the conversation has %d, want %d", got, now)
	}
}

// TestMigrateMessageSpans opens a file of the version before.
func TestMigrateMessageSpans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	before := migratedTo(t, path, 121)
	for _, query := range []string{
		`INSERT INTO conversations (id, line, phone_number_id, bsuid, created_at) VALUES (1, 'line', '1555', 'US.1', 1), (2, 'line', '1555', 'US.2', 1), (3, 'line', '1555', 'US.3', 1)`,
		`INSERT INTO identities (line, bsuid, conversation_id) VALUES ('line', 'US.1', 1), ('line', 'US.2', 2), ('line', 'US.3', 3)`,
		`INSERT INTO messages (id, phone_number_id, wamid, conversation_id, author, source, type, text, event_at, received_at)
		 SELECT value, '1555', 'm' || value, 1 + key % 2, 'customer', 'messages', 'text', 'hello', 1, 1 FROM json_each('[7, 16383, 16384, 50000, 50001, 90000, 200000]')`,
	} {
		if _, err := before.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, Options{Path: path})
	got := []reach{reachOf(t, s, 1), reachOf(t, s, 2), reachOf(t, s, 3)}
	if diff := cmp.Diff([]reach{{7, 200000}, {16383, 90000}, unreached}, got, cmp.AllowUnexported(reach{})); diff != "" {
		t.Error(diff)
	}
	if got := ids(t, s, allMessages, 2); !slices.Equal(got, []int64{16383, 50000, 90000}) {
		t.Errorf("the second conversation has %d", got)
	}
	ingest(t, s, of("US.2", "m"), of("US.3", "n"))
	if err := s.CheckReach(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := s.CheckThreads(t.Context()); n != 2 || err != nil {
		t.Errorf("%d conversations are remembered, want 2: %v", n, err)
	}
}

// TestReleasedTestMessageIsReached has a test message join a thread that its batch goes on with.
func TestReleasedTestMessageIsReached(t *testing.T) {
	s := openStore(t, Options{})
	state, err := s.EnqueueTestMessage(t.Context(), store.TestMessage{Key: "key", Line: "line", PhoneNumberID: "1555", To: "US.1", Body: "hello"})
	if err != nil || state != store.TestMessageWaiting {
		t.Fatalf("the test message is %q, %v; want it to wait", state, err)
	}
	err = s.write(t.Context(), func(tx *tx) error {
		b := newBatch(tx)
		m := &message("m1", 10).Messages[0]
		if _, err := b.addMessage(m); err != nil {
			return err
		}
		if err := b.flush(); err != nil {
			return err
		}
		_, err := b.resolve(m.Line, m.PhoneNumberID, store.Identity{BSUID: "US.1", Phone: "15550001"}, tx.now)
		if err != nil {
			return err
		}
		b.touch(b.byID[1])
		return b.flush()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, allMessages, 1); len(got) != 2 {
		t.Fatalf("the conversation has %d, want the customer's message and the test message", got)
	}
	if n, err := s.CheckThreads(t.Context()); n != 1 || err != nil {
		t.Errorf("%d conversations are remembered, want 1: %v", n, err)
	}
}

// TestDiscardSettlesTheLastMessage: one that has gone must not have a conversation lose its words again and again.
func TestDiscardSettlesTheLastMessage(t *testing.T) {
	s := openStore(t, Options{})
	for _, wamid := range []string{"m1", "m2"} {
		d := message(wamid, 10)
		d.Messages[0].ReplyWorthy = false
		ingest(t, s, d)
	}
	execute(t, s, `DELETE FROM messages WHERE wamid = 'm2'`)
	for _, want := range []int{1, 0} {
		if n, err := s.Discard(t.Context(), []string{"line"}, 10); err != nil || n != want {
			t.Errorf("%d conversations lost their words, %v; want %d", n, err, want)
		}
	}
}

// TestDiscardKnowsAnIDThatIsGivenAgain: the echo that is gone had lost its words, the message that has its id now has not.
func TestDiscardKnowsAnIDThatIsGivenAgain(t *testing.T) {
	s := openStore(t, Options{})
	discard := func(want int) {
		t.Helper()
		if n, err := s.Discard(t.Context(), []string{"line"}, 10); err != nil || n != want {
			t.Errorf("%d conversations lost their words, %v; want %d", n, err, want)
		}
	}
	for _, d := range []*store.Delivery{message("m1", 10), message("echo", 10)} {
		d.Messages[0].ReplyWorthy = false
		if d.Messages[0].WAMID == "echo" {
			d.Messages[0].Source = store.SourceEcho
		}
		ingest(t, s, d)
	}
	discard(1)
	if err := s.write(t.Context(), func(tx *tx) error { return tx.dropEcho(message("", 10).Messages[0].PhoneNumberID, "echo") }); err != nil {
		t.Fatal(err)
	}
	d := message("m2", 10)
	d.Messages[0].ReplyWorthy = false
	ingest(t, s, d)
	if got := ids(t, s, `SELECT id FROM messages WHERE wamid = 'm2'`); !slices.Equal(got, []int64{2}) {
		t.Fatalf("the message has the id %d, want that of the echo", got)
	}
	discard(1)
	discard(0)
}
