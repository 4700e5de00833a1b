package postgres

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// The customers of TestReplicasInTraffic, and how often each of them writes.
const customers, rounds = 25, 8

// TestReplicasInTraffic lets two replicas do everything at once on the same
// customers: deliveries with copies and changes of identity, replies, sends, and
// statuses that race with the acceptance of their send.
func TestReplicasInTraffic(t *testing.T) {
	dsn := schemaOf(t, server)
	before := deadlocks(t, dsn)
	replicas := []*Store{openStore(t, Options{DSN: dsn}), openStore(t, Options{DSN: dsn})}
	var left atomic.Int64 // conversations with something to answer or to send
	left.Store(customers)
	var group errgroup.Group
	for i, s := range replicas {
		group.Go(func() error { return customersWrite(t, s) })
		for n := range 3 {
			group.Go(func() error { return answerAll(t, s, fmt.Sprintf("worker-%d-%d", i, n), &left) })
			group.Go(func() error { return sendAll(t, s, replicas[1-i], &left) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if stored := storedInbound(t, replicas[0]); len(stored) != customers*rounds {
		t.Errorf("%d messages are stored, want %d", len(stored), customers*rounds)
	}
	conversations, err := replicas[0].Conversations(t.Context(), "line", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(conversations) != customers {
		t.Errorf("%d conversations, want %d: both ids of a customer are one", len(conversations), customers)
	}
	for i := range conversations {
		if c := &conversations[i]; c.LastSeq != rounds || c.AnsweredSeq != rounds {
			t.Errorf("conversation %d has %d messages, %d answered; want %d", c.ID, c.LastSeq, c.AnsweredSeq, rounds)
		}
	}
	rows, err := replicas[0].OutboxRows(t.Context(), "line", 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if rows[i].State != store.SendAccepted || rows[i].Status != store.StatusDelivered || rows[i].Attempts != 1 {
			t.Errorf("send %d is %s after %d attempts, its message %q", i, rows[i].State, rows[i].Attempts, rows[i].Status)
		}
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

// customersWrite delivers every message, as does the other replica. Each customer
// changes his BSUID along the way.
func customersWrite(t *testing.T, s *Store) error {
	t.Helper()
	for round := range rounds {
		for first := 0; first < customers; first += 5 {
			d := &store.Delivery{App: "app"}
			for i := first; i < first+5; i++ {
				id := fmt.Sprintf("US.%d", i)
				if round >= rounds/2 {
					id += ".new"
				}
				if round == rounds/2 {
					d.IdentityMoves = append(d.IdentityMoves, store.IdentityMove{
						Line: "line", PhoneNumberID: "15550000001", PreviousBSUID: fmt.Sprintf("US.%d", i), BSUID: id, EventTime: time.Now(),
					})
				}
				d.Messages = append(d.Messages, message(fmt.Sprintf("wamid.%d.%d", i, round), id))
			}
			if _, err := s.Ingest(t.Context(), d); err != nil {
				return fmt.Errorf("ingest: %w", err)
			}
		}
	}
	return nil
}

// answerAll answers until each conversation is answered to the end.
func answerAll(t *testing.T, s *Store, owner string, left *atomic.Int64) error {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for left.Load() > 0 {
		if time.Now().After(deadline) {
			return errors.New("the replies did not end")
		}
		turn, err := storetest.One(s.ClaimConversations(t.Context(), store.ClaimRequest{Owner: owner, Lease: time.Minute, PerLineLimit: 6}))
		if errors.Is(err, store.ErrNothingDue) {
			<-time.After(5 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		err = s.CommitReply(t.Context(), turn, []store.OutboxDraft{{Type: "text", Text: "r", Payload: []byte("{}")}}, store.Outcome{Kind: store.OutcomeAnswered})
		if err != nil && !errors.Is(err, store.ErrSuperseded) && !errors.Is(err, store.ErrLeaseLost) {
			return fmt.Errorf("reply: %w", err)
		}
	}
	return nil
}

// sendAll sends until nothing is left to answer or to send. The status comes in
// at the other replica, at the same time as the answer of the call here.
func sendAll(t *testing.T, s, other *Store, left *atomic.Int64) error {
	t.Helper()
	for left.Load() > 0 {
		send, err := storetest.One(s.ClaimSends(t.Context(), store.ClaimSendRequest{Owner: "sender", Lease: time.Minute, PerLineLimit: 6}))
		if errors.Is(err, store.ErrNothingDue) {
			n, err := unfinished(t, s)
			if err != nil {
				return err
			}
			left.Store(n)
			<-time.After(5 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("claim a send: %w", err)
		}
		wamid := "wamid.out." + send.ID
		var group errgroup.Group
		group.Go(func() error { return s.MarkAccepted(t.Context(), send, wamid) })
		group.Go(func() error {
			_, err := other.Ingest(t.Context(), &store.Delivery{App: "app", Statuses: []store.Status{
				{Line: "line", PhoneNumberID: send.PhoneNumberID, WAMID: wamid, Kind: store.StatusSent, CallbackData: send.ID},
				{Line: "line", PhoneNumberID: send.PhoneNumberID, WAMID: wamid, Kind: store.StatusDelivered, CallbackData: send.ID},
			}})
			return err
		})
		if err := group.Wait(); err != nil {
			return fmt.Errorf("accept: %w", err)
		}
	}
	return nil
}

// unfinished counts the conversations that are not answered to the end, and the
// sends that are not accepted.
func unfinished(t *testing.T, s *Store) (n int64, err error) {
	t.Helper()
	rows, err := list(t.Context(), s, pgx.RowTo[int64], `
		SELECT greatest(0, $1::bigint - (SELECT count(*) FROM conversations WHERE answered_seq = $2 AND last_seq = $2))
		     + (SELECT count(*) FROM outbox WHERE state <> 'accepted')`, customers, rounds)
	if err != nil {
		return 0, err
	}
	return rows[0], nil
}

// storedInbound counts what customers wrote by wamid.
func storedInbound(t *testing.T, s *Store) map[string]int {
	t.Helper()
	wamids, err := list(t.Context(), s, pgx.RowTo[string], `SELECT wamid FROM messages WHERE author = 'customer'`)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	for _, wamid := range wamids {
		stored[wamid]++
	}
	return stored
}
