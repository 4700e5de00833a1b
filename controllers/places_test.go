package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

// counts are how many places are taken, how many codes wait for one, and how many guests there are.
func (p *places) counts() (taken, waiting, guests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken, len(p.waiting), p.guests
}

// place is one that a code of a crowd got.
type place struct {
	number int
	leave  func()
}

// crowd are codes that want places, numbered in the order of their arrival.
type crowd struct {
	t      *testing.T
	places *places
	come   int
	got    chan place
	// leave is what those who got a place leave it by.
	leave map[int]func()
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	return &crowd{t: t, places: &places{}, got: make(chan place, 100), leave: map[int]func(){}}
}

// join lets one more want a place, and returns when it waits or has one.
func (c *crowd) join(ctx context.Context) {
	c.t.Helper()
	number := c.come
	c.come++
	taken, waiting, _ := c.places.counts()
	go func() { c.got <- place{number, c.places.take(ctx)} }()
	await(c.t, func(context.Context) error {
		if t, w, _ := c.places.counts(); t+w == taken+waiting {
			return errors.New("it has not come yet")
		}
		return nil
	})
}

// expect sees that the next places go to those from one number to before another, and to nobody else for now.
func (c *crowd) expect(from, to int) {
	c.t.Helper()
	var numbers []int
	for range to - from {
		select {
		case p := <-c.got:
			c.leave[p.number] = p.leave
			numbers = append(numbers, p.number)
		case <-time.After(patience):
			c.t.Fatalf("of %d to %d only %v got a place", from, to-1, numbers)
		}
	}
	slices.Sort(numbers)
	if numbers[0] != from || numbers[len(numbers)-1] != to-1 {
		c.t.Fatalf("the places went to %v, not to %d to %d", numbers, from, to-1)
	}
	if _, waiting, _ := c.places.counts(); waiting != c.come-to {
		c.t.Fatalf("%d wait for a place, not %d", waiting, c.come-to)
	}
}

// TestMassMakesRoomForGuests: while somebody waits in front of a page few codes of a mass are prepared, but some are, and each in its turn.
func TestMassMakesRoomForGuests(t *testing.T) {
	const all, few = exchangesPrepared, exchangesBesideGuests
	c := newCrowd(t)
	for range 2*all + 2 {
		c.join(t.Context())
	}
	c.expect(0, all)
	first, second := c.places.welcome(), c.places.welcome()
	for i := range all {
		c.leave[i]()
		c.leave[i]() // leaving twice is leaving once
	}
	c.expect(all, all+few)
	first(false)
	c.leave[all]()
	c.expect(all+few, all+few+1)
	second(false)
	c.expect(all+few+1, 2*all+1)
}

// TestWhoIsToldToStopLeavesNoGap: of a process that stops nobody keeps a place who does nothing with it.
func TestWhoIsToldToStopLeavesNoGap(t *testing.T) {
	c := newCrowd(t)
	for range exchangesPrepared {
		c.join(t.Context())
	}
	c.expect(0, exchangesPrepared)
	ctx, stop := context.WithCancel(t.Context())
	c.join(ctx)
	c.join(t.Context())
	stop()
	gone := <-c.got
	c.leave[0]()
	c.expect(exchangesPrepared+1, exchangesPrepared+2)
	gone.leave()
	if taken, _, _ := c.places.counts(); taken != exchangesPrepared {
		t.Errorf("%d places are taken", taken)
	}
}

// watched is a client that tells of each write of an object before it makes it.
type watched struct {
	client.Client
	look func()
}

func (c *watched) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	c.look()
	return c.Client.Create(ctx, obj, opts...)
}

func (c *watched) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	c.look()
	return c.Client.Update(ctx, obj, opts...)
}

// TestMassMakesRoomForASignup: from its arrival on, and until the leader had time to show its token.
func TestMassMakesRoomForASignup(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	room := &places{stays: time.Hour}
	m.signups.exchange.places = room
	guests := func() int {
		_, _, guests := room.counts()
		return guests
	}
	w.run(m, "the link", func() bool { return w.request.Status.SignupLinkSecretRef != nil })
	w.signUp(w.token(), signup.Claims{Event: "FINISH"})
	writes := 0
	m.signups.exchange.vault.Writer = &watched{Client: w.objects, look: func() {
		writes++
		if guests() != 1 {
			t.Errorf("write %d of the exchange is made while the mass makes no room", writes)
		}
	}}
	arrived := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&w.handedOver()[0])}
	reconcile := func() {
		_, err := m.signups.Reconcile(t.Context(), arrived)
		w.must(err)
	}
	reconcile()
	if writes < 3 || guests() != 1 {
		t.Errorf("after %d writes the mass makes room for %d", writes, guests())
	}
	reconcile()
	if guests() != 1 {
		t.Errorf("a code that is done with leaves room for %d", guests()-1)
	}
}
