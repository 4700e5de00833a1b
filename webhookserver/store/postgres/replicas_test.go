package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// deadlocks counts those of the server's database so far. Sessions report them
// when they end.
func deadlocks(t *testing.T, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReplicas delivers every message four times at once to two replicas, in
// batches of shuffled order, from customers that both see for the first time.
func TestReplicas(t *testing.T) {
	const ids, copies, perDelivery, contacts = 2000, 4, 10, 200
	dsn := schemaOf(t, server)
	before := deadlocks(t, dsn)
	var deliveries []*store.Delivery
	for range copies {
		order := rand.Perm(ids)
		for len(order) > 0 {
			d := &store.Delivery{App: "app"}
			for _, i := range order[:perDelivery] {
				m := message(fmt.Sprintf("wamid.%04d", i), fmt.Sprintf("US.%d", i%contacts))
				m.From.Phone = fmt.Sprintf("4915%04d", i%contacts)
				if i%7 == 0 {
					m.From.BSUID = "" // known by phone at times: the two must meet in one contact
				}
				d.Messages = append(d.Messages, m)
				d.Statuses = append(d.Statuses, store.Status{
					Line: "line", PhoneNumberID: "15550000001", WAMID: fmt.Sprintf("wamid.out.%04d", i), Kind: store.StatusSent,
				})
			}
			order = order[perDelivery:]
			deliveries = append(deliveries, d)
		}
	}

	replicas := []*Store{openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})}
	var mu sync.Mutex
	var sum store.Receipt
	var group errgroup.Group
	for n := range 32 {
		group.Go(func() error {
			for i := n; i < len(deliveries); i += 32 {
				r, err := replicas[i%2].Ingest(t.Context(), deliveries[i])
				if err != nil {
					return err
				}
				mu.Lock()
				sum.New, sum.Duplicates = sum.New+r.New, sum.Duplicates+r.Duplicates
				mu.Unlock()
			}
			return nil
		})
	}
	start := time.Now()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deliveries in %v", len(deliveries), time.Since(start))
	if want := (store.Receipt{New: 2 * ids, Duplicates: 2 * ids * (copies - 1)}); sum != want {
		t.Errorf("receipts %+v, want %+v: exactly one of the copies is new", sum, want)
	}
	stored := storedWAMIDs(t, replicas[0])
	if len(stored) != ids {
		t.Errorf("%d messages are stored, want %d", len(stored), ids)
	}
	if c, err := replicas[0].Conversations(t.Context(), "line", 0, 10_000); err != nil || len(c) != contacts {
		t.Errorf("%d conversations, %v, want %d", len(c), err, contacts)
	}
	for _, s := range replicas {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := deadlocks(t, dsn) - before; n > 0 {
		t.Errorf("%d deadlocks: the order of locks is broken", n)
	}
}

// TestReplicasClaim lets the workers of two replicas take everything, at a limit
// of leases per line.
func TestReplicasClaim(t *testing.T) {
	const conversations, limit = 60, 3
	dsn := schemaOf(t, server)
	now := time.Now()
	clock := func() time.Time { return now }
	replicas := []*Store{openStore(t, Options{DSN: dsn, Clock: clock}), openStore(t, Options{DSN: dsn, Clock: clock})}
	for i := range conversations {
		if _, err := replicas[0].Ingest(t.Context(), delivery(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(store.ReplyDebounce)
	req := store.ClaimRequest{Owner: "worker", Lease: time.Minute, Limit: 2, PerLineLimit: limit}
	var mu sync.Mutex
	claimed := map[int64]int{}
	leased, most := 0, 0
	work := func(s *Store) error {
		for {
			turns, err := s.ClaimConversations(t.Context(), req)
			mu.Lock()
			done := len(claimed) == conversations && len(turns) == 0
			for _, turn := range turns {
				claimed[turn.ConversationID]++
				leased++
				most = max(most, leased)
			}
			mu.Unlock()
			switch {
			case done:
				return nil
			case errors.Is(err, store.ErrNothingDue):
				<-time.After(time.Millisecond) // the line is at its limit
				continue
			case err != nil:
				return err
			}
			for _, turn := range turns {
				mu.Lock()
				leased-- // before it is free: the count here never exceeds that of the store
				mu.Unlock()
				reply := []store.OutboxDraft{{Type: "text", Text: "r", Payload: []byte("{}")}}
				if err := s.CommitReply(t.Context(), turn, reply, store.Outcome{Kind: store.OutcomeAnswered}); err != nil {
					return err
				}
			}
		}
	}
	var group errgroup.Group
	for n := range 12 {
		group.Go(func() error { return work(replicas[n%2]) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("conversation %d was claimed %d times", id, n)
		}
	}
	if most > limit {
		t.Errorf("%d leases at a time, the limit is %d", most, limit)
	}
	rows, err := replicas[1].OutboxRows(t.Context(), "line", 0, 1000)
	if err != nil || len(rows) != conversations {
		t.Errorf("%d replies, %v, want %d", len(rows), err, conversations)
	}
}

// TestReplicasQuarantine fills the budget of an app from two replicas.
func TestReplicasQuarantine(t *testing.T) {
	dsn := schemaOf(t, server)
	replicas := []*Store{openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})}
	body := make([]byte, store.QuarantineBytes/8-1024)
	var mu sync.Mutex
	kept := 0
	var group errgroup.Group
	for n := range 12 {
		group.Go(func() error {
			err := replicas[n%2].Quarantine(t.Context(), &store.QuarantineEntry{App: "app", Body: body})
			if errors.Is(err, store.ErrQuarantineFull) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			kept++
			return err
		})
	}
	if err := group.Wait(); err != nil || kept != 8 {
		t.Errorf("%d bodies kept, %v, want the 8 that fit", kept, err)
	}
}

// TestReportsAppearInOrder reads while two replicas append: a cursor must not
// pass over a row that becomes visible later.
func TestReportsAppearInOrder(t *testing.T) {
	const writers, each = 8, 40
	dsn := schemaOf(t, server)
	replicas := []*Store{openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})}
	var group errgroup.Group
	for n := range writers {
		group.Go(func() error {
			for range each {
				if err := replicas[n%2].AppendReport(t.Context(), store.Report{Kind: "K"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	var after int64
	seen := 0
	for finished := false; ; {
		page, err := replicas[0].Reports(t.Context(), after, 5)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			after = page[i].ID
		}
		seen += len(page)
		if finished && len(page) == 0 {
			break
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			finished = true
		default:
		}
	}
	if seen != writers*each {
		t.Errorf("a cursor saw %d reports of %d", seen, writers*each)
	}
}

func TestHintsCrossReplicas(t *testing.T) {
	dsn := schemaOf(t, server)
	a, b := openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})
	deadline := time.After(60 * time.Second)
	for n := 0; ; n++ { // until b listens
		if _, err := a.Ingest(t.Context(), delivery(fmt.Sprintf("m%d", n), "US.1")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-b.Hints():
			return
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("the other replica never heard of new work")
		}
	}
}

// TestStatusMeetsAcceptance lets a status and the acceptance of its send meet at
// two replicas: whichever is first, the message must end with the status.
func TestStatusMeetsAcceptance(t *testing.T) {
	dsn := schemaOf(t, server)
	replicas := []*Store{openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})}
	const sends = 40
	for i := range sends {
		if _, err := replicas[0].Ingest(t.Context(), delivery(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	conversations, err := replicas[0].Conversations(t.Context(), "line", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range conversations {
		if _, err := replicas[0].EnqueuePersonReply(t.Context(), "line", conversations[i].ID, store.OutboxDraft{Type: "text", Text: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range sends {
		send, err := storetest.One(replicas[0].ClaimSends(t.Context(), store.ClaimSendRequest{Owner: "o", Lease: time.Minute, PerLineLimit: sends}))
		if err != nil {
			t.Fatal(err)
		}
		wamid := fmt.Sprintf("wamid.out.%d", i)
		var group errgroup.Group
		group.Go(func() error { return replicas[0].MarkAccepted(t.Context(), send, wamid) })
		group.Go(func() error {
			_, err := replicas[1].Ingest(t.Context(), &store.Delivery{App: "app", Statuses: []store.Status{
				{Line: "line", PhoneNumberID: send.PhoneNumberID, WAMID: wamid, Kind: store.StatusDelivered, CallbackData: send.ID},
			}})
			return err
		})
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := replicas[0].OutboxRows(t.Context(), "line", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if rows[i].State != store.SendAccepted || rows[i].Status != store.StatusDelivered {
			t.Errorf("send %d is %s, its message %q", i, rows[i].State, rows[i].Status)
		}
	}
}

// TestDirectoryOutOfDate lets a replica join two customers, erase a third, and
// give the phone of a fourth to somebody else. The other replica knows all four,
// and must not write by what it remembers, even in a group with a row that no
// database takes.
func TestDirectoryOutOfDate(t *testing.T) {
	dsn := schemaOf(t, server)
	a, b := openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})
	for _, m := range []string{"m1 US.1", "m2 US.2", "m3 US.3", "m4 US.1", "m5 US.2", "m6 US.3"} {
		if _, err := a.Ingest(t.Context(), delivery(m[:2], m[3:])); err != nil {
			t.Fatal(err)
		}
	}
	phoned := func(wamid, bsuid string, after time.Duration) store.InboundMessage {
		m := message(wamid, bsuid)
		m.From.Phone, m.EventTime = "49151", m.EventTime.Add(after)
		return m
	}
	for _, wamid := range []string{"p1", "p2"} {
		if _, err := a.Ingest(t.Context(), &store.Delivery{App: "app", Messages: []store.InboundMessage{phoned(wamid, "US.4", -time.Hour)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Ingest(t.Context(), &store.Delivery{App: "app", Messages: []store.InboundMessage{phoned("p3", "US.5", -time.Minute)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Ingest(t.Context(), &store.Delivery{App: "app", IdentityMoves: []store.IdentityMove{
		{Line: "line", PhoneNumberID: "15550000001", PreviousBSUID: "US.1", BSUID: "US.2", EventTime: time.Now()},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Erase(t.Context(), store.Erasure{Line: "line", PhoneNumberID: "15550000001", BSUID: "US.3"}); err != nil {
		t.Fatal(err)
	}
	d := delivery("m7", "US.1")
	poison := message("m8", "US.2")
	poison.Line = ""
	later := message("m9", "US.3")
	later.EventTime = time.Now().Add(time.Second)
	d.Messages = append(d.Messages, poison, later, phoned("p4", "US.4", 0))
	r, err := a.Ingest(t.Context(), d)
	if want := (store.Receipt{New: 3, DeadLettered: 1}); err != nil || r != want {
		t.Fatalf("%+v, %v, want %+v", r, err, want)
	}
	conversations, err := a.Conversations(t.Context(), "line", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	seqs, phones := map[string]int64{}, map[string]string{}
	for i := range conversations {
		c := &conversations[i]
		seqs[c.Contact.BSUID], phones[c.Contact.BSUID] = c.LastSeq, c.Contact.Phone
	}
	if len(seqs) != 4 || seqs["US.2"] != 5 || seqs["US.3"] != 1 || seqs["US.4"] != 3 {
		t.Errorf("last messages %v, want 5 of the joined customer, and the first one of who came back", seqs)
	}
	if phones["US.4"] != "49151" || phones["US.5"] != "" {
		t.Errorf("phones %v, want it back with who wrote last", phones)
	}
}
