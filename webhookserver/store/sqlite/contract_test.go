package sqlite_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestContract(t *testing.T) {
	var remembered atomic.Int64
	storetest.Run(t, func(t *testing.T, dir string, clock func() time.Time) store.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db"), Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return &checked{Store: s, t: t, remembered: &remembered}
	})
	if remembered.Load() == 0 {
		t.Error("no conversation was remembered in any test")
	}
}

// checked is a store that compares at its end what it remembers with what it holds: whatever a test did.
type checked struct {
	*sqlite.Store
	t          *testing.T
	remembered *atomic.Int64
}

func (c *checked) Close() error {
	n, err := c.CheckThreads(context.WithoutCancel(c.t.Context()))
	if err != nil {
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
