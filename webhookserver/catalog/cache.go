package catalog

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// Cache keeps the indexes of the channels in use, the least recently used ones out first. An index is built on first
// use; while a changed content is being built, turns that started before go on with the index they hold.
type Cache struct {
	maxBytes int64
	build    func(context.Context, Source) (*Index, error)

	mu      sync.Mutex
	entries map[string]*entry // by key
	recent  *list.List        // of *entry, most recently used first
	bytes   int64
	closed  bool
}

// entry is one built index. It is closed when the cache and all its users have let go of it.
type entry struct {
	key      string
	revision string
	index    *Index
	// bytes is what the index took when it was built. The search engine's own count changes later, and what is taken off
	// the total must be what was added.
	bytes   int64
	err     error
	built   chan struct{} // closed when index or err is set
	users   int
	evicted bool
	element *list.Element
}

// NewCache makes a Cache whose indexes together take about maxBytes of memory. One index is always kept, however large.
func NewCache(maxBytes int64) *Cache {
	return &Cache{maxBytes: maxBytes, build: Build, entries: map[string]*entry{}, recent: list.New()}
}

// Use calls fn with the index of one revision of a channel's content, building it if needed. key names the channel: a
// new revision replaces the channel's older one. source is called only to build. Concurrent users of a revision share
// one build; if its builder's context ends, the next user builds again.
func (c *Cache) Use(ctx context.Context, key, revision string, source func(context.Context) (Source, error), fn func(*Index) error) error {
	for {
		e, owner := c.acquire(key, revision)
		if e == nil {
			return fmt.Errorf("the catalog cache is closed: %w", context.Canceled)
		}
		if owner {
			c.finish(ctx, e, source)
		}
		select {
		case <-e.built:
		case <-ctx.Done():
			c.release(e)
			return ctx.Err()
		}
		if e.err != nil {
			c.release(e)
			if !owner && ctx.Err() == nil {
				continue // somebody else's build failed, perhaps only because his turn ended
			}
			return e.err
		}
		err := fn(e.index)
		c.release(e)
		return err
	}
}

// acquire returns the entry of a revision with the caller counted as its user, and whether the caller has to build it.
func (c *Cache) acquire(key, revision string) (_ *entry, owner bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false
	}
	if e := c.entries[key]; e != nil && e.revision == revision {
		e.users++
		c.recent.MoveToFront(e.element)
		return e, false
	}
	e := &entry{key: key, revision: revision, built: make(chan struct{}), users: 1}
	if old := c.entries[key]; old != nil {
		c.evict(old)
	}
	c.entries[key] = e
	e.element = c.recent.PushFront(e)
	return e, true
}

// finish builds the index of an entry, outside the lock.
func (c *Cache) finish(ctx context.Context, e *entry, source func(context.Context) (Source, error)) {
	var index *Index
	src, err := source(ctx)
	if err == nil {
		index, err = c.build(ctx, src)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.index, e.err = index, err
	close(e.built)
	if err != nil {
		c.evict(e)
		return
	}
	if e.evicted {
		return // replaced while it was built; release closes it
	}
	e.bytes = index.Bytes()
	c.bytes += e.bytes
	for c.bytes > c.maxBytes && c.recent.Len() > 1 {
		oldest, ok := c.recent.Back().Value.(*entry)
		if !ok || oldest == e {
			return
		}
		c.evict(oldest)
	}
}

// evict takes an entry out. The lock is held.
func (c *Cache) evict(e *entry) {
	if e.evicted {
		return
	}
	e.evicted = true
	c.recent.Remove(e.element)
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	c.bytes -= e.bytes
	c.closeUnused(e)
}

func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	c.closeUnused(e)
}

// closeUnused frees the search engine of an entry that nobody can reach any more. The lock is held; closing an index in
// memory only stops its goroutines.
func (c *Cache) closeUnused(e *entry) {
	if e.evicted && e.users == 0 && e.index != nil {
		// The index is in memory: there is nothing that a failed Close could lose.
		_ = e.index.Close()
		e.index = nil
	}
}

// Close evicts everything. Indexes in use are freed when their users are done; later users are refused.
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for c.recent.Len() > 0 {
		e, ok := c.recent.Front().Value.(*entry)
		if !ok {
			return
		}
		c.evict(e)
	}
}
