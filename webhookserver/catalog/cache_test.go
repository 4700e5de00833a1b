package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func source(title string) func(context.Context) (Source, error) {
	return func(context.Context) (Source, error) {
		return Source{Format: CSV, Feed: []byte("id,title\n1," + title + "\n")}, nil
	}
}

// titleOf returns the title that a user of the cache sees.
func titleOf(t *testing.T, c *Cache, key, revision string, src func(context.Context) (Source, error)) string {
	t.Helper()
	var title string
	err := c.Use(t.Context(), key, revision, src, func(x *Index) error {
		hits, err := x.SearchProducts(t.Context(), "fern palm", 1)
		if len(hits) > 0 {
			title = hits[0].Product.Title
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return title
}

// counting makes the cache count its builds.
func counting(c *Cache) *atomic.Int32 {
	var builds atomic.Int32
	c.build = func(ctx context.Context, src Source) (*Index, error) {
		builds.Add(1)
		return Build(ctx, src)
	}
	return &builds
}

func TestCacheBuildsOncePerRevision(t *testing.T) {
	c := NewCache(1 << 30)
	defer c.Close()
	builds := counting(c)
	var users sync.WaitGroup
	for range 16 {
		users.Go(func() {
			if got := titleOf(t, c, "line", "r1", source("fern")); got != "fern" {
				t.Errorf("got %q", got)
			}
		})
	}
	users.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("16 users built %d times", n)
	}
	if got := titleOf(t, c, "line", "r2", source("palm")); got != "palm" || builds.Load() != 2 {
		t.Errorf("after a change: %q with %d builds", got, builds.Load())
	}
	if len(c.entries) != 1 || c.recent.Len() != 1 {
		t.Errorf("the old revision is still cached: %d entries", len(c.entries))
	}
}

func TestCacheKeepsAnIndexForItsUsers(t *testing.T) {
	c := NewCache(1 << 30)
	defer c.Close()
	err := c.Use(t.Context(), "line", "r1", source("fern"), func(old *Index) error {
		titleOf(t, c, "line", "r2", source("palm")) // replaces what we hold
		hits, err := old.SearchProducts(t.Context(), "fern", 1)
		if err == nil && len(hits) != 1 {
			err = errors.New("the index in use lost its product")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCacheKeepsAnIndexForItsLastUser(t *testing.T) {
	c := NewCache(1 << 30)
	defer c.Close()
	titleOf(t, c, "line", "r1", source("fern")) // built by a user who is gone
	err := c.Use(t.Context(), "line", "r1", source("fern"), func(held *Index) error {
		titleOf(t, c, "line", "r2", source("palm")) // replaces what we hold
		if _, err := held.SearchProducts(t.Context(), "fern", 1); err != nil {
			return fmt.Errorf("the index in use was closed: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	one, err := Build(t.Context(), Source{Format: CSV, Feed: []byte("id,title\n1,fern\n")})
	if err != nil {
		t.Fatal(err)
	}
	size := one.Bytes()
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	budget := 3*size + size/2 // equal content takes nearly equal memory, and four of them never fit
	c := NewCache(budget)
	defer c.Close()
	builds := counting(c)
	for _, key := range []string{"a", "b", "c", "a", "d"} { // d pushes b out
		titleOf(t, c, key, "r", source("fern"))
	}
	if c.bytes > budget || len(c.entries) != 3 || c.entries["b"] != nil {
		t.Errorf("%d bytes in %d entries, b cached: %t", c.bytes, len(c.entries), c.entries["b"] != nil)
	}
	before := builds.Load()
	titleOf(t, c, "a", "r", source("fern"))
	if builds.Load() != before {
		t.Error("a recently used index was built again")
	}
	titleOf(t, c, "b", "r", source("fern"))
	if builds.Load() != before+1 {
		t.Error("an evicted index was not built again")
	}
}

func TestCacheRetriesAnotherUsersFailedBuild(t *testing.T) {
	c := NewCache(1 << 30)
	defer c.Close()
	var builds atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	c.build = func(ctx context.Context, src Source) (*Index, error) {
		if builds.Add(1) == 1 {
			close(started)
			<-release
			return nil, fmt.Errorf("the first turn ended: %w", context.Canceled)
		}
		return Build(ctx, src)
	}
	var users sync.WaitGroup
	users.Go(func() {
		err := c.Use(t.Context(), "line", "r1", source("fern"), func(*Index) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the builder's own error is %v", err)
		}
	})
	<-started
	users.Go(func() {
		if got := titleOf(t, c, "line", "r1", source("fern")); got != "fern" {
			t.Errorf("the waiting user got %q", got)
		}
	})
	close(release)
	users.Wait()
}

func TestCacheClosed(t *testing.T) {
	c := NewCache(1 << 30)
	titleOf(t, c, "line", "r1", source("fern"))
	c.Close()
	if err := c.Use(t.Context(), "line", "r1", source("fern"), func(*Index) error { return nil }); err == nil {
		t.Error("a closed cache served an index")
	}
	if c.bytes != 0 {
		t.Errorf("%d bytes are still counted", c.bytes)
	}
}
