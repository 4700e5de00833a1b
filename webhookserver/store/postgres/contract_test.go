package postgres

import (
	"sync"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestContract(t *testing.T) {
	// The suite names a store by its directory; here that is a schema.
	var mu sync.Mutex
	schemas := map[string]string{}
	storetest.Run(t, func(t *testing.T, dir string, clock func() time.Time) store.Store {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if schemas[dir] == "" {
			schemas[dir] = schemaOf(t, server)
		}
		s, err := Open(t.Context(), Options{DSN: schemas[dir], Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
