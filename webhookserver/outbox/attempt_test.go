package outbox

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestSendThatWasNotMadeIsNoAttempt: what kept it from being made was not Meta, which is left alone the longer the more it has refused.
func TestSendThatWasNotMadeIsNoAttempt(t *testing.T) {
	w := newWorld(t)
	w.graph.answers(func(n int, s sent) (int, string) {
		if n == 1 {
			return refuse(400, 131056)(n, s)
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	w.serve("1555", "")
	looks := &counting{Store: w.store}
	b := w.outbox()
	b.store = looks
	w.run(b)
	for n := range int32(5) {
		w.until("it is looked at", func() bool { return looks.again.Load() > n }, func() string { return w.states("line-a") })
		if n == 4 {
			w.serve("1555", "line-a")
		}
		w.advance(absentDelay)
	}
	w.eventually("line-a", "pending PairRateLimit")
	w.advance(4 * time.Second) // 4^1
	w.eventually("line-a", "accepted")
}

// TestRefusalOfALineIsNoAttempt: what Meta refuses for the line's token or account says nothing of the message.
func TestRefusalOfALineIsNoAttempt(t *testing.T) {
	link, err := Content{Image: &Image{Link: "https://shop.example/fern.jpg"}}.Payload()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	codes := []int{131042, 131042, 131053}
	w.graph.answers(func(n int, s sent) (int, string) {
		if n <= len(codes) {
			return refuse(400, codes[n-1])(n, s)
		}
		return accept(n, s)
	})
	w.enqueueDrafts("1555", "line-a", "4911", store.OutboxDraft{Type: "image", Payload: link})
	b := w.outbox()
	w.run(b)
	for n := range 2 {
		w.until("it is refused", func() bool { return len(w.graph.all()) > n }, w.graph.texts)
		w.eventually("line-a", "pending Payment")
		w.advance(probeAfter)
		b.tend(w.Context())
	}
	w.eventually("line-a", "pending MediaUpload") // Meta could not fetch it, for the first time
	w.advance(2 * time.Second)
	w.eventually("line-a", "accepted")
}

// counting is a store that counts what was given back, and the looks for what is to be sent.
type counting struct {
	Store
	again, claims atomic.Int32
}

func (s *counting) ClaimSends(ctx context.Context, req store.ClaimSendRequest) ([]*store.Send, error) {
	sends, err := s.Store.ClaimSends(ctx, req)
	s.claims.Add(1)
	return sends, err
}

func (s *counting) MarkPendingAgain(ctx context.Context, send *store.Send, again store.Retry) error {
	err := s.Store.MarkPendingAgain(ctx, send, again)
	s.again.Add(1)
	return err
}
