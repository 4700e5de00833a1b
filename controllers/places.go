package controllers

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// exchangesPrepared is how many codes that were applied in a mass may be busy at the Kubernetes API before they are sent. A thousand
	// together would otherwise make everything there slow, for customers who have just signed up by link, too.
	exchangesPrepared = 16
	// exchangesBesideGuests is how many of them it is while such a customer waits in front of a page. Never none, since their codes die, too.
	exchangesBesideGuests = 4
	// guestStays is how long room is kept for a customer whose token is kept: the leader has yet to show that.
	guestStays = 250 * time.Millisecond
)

// places bounds how many codes are prepared at a time, first come first served, and makes them fewer while guests are there: codes that
// came by link, which wait for no place themselves. A nil places has no bound.
type places struct {
	// stays is how long room is kept for a guest whose token is kept.
	stays time.Duration

	mu sync.Mutex
	// taken are the places that are taken, guests those whom room is made for.
	taken, guests int
	// waiting are those without a place, each to be closed when its turn comes, in the order of their arrival.
	waiting []chan struct{}
}

// take waits for a place and returns what leaves it, once. Whoever is told to stop gets none.
func (p *places) take(ctx context.Context) (leave func()) {
	if p == nil {
		return func() {}
	}
	turn := make(chan struct{})
	p.change(func() { p.waiting = append(p.waiting, turn) })
	leave = sync.OnceFunc(func() {
		p.change(func() {
			if i := slices.Index(p.waiting, turn); i >= 0 {
				p.waiting = slices.Delete(p.waiting, i, i+1)
			} else {
				p.taken--
			}
		})
	})
	select {
	case <-turn:
	case <-ctx.Done():
		leave()
	}
	return leave
}

// welcome makes room for a guest and returns what ends that: at once, or if its token is kept when the leader had time to show it.
func (p *places) welcome() (leave func(kept bool)) {
	if p == nil {
		return func(bool) {}
	}
	p.change(func() { p.guests++ })
	return func(kept bool) {
		gone := func() { p.change(func() { p.guests-- }) }
		if kept {
			time.AfterFunc(p.stays, gone)
			return
		}
		gone()
	}
}

// crowded says whether codes wait for a place.
func (p *places) crowded() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) > 0
}

// change does something to the places, and gives those that are free then to who has waited longest.
func (p *places) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	bound := exchangesPrepared
	if p.guests > 0 {
		bound = exchangesBesideGuests
	}
	for p.taken < bound && len(p.waiting) > 0 {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.taken++
	}
}
