package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

const (
	deadline = 60 * time.Second
	token    = "EAAGsupersecrettoken0123456789"
)

// world is a store with a clock of its own, a Graph API, and what is served.
type world struct {
	*testing.T
	store *sqlite.Store
	graph *graph

	mu       sync.Mutex
	now      time.Time
	channels map[string]*runtimeconfig.Channel // by phone number id
	logged   strings.Builder
	messages int
	// ahead is by how much the clock of the process is ahead of the store's.
	ahead time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), channels: map[string]*runtimeconfig.Channel{}}
	s, err := sqlite.Open(w.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: w.clock})
	w.must(err)
	w.store = s
	t.Cleanup(func() { w.must(s.Close()) })
	w.graph = newGraph(t)
	w.serve("1555", "line-a")
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

// serve adds or replaces a channel. An empty line removes it.
func (w *world) serve(number, line string, change ...func(*runtimeconfig.Channel)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.channels, number)
	if line == "" {
		return
	}
	ch := &runtimeconfig.Channel{
		Namespace: "shop", Name: line, LineID: line, PhoneNumberID: number, WABAID: "777", AppID: "42",
		Graph: runtimeconfig.Graph{BaseURL: w.graph.URL, Version: "v25.0"}, PlanActive: true, AccessToken: redact.New(token),
	}
	for _, c := range change {
		c(ch)
	}
	w.channels[number] = ch
}

// snapshot goes through the contract between the halves, as in production.
func (w *world) snapshot() *runtimeconfig.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	app := &runtimeconfig.App{Name: "app", AppID: "42", AppSecret: redact.New("app-secret-of-42"), VerifyToken: redact.New("pv_x")}
	object, err := app.Object()
	w.must(err)
	objects := []runtimeconfig.Object{object}
	for _, ch := range w.channels {
		object, err := ch.Object()
		w.must(err)
		objects = append(objects, object)
	}
	return runtimeconfig.Load(objects)
}

func (w *world) client(g runtimeconfig.Graph) (Sender, error) {
	return meta.New(meta.Config{BaseURL: g.BaseURL, Version: g.Version})
}

func (w *world) log() logr.Logger {
	return funcr.New(func(prefix, args string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		fmt.Fprintln(&w.logged, prefix, args)
	}, funcr.Options{Verbosity: 9})
}

func (w *world) outbox() *Outbox {
	w.Helper()
	return w.outboxOf(4)
}

// outboxOf is one with so many workers; 0 for as many as in production.
func (w *world) outboxOf(workers int) *Outbox {
	w.Helper()
	b, err := New(Options{
		Store: w.store, Snapshot: w.snapshot, Client: w.client, Owner: "test", Workers: workers, Poll: 2 * time.Millisecond,
		Now: func() time.Time { return w.clock().Add(w.ahead) }, Log: w.log(), Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	return b
}

// run starts delivering until stop is called, or the test ends.
func (w *world) run(b *Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					w.Error(err)
				}
			case <-time.After(deadline):
				w.Error("the outbox did not stop")
			}
		})
	}
	w.Cleanup(stop)
	return stop
}

// enqueue lets a customer write and the texts be the reply.
func (w *world) enqueue(number, line, customer string, texts ...string) {
	w.Helper()
	var drafts []store.OutboxDraft
	for _, text := range texts {
		payload, err := TextPayload(text)
		w.must(err)
		drafts = append(drafts, store.OutboxDraft{Type: "text", Text: text, Payload: payload, MaxReplyAge: 20 * time.Hour})
	}
	w.enqueueDrafts(number, line, customer, drafts...)
}

// enqueueDrafts is enqueue for anything.
func (w *world) enqueueDrafts(number, line, customer string, drafts ...store.OutboxDraft) {
	w.Helper()
	w.messages++
	id := fmt.Sprintf("wamid.in.%d", w.messages)
	_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "42", Messages: []store.InboundMessage{{
		Line: line, PhoneNumberID: number, WAMID: id, From: store.Identity{Phone: customer}, Source: store.SourceMessages,
		Type: "text", Text: "hi", EventTime: w.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	w.must(err)
	w.advance(store.ReplyDebounce)
	turn, err := storetest.One(w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, PerLineLimit: 100}))
	w.must(err)
	w.must(w.store.CommitReply(w.Context(), turn, drafts, store.Outcome{Kind: store.OutcomeAnswered}))
}

func (w *world) rows(line string) []store.OutboxRow {
	w.Helper()
	rows, err := w.store.OutboxRows(w.Context(), line, 0, 1000)
	w.must(err)
	return rows
}

// states of a line's rows, as "state" or "state reason".
func (w *world) states(line string) string {
	w.Helper()
	var out []string
	for _, r := range w.rows(line) {
		out = append(out, strings.TrimSpace(string(r.State)+" "+r.Reason))
	}
	return strings.Join(out, ", ")
}

// eventually waits until a line's states are as wanted.
func (w *world) eventually(line, want string) {
	w.Helper()
	w.until("states of "+line+" are "+want, func() bool { return w.states(line) == want }, func() string { return w.states(line) })
}

func (w *world) until(what string, ok func() bool, now func() string) {
	w.Helper()
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			w.Fatalf("never: %s; it is %s", what, now())
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (w *world) reports() []string {
	w.Helper()
	rows, err := w.store.Reports(w.Context(), 0, 1000)
	w.must(err)
	var out []string
	for _, r := range rows {
		if r.Kind != store.ReportTraffic {
			out = append(out, string(r.Kind)+" "+string(r.Payload))
		}
	}
	return out
}

// graph is a Graph API of one endpoint that keeps what it was sent.
type graph struct {
	*httptest.Server

	mu       sync.Mutex
	received []sent
	answer   func(n int, s sent) (status int, body string)
}

// sent is one request.
type sent struct {
	Path, Token string
	Proof       bool
	Body        map[string]any
}

func (s sent) text() string {
	if t, ok := s.Body["text"].(map[string]any); ok {
		return fmt.Sprint(t["body"])
	}
	return ""
}

func newGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{answer: accept}
	g.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := sent{Path: r.URL.Path, Token: r.Header.Get("Authorization"), Proof: r.URL.Query().Has("appsecret_proof")}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &s.Body)
		}
		if err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		g.received = append(g.received, s)
		n, answer := len(g.received), g.answer
		g.mu.Unlock()
		status, text := answer(n, s)
		rw.WriteHeader(status)
		if _, err := io.WriteString(rw, text); err != nil {
			t.Log(err) // the caller may have given up, on purpose
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func accept(n int, _ sent) (int, string) {
	return 200, fmt.Sprintf(`{"messaging_product":"whatsapp","contacts":[{"input":"+49","wa_id":"49"}],"messages":[{"id":"wamid.out.%d"}]}`, n)
}

// refuse answers with a Graph error.
func refuse(status, code int) func(int, sent) (int, string) {
	return func(int, sent) (int, string) {
		return status, fmt.Sprintf(`{"error":{"message":"(#%d) no, token %s","type":"OAuthException","code":%d,"fbtrace_id":"Atrace"}}`, code, token, code)
	}
}

func (g *graph) answers(fn func(n int, s sent) (int, string)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = fn
}

func (g *graph) all() []sent {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]sent(nil), g.received...)
}

func (g *graph) texts() string {
	var out []string
	for _, s := range g.all() {
		out = append(out, s.text())
	}
	return strings.Join(out, ", ")
}
