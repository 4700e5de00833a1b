package feeds

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const goodFeed = "id,title,price\n1,Fern,9.99 USD\n2,Palm,5.00 USD\n"

// world is a store and a web server that a shop's documents lie on.
type world struct {
	*testing.T
	store  *sqlite.Store
	server *httptest.Server
	answer atomic.Pointer[http.HandlerFunc] // a request that was given up may still read it
	asked  atomic.Int32

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Now()}
	var err error
	w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.server = httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		w.asked.Add(1)
		(*w.answer.Load())(res, req)
	}))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// replica makes Feeds of a channel with these sources. Its client has a small limit.
func (w *world) replica(policy egress.Policy, ch *runtimeconfig.Channel) *Feeds {
	w.Helper()
	return w.impatient(policy, ch, time.Minute)
}

// impatient is replica with a time for each document.
func (w *world) impatient(policy egress.Policy, ch *runtimeconfig.Channel, timeout time.Duration) *Feeds {
	w.Helper()
	objects := []runtimeconfig.Object{}
	if ch.Content != nil {
		object, err := ch.Content.Object(ch.PhoneNumberID)
		if err != nil {
			w.Fatal(err)
		}
		ch.Assistant.Content = object.Name
		objects = append(objects, object)
	}
	object, err := ch.Object()
	if err != nil {
		w.Fatal(err)
	}
	snapshot := runtimeconfig.Load(append(objects, object))
	f, err := New(Options{
		Snapshot: func() *runtimeconfig.Snapshot { return snapshot }, Store: w.store,
		Client: egress.NewClient(policy, timeout, 1<<20), Metrics: prometheus.NewRegistry(), Log: logr.Discard(),
	})
	if err != nil {
		w.Fatal(err)
	}
	f.now = w.clock
	return f
}

func (w *world) sweep(f *Feeds) {
	w.Helper()
	if err := f.sweep(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// reports are what the manager was told, from the beginning.
func (w *world) reports() []serverapi.Assistant {
	w.Helper()
	rows, err := w.store.Reports(w.Context(), 0, 100)
	if err != nil {
		w.Fatal(err)
	}
	var all []serverapi.Assistant
	for _, r := range rows {
		if strings.Contains(string(r.Payload), w.server.URL) || strings.Contains(string(r.Payload), "127.0.0.1") {
			w.Errorf("a report holds the URL: %s", r.Payload)
		}
		var a serverapi.Assistant
		if err := json.Unmarshal(r.Payload, &a); err != nil {
			w.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func channel(sources ...runtimeconfig.Source) *runtimeconfig.Channel {
	return &runtimeconfig.Channel{
		PhoneNumberID: "106540352242922", WABAID: "102290129340398", LineID: "line-a", Assistant: runtimeconfig.Assistant{Sources: sources},
	}
}

func (w *world) feed() runtimeconfig.Source {
	return runtimeconfig.Source{Field: "spec.assistant.catalog.url", URL: w.server.URL + "/feed.csv?key=secret", Format: "CSV", Refresh: runtimeconfig.Duration(time.Hour)}
}

func load(t *testing.T, f *Feeds, src runtimeconfig.Source) string {
	t.Helper()
	body, err := f.Load(t.Context(), "line-a", src.URL)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var loopback = egress.Policy{AllowLoopback: true}

func TestFetchedOnceForAllReplicas(t *testing.T) {
	w := newWorld(t)
	feed := goodFeed
	var conditional []string
	w.answers(func(res http.ResponseWriter, req *http.Request) {
		conditional = append(conditional, req.Header.Get("If-None-Match"))
		res.Header().Set("ETag", fmt.Sprintf("%q", feed[len(feed)-9:]))
		if req.Header.Get("If-None-Match") == res.Header().Get("ETag") {
			res.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = res.Write([]byte(feed))
	})
	src := w.feed()
	one, two := w.replica(loopback, channel(src)), w.replica(loopback, channel(src))
	for range 3 {
		w.sweep(one)
		w.sweep(two)
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("the URL was asked %d times for two replicas", n)
	}
	if load(t, one, src) != goodFeed || load(t, two, src) != goodFeed {
		t.Error("a replica has another copy")
	}
	first := two.Revision("line-a", src.URL)
	if first == "" || first != one.Revision("line-a", src.URL) {
		t.Errorf("revisions %q and %q", one.Revision("line-a", src.URL), first)
	}
	w.advance(time.Hour)
	w.sweep(two)
	if two.Revision("line-a", src.URL) != first || w.asked.Load() != 2 {
		t.Errorf("what didn't change has another revision, or was asked %d times", w.asked.Load())
	}
	feed = goodFeed + "3,Yucca,1.00 USD\n"
	w.advance(time.Hour)
	w.sweep(one)
	w.sweep(two)
	if load(t, two, src) != feed || two.Revision("line-a", src.URL) == first {
		t.Error("a change at one replica did not reach the other")
	}
	if len(conditional) != 3 || conditional[0] != "" || conditional[1] == "" || conditional[2] != conditional[1] {
		t.Errorf("If-None-Match was %q", conditional)
	}
}

// answers sets what the server answers from now on.
func (w *world) answers(h http.HandlerFunc) { w.answer.Store(&h) }

func TestBadURLs(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect to another origin was followed") }))
	defer other.Close()
	hang := make(chan struct{})
	defer close(hang)
	for _, tc := range []struct {
		reason string
		policy egress.Policy
		answer http.HandlerFunc
		want   string
	}{
		{"it points inside", egress.Policy{}, nil, serverapi.SourceAddressRefused},
		{"it redirects", loopback, func(res http.ResponseWriter, req *http.Request) { http.Redirect(res, req, other.URL, http.StatusFound) }, serverapi.SourceRedirectRefused},
		{"it hangs", loopback, func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-hang:
			case <-req.Context().Done():
			}
		}, serverapi.SourceTimeout},
		{"it is huge", loopback, func(res http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = res.Write(make([]byte, 64<<10))
			}
		}, serverapi.SourceTooLarge},
		{"it wants a log-in", loopback, func(res http.ResponseWriter, _ *http.Request) { res.WriteHeader(http.StatusForbidden) }, serverapi.SourceForbidden},
		{"it is gone", loopback, func(res http.ResponseWriter, _ *http.Request) { res.WriteHeader(http.StatusNotFound) }, serverapi.SourceNotFound},
		{"it is broken", loopback, func(res http.ResponseWriter, _ *http.Request) { res.WriteHeader(http.StatusBadGateway) }, serverapi.SourceServerError},
		{"it is a web page", loopback, func(res http.ResponseWriter, _ *http.Request) { _, _ = res.Write([]byte("<!DOCTYPE html><p>Shop</p>")) }, serverapi.SourceUnreadable},
		{"it closes at once", loopback, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, serverapi.SourceUnreachable},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.answers(tc.answer)
			src := w.feed()
			timeout := time.Minute
			if tc.want == serverapi.SourceTimeout {
				timeout = time.Second
			}
			f := w.impatient(tc.policy, channel(src), timeout)
			w.sweep(f)
			all := w.reports()
			if len(all) != 1 || all[0].Reason != tc.want || all[0].Source == nil || all[0].Source.Served || all[0].Source.Field != src.Field {
				t.Errorf("reported %+v, want %s", all, tc.want)
			}
			if tc.policy.AllowLoopback != (w.asked.Load() > 0) {
				t.Errorf("the server was asked %d times", w.asked.Load())
			}
			// A copy from before goes on serving, and a URL that works again makes good.
			w.answers(func(res http.ResponseWriter, _ *http.Request) { _, _ = res.Write([]byte(goodFeed)) })
			good := w.replica(loopback, channel(src))
			w.advance(time.Hour)
			w.sweep(good)
			if load(t, good, src) != goodFeed {
				t.Fatal("the URL works and was not fetched")
			}
			w.answers(tc.answer)
			w.advance(time.Hour)
			w.sweep(f)
			if load(t, f, src) != goodFeed {
				t.Error("the last good copy is gone")
			}
			all = w.reports()
			if last := all[len(all)-1]; last.Reason != tc.want || !last.Source.Served {
				t.Errorf("reported %+v last, want %s with a copy", last, tc.want)
			}
		})
	}
}

// TestCatalogsAreChecked reads catalogs as shops export them, also those that lie in a ConfigMap and that nobody has asked about.
func TestCatalogsAreChecked(t *testing.T) {
	var large strings.Builder
	large.WriteString("id,title\n")
	for i := range 200_000 {
		fmt.Fprintf(&large, "%d,P\n", i)
	}
	for _, tc := range []struct {
		reason, feed string
		want         serverapi.Catalog
	}{
		{"a good one", goodFeed, serverapi.Catalog{Products: 2}},
		{"a missing column", "id,name\n1,Fern\n", serverapi.Catalog{Problem: "the first line must name the columns, at least id and title"}},
		{"wrong prices", "id,title,price\n1,Fern,cheap\n2,Palm,5.00 USD\n3,Yucca,\"1,50 EUR\"\n", serverapi.Catalog{
			Products: 1, LeftOut: 2, Problem: "row at 2: price must be a number with a decimal point and an ISO 4217 currency, such as 9.99 USD",
			Rows: []serverapi.RowError{
				{Line: 2, Problem: "price must be a number with a decimal point and an ISO 4217 currency, such as 9.99 USD"},
				{Line: 4, Problem: "price must be a number with a decimal point and an ISO 4217 currency, such as 9.99 USD"},
			},
		}},
		{"duplicate ids", "id,title\n1,Fern\n1,Palm\n", serverapi.Catalog{
			Products: 1, LeftOut: 1, Problem: "row at 3: id was used by an earlier row", Rows: []serverapi.RowError{{Line: 3, Problem: "id was used by an earlier row"}},
		}},
		{"200,000 rows", large.String(), serverapi.Catalog{
			Products: 50_000, LeftOut: 1, Problem: "row at 50002: the feed has more than 50000 products; the rest is ignored",
			Rows: []serverapi.RowError{{Line: 50_002, Problem: "the feed has more than 50000 products; the rest is ignored"}},
		}},
		{"HTML inside", "id,title\n1,<b>Fern</b> &amp; <script>alert(1)</script>pot\n", serverapi.Catalog{Products: 1}},
	} {
		_, got := readable("CSV", []byte(tc.feed))
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	w := newWorld(t)
	ch := channel()
	ch.Content = &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: []byte("id,title\n,Fern\n")}
	one, two := w.replica(loopback, ch), w.replica(loopback, ch)
	for range 2 {
		w.sweep(one)
		w.sweep(two)
	}
	all := w.reports()
	if len(all) != 1 || all[0].Healthy || all[0].Reason != serverapi.ReasonCatalogInvalid || all[0].Catalog == nil || len(all[0].Catalog.Rows) != 1 {
		t.Errorf("two replicas reported %+v of a ConfigMap's catalog, want one report", all)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	page := runtimeconfig.Source{Field: "spec.assistant.knowledge[0].url", URL: w.server.URL + "/faq.md"}
	w.answers(func(res http.ResponseWriter, _ *http.Request) { _, _ = res.Write([]byte("# Shipping\n\nTwo days.\n")) })
	f := w.replica(loopback, channel(page))
	w.sweep(f)
	if load(t, f, page) != "# Shipping\n\nTwo days.\n" {
		t.Error("the page is not served")
	}
	w.answers(func(res http.ResponseWriter, _ *http.Request) {
		res.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = res.Write([]byte("<p>Log in</p>"))
	})
	w.advance(time.Hour)
	w.sweep(f)
	all := w.reports()
	if last := all[len(all)-1]; last.Reason != serverapi.SourceUnreadable || !last.Source.Served || load(t, f, page) == "<p>Log in</p>" {
		t.Errorf("a log-in page took the page's place: %+v", last)
	}
}

// TestStoppedWhileFetching leaves the document to the next replica, without a word of failure.
func TestStoppedWhileFetching(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.answers(func(_ http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() })
	f := w.replica(loopback, channel(w.feed()))
	if err := f.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if all := w.reports(); len(all) != 0 {
		t.Errorf("a shutdown was reported as %+v", all)
	}
}
