package media

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestQuotaOfALine keeps files until their line has no room. What is not kept can still be read at Meta, and there is room again when
// messages go.
func TestQuotaOfALine(t *testing.T) {
	w := newWorld(t)
	w.quota = 1000
	k := w.fetcher()
	w.run(k)
	first := w.arrive("image/png", []byte(strings.Repeat("a", 600)), nil)
	w.eventually(first, "stored")
	large := w.arrive("image/png", []byte(strings.Repeat("b", 500)), nil)
	w.eventually(large, "skipped QuotaReached")
	small := w.arrive("image/png", []byte(strings.Repeat("c", 400)), nil)
	w.eventually(small, "stored")
	downloads := w.sim.Counters().Calls["get_media"]
	full := w.arrive("image/png", []byte("d"), nil)
	w.eventually(full, "skipped QuotaReached")
	if got := w.sim.Counters().Calls["get_media"]; got != downloads {
		t.Error("Meta was asked although there is no room")
	}
	if n := testutil.ToFloat64(k.results.WithLabelValues("skipped")); n != 2 {
		t.Errorf("counted %v files that are not kept", n)
	}
	w.mu.Lock()
	if !slices.Equal(w.withoutRoom, []string{"line-a", "line-a"}) {
		t.Errorf("told of files without room: %v", w.withoutRoom)
	}
	w.mu.Unlock()
	for _, wamid := range []string{large, full} {
		m := w.media(wamid)
		if w.blob(m.BlobKey) != "" {
			t.Error("a file without room is kept")
		}
		if content, err := (Reader{Graph: w.graph(), Blobs: w.blobs}).Fetch(w.Context(), w.channels["line-a"], &m, 1000); err != nil || len(content) == 0 {
			t.Errorf("it can't be read at Meta: %d bytes, %v", len(content), err)
		}
	}
	images := Outgoing{Store: w.store, Blobs: w.blobs, Quota: 1000}
	if _, err := images.Draft(w.Context(), "line-a", "image/png", []byte("e"), ""); !errors.Is(err, ErrQuota) {
		t.Errorf("an image of ours: %v", err)
	}
	if _, err := images.Draft(w.Context(), "line-b", "image/png", []byte("e"), ""); err != nil {
		t.Errorf("a neighbour's image: %v", err)
	}
	w.advance(store.MinRetention + time.Hour)
	for n := 1; n > 0; {
		var err error
		n, err = w.store.Expire(w.Context(), store.Retention{Default: store.MinRetention, BatchSize: 100})
		w.must(err)
	}
	again := w.arrive("image/png", []byte(strings.Repeat("f", 1000)), nil)
	w.eventually(again, "stored")
}
