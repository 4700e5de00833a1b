package controllers

import "sync"

// turns lets one reconciliation at a time work on a thing. The others are sent away: a worker that waited would be missing elsewhere.
type turns struct {
	mu    sync.Mutex
	taken map[string]bool
}

// take returns the function that ends the turn, or false while it is somebody else's.
func (t *turns) take(thing string) (end func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[thing] {
		return nil, false
	}
	if t.taken == nil {
		t.taken = map[string]bool{}
	}
	t.taken[thing] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.taken, thing)
	}, true
}
