package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestContract(t *testing.T) {
	var remembered atomic.Int64
	var explained sync.Map
	storetest.Run(t, func(t *testing.T, dir string, clock func() time.Time) store.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db"), Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		// What is in one span for few messages must be right in many, too.
		if err := s.Scatter(t.Context()); err != nil {
			t.Fatal(err)
		}
		return &checked{Store: s, t: t, remembered: &remembered, explained: &explained}
	})
	if remembered.Load() == 0 {
		t.Error("no conversation was remembered in any test")
	}
}

// checked is a store that compares at its end what it remembers with what it holds, and looks whether any statement reads all
// messages: whatever a test did.
type checked struct {
	*sqlite.Store
	t          *testing.T
	remembered *atomic.Int64
	explained  *sync.Map
}

// allOfMessages is the step of a plan that reads the whole table, under the names that statements have for it.
var allOfMessages = regexp.MustCompile(`^SCAN (messages|m|t|r)\b`)

func (c *checked) Close() error {
	ctx := context.WithoutCancel(c.t.Context())
	n, err := c.CheckThreads(ctx)
	plans := c.Plans(ctx, c.explained, func(query, step string) {
		if allOfMessages.MatchString(step) {
			c.t.Errorf("%s: %s", step, query)
		}
	})
	if err := errors.Join(err, c.CheckReach(ctx), plans); err != nil {
		c.t.Error(err)
	}
	c.remembered.Add(int64(n))
	return c.Store.Close()
}

func open(t *testing.T, dir string, clock func() time.Time) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db"), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
