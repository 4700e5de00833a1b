package outbox

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// die claims a send as a worker that is killed right after it.
func (w *world) die() *store.Send {
	w.Helper()
	send, err := storetest.One(w.store.ClaimSends(w.Context(), store.ClaimSendRequest{Owner: "dead", Lease: lease, PerLineLimit: 10}))
	w.must(err)
	return send
}

// status lets Meta report on a message.
func (w *world) status(wamid, callback string) {
	w.Helper()
	_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "42", Statuses: []store.Status{{
		Line: "line-a", PhoneNumberID: "1555", WAMID: wamid, Kind: store.StatusDelivered, CallbackData: callback, EventTime: w.clock(), Raw: []byte("{}"),
	}}})
	w.must(err)
}

func TestKilledAfterTheClaimWithoutAWitness(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one", "two")
	w.die()
	b := w.outbox()
	w.run(b)
	w.advance(lease)
	b.tend(w.Context())
	if got := w.states("line-a"); got != "unknown LeaseExpired, pending" {
		t.Fatalf("after the lease: %s", got)
	}
	w.advance(store.ResendAfter)
	b.tend(w.Context())
	if got := w.states("line-a"); got != "unknown LeaseExpired, pending" {
		t.Errorf("silence alone must not send it again: %s", got)
	}
	w.advance(store.UnconfirmedAfter)
	b.tend(w.Context())
	w.until("it is given up", func() bool { return w.rows("line-a")[0].State == store.SendUnconfirmed }, func() string { return w.states("line-a") })
	w.until("what comes after it goes out", func() bool { return w.graph.texts() == "two" }, func() string { return w.states("line-a") })
}

func TestKilledAfterTheCallIsProvedByItsStatus(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one")
	send := w.die() // after Meta took it
	w.advance(lease)
	b := w.outbox()
	w.run(b)
	b.tend(w.Context())
	w.status("wamid.of.the.dead", send.ID)
	w.advance(time.Hour)
	b.tend(w.Context())
	w.eventually("line-a", "accepted")
	if n := len(w.graph.all()); n != 0 {
		t.Errorf("it was sent %d times more", n)
	}
}

func TestUnknownIsSentAgainOnceAfterAWitness(t *testing.T) {
	w := newWorld(t)
	w.graph.answers(func(n int, s sent) (int, string) {
		if s.Body["to"] == "+4911" {
			return http.StatusInternalServerError, "<html>oops</html>" // taken or not: nobody knows
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "doubtful")
	b := w.outbox()
	w.run(b)
	w.eventually("line-a", "unknown BadResponse")
	w.advance(time.Second)
	w.enqueue("1555", "line-a", "4922", "witness")
	w.eventually("line-a", "unknown BadResponse, accepted")
	b.tend(w.Context())
	w.status(w.rows("line-a")[1].WAMID, w.rows("line-a")[1].ID)
	w.advance(store.ResendAfter)
	b.tend(w.Context())
	w.until("it is sent again", func() bool { return len(w.graph.all()) == 3 }, w.graph.texts)
	w.eventually("line-a", "unknown BadResponse, accepted")
	for range 5 {
		w.advance(store.UnconfirmedAfter)
		b.tend(w.Context())
	}
	w.until("the second unknown is final", func() bool { return w.rows("line-a")[0].State == store.SendUnconfirmed }, func() string { return w.states("line-a") })
	if got := w.graph.texts(); got != "doubtful, witness, doubtful" {
		t.Errorf("sent: %s", got)
	}
}

func TestShutdownFinishesTheCallUnderWay(t *testing.T) {
	w := newWorld(t)
	started, release := make(chan struct{}), make(chan struct{})
	w.graph.answers(func(n int, s sent) (int, string) {
		close(started)
		<-release
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one", "two")
	b := w.outbox()
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	<-started
	cancel()
	close(release)
	w.must(<-done)
	if got := w.states("line-a"); got != "accepted, pending" {
		t.Errorf("after the shutdown: %s", got)
	}
}

func TestProcessThatWasHeldUpDoesNotSend(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one")
	b := w.outbox()
	claimed := w.clock()
	send := w.die()
	w.advance(lease - callTimeout) // the call could end after the lease
	b.deliver(w.Context(), send, claimed)
	if n := len(w.graph.all()); n != 0 {
		t.Errorf("%d calls", n)
	}
	if got := w.states("line-a"); got != "pending LeaseTooShort" {
		t.Errorf("the row is %s", got)
	}
}

// away is a store that is away when the result of a send is written down, as often as the counter says; of the first attempt only the
// answer is lost if late is set.
type away struct {
	Store
	left *atomic.Int32
	late bool
}

func (s away) write(fn func() error) error {
	if s.left.Add(-1) < 0 {
		return fn()
	}
	if s.late {
		if err := fn(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: it restarts", store.ErrUnavailable)
}

func (s away) MarkAccepted(ctx context.Context, send *store.Send, wamid string) error {
	return s.write(func() error { return s.Store.MarkAccepted(ctx, send, wamid) })
}

func (s away) MarkFailed(ctx context.Context, send *store.Send, code int, reason string) error {
	return s.write(func() error { return s.Store.MarkFailed(ctx, send, code, reason) })
}

func (s away) MarkPendingAgain(ctx context.Context, send *store.Send, again store.Retry) error {
	return s.write(func() error { return s.Store.MarkPendingAgain(ctx, send, again) })
}

func TestStoreThatIsAwayForAMomentForgetsNoResult(t *testing.T) {
	for _, tc := range []struct {
		reason string
		answer func(int, sent) (int, string)
		want   string
	}{
		{"taken", accept, "accepted"},
		{"refused", refuse(400, 131026), "failed Undeliverable"},
		{"to be sent later", refuse(400, 131056), "pending PairRateLimit"},
	} {
		for _, late := range []bool{false, true} {
			w := newWorld(t)
			w.graph.answers(tc.answer)
			w.enqueue("1555", "line-a", "4911", "one")
			b := w.outbox()
			var left atomic.Int32
			left.Store(2)
			if late {
				left.Store(1)
			}
			b.store = away{b.store, &left, late}
			stop := w.run(b)
			w.until("the result is written down", func() bool { return left.Load() < 0 && w.states("line-a") == tc.want }, func() string { return w.states("line-a") })
			stop()
			if n := len(w.graph.all()); n != 1 {
				t.Errorf("%s: %d calls", tc.reason, n)
			}
		}
	}
}
