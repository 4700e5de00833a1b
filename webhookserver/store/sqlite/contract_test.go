package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, open) }

func open(t *testing.T, dir string, clock func() time.Time) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db"), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
