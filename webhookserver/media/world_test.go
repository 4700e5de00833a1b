package media

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const patience = 60 * time.Second

// world is a store with a clock of its own, a blob store in a directory, and Meta.
type world struct {
	*testing.T
	store *sqlite.Store
	blobs *Blobs
	sim   *metasim.Server

	mu       sync.Mutex
	now      time.Time
	channels map[string]*runtimeconfig.Channel
	messages int
	fetched  int
	// withoutRoom are the lines of files that are not kept, one for each.
	withoutRoom []string
	origins     []string // media hosts beside the simulator
	quota       int64    // of a line, 0 for the usual one
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), channels: map[string]*runtimeconfig.Channel{}}
	var err error
	w.store, err = sqlite.Open(w.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: w.clock})
	w.must(err)
	t.Cleanup(func() { w.must(w.store.Close()) })
	location := url.URL{Scheme: "file", Path: filepath.Join(t.TempDir(), "blobs")}
	w.blobs, err = OpenBlobs(w.Context(), location.String())
	w.must(err)
	t.Cleanup(func() { w.must(w.blobs.Close()) })
	w.sim, err = metasim.Start("127.0.0.1:0", metasim.Options{World: metasim.DemoWorld(), Seed: 1})
	w.must(err)
	t.Cleanup(func() { w.must(w.sim.Close(context.WithoutCancel(t.Context()))) })
	w.serve("line-a")
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
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

// serve lets a line have the number; an empty one takes the number away.
func (w *world) serve(line string, change ...func(*runtimeconfig.Channel)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.channels)
	if line == "" {
		return
	}
	c := &runtimeconfig.Channel{
		Namespace: "shop", Name: line, LineID: line, PhoneNumberID: metasim.DemoDirectPhone, WABAID: metasim.DemoDirectWABA,
		AppID: metasim.DemoDirectAppID, Direct: true, Graph: runtimeconfig.Graph{BaseURL: w.sim.URL, Version: "v25.0"}, PlanActive: true,
		AccessToken: redact.New(w.sim.SystemToken(metasim.DemoDirectSystemUser)), AppSecret: redact.New(w.sim.AppSecret(metasim.DemoDirectAppID)),
	}
	for _, f := range change {
		f(c)
	}
	w.channels[line] = c
}

func (w *world) snapshot() *runtimeconfig.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var objects []runtimeconfig.Object
	for _, c := range w.channels {
		object, err := c.Object()
		w.must(err)
		objects = append(objects, object)
	}
	return runtimeconfig.Load(objects)
}

func (w *world) graph() Graph {
	return Graph{Snapshot: w.snapshot, Client: func(g runtimeconfig.Graph) (Client, error) {
		return meta.New(meta.Config{BaseURL: g.BaseURL, Version: g.Version, MediaOrigins: append([]string{w.sim.URL}, w.origins...)})
	}}
}

func (w *world) fetcher() *Fetcher {
	w.Helper()
	k, err := New(Options{
		Store: w.store, Blobs: w.blobs, Graph: w.graph(), Owner: "test", Poll: 2 * time.Millisecond, Log: logr.Discard(),
		Quota: w.quota,
		Fetched: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fetched++
		},
		NoRoom: func(_ context.Context, line string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.withoutRoom = append(w.withoutRoom, line)
		},
		Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	return k
}

// run fetches until the test ends.
func (w *world) run(k *Fetcher) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		w.must(<-done)
	})
}

// arrive lets a customer send a file, of which the webhook tells what tell says.
func (w *world) arrive(mimeType string, content []byte, tell func(*store.Media)) (wamid string) {
	w.Helper()
	return w.arriveAs("image", mimeType, content, tell)
}

// arriveAs is arrive for another type of message.
func (w *world) arriveAs(kind, mimeType string, content []byte, tell func(*store.Media)) (wamid string) {
	w.Helper()
	id, err := w.sim.AddMedia(metasim.DemoDirectPhone, mimeType, content)
	w.must(err)
	sum := sha256.Sum256(content)
	m := &store.Media{ID: id, MIMEType: mimeType, SHA256: base64.StdEncoding.EncodeToString(sum[:])}
	if tell != nil {
		tell(m)
	}
	w.messages++
	wamid = fmt.Sprintf("wamid.in.%d", w.messages)
	_, err = w.store.Ingest(w.Context(), &store.Delivery{App: metasim.DemoDirectAppID, Messages: []store.InboundMessage{{
		Line: "line-a", PhoneNumberID: metasim.DemoDirectPhone, WAMID: wamid, From: store.Identity{Phone: metasim.DemoCustomer}, Source: store.SourceMessages,
		Type: kind, Media: m, EventTime: w.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	w.must(err)
	return wamid
}

// media is what the store says of a message's file.
func (w *world) media(wamid string) store.Media {
	w.Helper()
	conversations, err := w.store.Conversations(w.Context(), "line-a", 0, 10)
	w.must(err)
	messages, err := w.store.Messages(w.Context(), "line-a", conversations[0].ID, 0, 100)
	w.must(err)
	for i := range messages {
		if messages[i].WAMID == wamid && messages[i].Media != nil {
			return *messages[i].Media
		}
	}
	w.Fatalf("there is no file of %s", wamid)
	return store.Media{}
}

// state of a file, as "state" or "state reason".
func (w *world) state(wamid string) string {
	w.Helper()
	m := w.media(wamid)
	return strings.TrimSpace(string(m.State) + " " + m.Reason)
}

func (w *world) eventually(wamid, want string) {
	w.Helper()
	w.wait(want, wamid, func() bool { return w.state(wamid) == want })
}

// until a file is stored or given up.
func (w *world) until(what, wamid string) {
	w.Helper()
	w.wait(what, wamid, func() bool {
		return strings.HasPrefix(w.state(wamid), "stored") || strings.HasPrefix(w.state(wamid), "failed")
	})
}

func (w *world) wait(what, wamid string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			w.Fatalf("never: %s; the file is %s", what, w.state(wamid))
		}
		<-time.After(2 * time.Millisecond)
	}
}

// blob reads what is kept of a file.
func (w *world) blob(key string) string {
	w.Helper()
	r, size, err := w.blobs.Get(w.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	w.must(err)
	data, err := io.ReadAll(r)
	w.must(errors.Join(err, r.Close()))
	if int64(len(data)) != size {
		w.Errorf("%d bytes, told were %d", len(data), size)
	}
	return string(data)
}
