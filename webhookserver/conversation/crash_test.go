package conversation

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// blocking makes the assistant wait in its first turn until it is released, or its context ends.
func (w *world) blocking() (started, release chan struct{}) {
	started, release = make(chan struct{}), make(chan struct{})
	first := true
	echo := w.answer
	w.answer = func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
		if first {
			first = false
			close(started)
			select {
			case <-release:
				return says("the first worker's answer"), nil
			case <-ctx.Done():
				return assistant.Reply{}, ctx.Err()
			}
		}
		return echo(ctx, turn)
	}
	return started, release
}

func TestWorkerThatDiedIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.writes("wamid.1", "hi", 0)
	dead, err := storetest.One(w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "dead", Lease: time.Minute, PerLineLimit: 10}))
	w.must(err)
	w.run(w.worker())
	w.advance(59 * time.Second)
	w.writes("wamid.2", "still there?", 0) // passes the end of the lease
	w.until("the next worker answers", func() bool { return w.replies() == "re: hi+still there?" })
	// The dead one comes back after all, with an answer.
	err = w.store.CommitReply(w.Context(), dead, []store.OutboxDraft{{Type: "text", Text: "late", Payload: []byte("{}")}},
		store.Outcome{Kind: store.OutcomeAnswered})
	if err == nil || w.replies() != "re: hi+still there?" {
		t.Errorf("replies %q, error %v", w.replies(), err)
	}
}

func TestWorkerThatHungDoesNotAnswerASecondTime(t *testing.T) {
	w := newWorld(t)
	started, release := w.blocking()
	w.writes("wamid.1", "hi", 0)
	stop := w.run(w.worker(func(o *Options) { o.Store, o.Workers, o.Owner = frozen{o.Store}, 1, "hung" }))
	w.receive(started, "the turn of the worker that will hang")
	w.advance(2 * defaultLease)
	w.run(w.worker())
	w.until("another worker answers", func() bool { return w.replies() == "re: hi" })
	close(release)
	stop()
	if got := w.replies(); got != "re: hi" {
		t.Errorf("replies %q", got)
	}
}

func TestLeaseIsExtendedWhileTheAssistantWorks(t *testing.T) {
	w := newWorld(t)
	started, release := w.blocking()
	extended := make(chan struct{})
	w.writes("wamid.1", "hi", 0)
	const lease = 60 * time.Millisecond
	w.run(w.worker(func(o *Options) { o.Store, o.Workers, o.Lease = counting{o.Store, extended}, 1, lease }))
	w.receive(started, "the turn")
	for range 5 { // more than two leases in all
		w.advance(lease / 2)
		w.receive(extended, "an extension") // which may have begun before the clock went on
		w.receive(extended, "an extension since")
		if _, err := w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "thief", Lease: time.Minute, PerLineLimit: 10}); err == nil {
			t.Fatal("the turn was taken away from a worker that was busy with it")
		}
	}
	close(release)
	go func() {
		for range extended { // until the worker has ended
		}
	}()
	w.until("the answer", func() bool { return w.replies() == "the first worker's answer" })
}

func TestLostLeaseStopsTheAssistant(t *testing.T) {
	w := newWorld(t)
	started, _ := w.blocking()
	w.writes("wamid.1", "hi", 0)
	w.run(w.worker(func(o *Options) { o.Workers, o.Lease = 1, 60*time.Millisecond }))
	w.receive(started, "the turn")
	w.until("somebody else has it", func() bool {
		w.advance(time.Second)
		turn, err := storetest.One(w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "thief", Lease: time.Hour, PerLineLimit: 10}))
		if err == nil {
			w.must(w.store.CommitReply(w.Context(), turn, nil, store.Outcome{Kind: store.OutcomeAnswered}))
		}
		return err == nil
	})
	w.writes("wamid.2", "next", 0)
	// The only worker is free again, though nobody released its assistant.
	w.until("the next answer", func() bool { return w.replies() == "re: next" })
}

func TestNewerMessageStopsTheAssistant(t *testing.T) {
	w := newWorld(t)
	started, _ := w.blocking() // a slow model: it ends with its context only
	w.writes("wamid.1", "hi", 0)
	w.run(w.worker())
	w.receive(started, "the first turn")
	w.writes("wamid.2", "one more thing", 0)
	w.until("both are answered at once", func() bool {
		w.untilDue()
		return w.replies() == "re: hi+one more thing"
	})
	if got := w.asked.Load(); got != 2 {
		t.Errorf("the assistant was asked %d times, want 2", got)
	}
}

func TestShutdownGivesTheTurnBack(t *testing.T) {
	w := newWorld(t)
	started, _ := w.blocking()
	w.writes("wamid.1", "hi", 0)
	stop := w.run(w.worker(func(o *Options) { o.Drain = 10 * time.Millisecond }))
	w.receive(started, "the turn")
	stop() // the assistant never ends by itself
	turn, err := storetest.One(w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "next", Lease: time.Minute, PerLineLimit: 10}))
	w.must(err) // at once, without waiting for a lease to end
	if turn.Attempt != 1 || w.replies() != "" {
		t.Errorf("attempt %d, replies %q", turn.Attempt, w.replies())
	}
}

func TestShutdownLetsATurnEnd(t *testing.T) {
	w := newWorld(t)
	started, release := w.blocking()
	w.writes("wamid.1", "hi", 0)
	stop := w.run(w.worker())
	w.receive(started, "the turn")
	time.AfterFunc(30*time.Millisecond, func() { close(release) })
	stop()
	if got := w.replies(); got != "the first worker's answer" {
		t.Errorf("replies %q", got)
	}
}

// away is a store that is away when a turn ends, as often as the counter says; of the first attempt only the answer is lost if
// late is set.
type away struct {
	Store
	left *atomic.Int32
	late bool
}

func (s away) CommitReply(ctx context.Context, t *store.Turn, replies []store.OutboxDraft, o store.Outcome) error {
	if s.left.Add(-1) < 0 {
		return s.Store.CommitReply(ctx, t, replies, o)
	}
	if s.late {
		if err := s.Store.CommitReply(ctx, t, replies, o); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: it restarts", store.ErrUnavailable)
}

func TestStoreThatIsAwayForAMomentCostsNoAttempt(t *testing.T) {
	for name, late := range map[string]bool{"nothing was written": false, "only the answer was lost": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var left atomic.Int32
			left.Store(1)
			w.writes("wamid.1", "hi", 0)
			w.run(w.worker(func(o *Options) { o.Store = away{o.Store, &left, late} }))
			w.until("the answer", func() bool { return w.replies() == "re: hi" && left.Load() < 0 })
			w.until("the end of the turn", func() bool { return w.settled().AnsweredSeq == 1 })
			if got := w.asked.Load(); got != 1 {
				t.Errorf("the assistant was asked %d times, want once", got)
			}
		})
	}
}
