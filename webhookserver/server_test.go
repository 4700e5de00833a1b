package webhookserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const (
	appSecret = "secret-of-the-app-01"
	bearer    = "bearer-of-the-manager"
	// patience bounds waits that take moments on an idle machine.
	patience = 60 * time.Second
)

// client plays Meta, the kubelet and Prometheus.
var client = &http.Client{Timeout: patience}

// fixed is a Source that tests fill.
type fixed struct{ view *source.View }

func (f fixed) View() *source.View { return f.view }

func (f fixed) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// publish serves one number whose Graph API is at graphURL.
func (f fixed) publish(t *testing.T, graphURL string) {
	t.Helper()
	content := &runtimeconfig.Content{Knowledge: []runtimeconfig.Document{{Name: "faq.md", Text: "# Delivery\nWe deliver to Berlin within two days."}}}
	packed, err := content.Object("201")
	if err != nil {
		t.Fatal(err)
	}
	channel := &runtimeconfig.Channel{
		Namespace: "shop", Name: "sales", LineID: "line-p", PhoneNumberID: "201", WABAID: "301", AppID: "1001", Direct: true,
		Graph: runtimeconfig.Graph{BaseURL: graphURL, Version: "v25.0"}, MessagesPerSecond: 80, PlanActive: true,
		Assistant: runtimeconfig.Assistant{Enabled: true, Content: packed.Name, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
		AppSecret: redact.New(appSecret), AccessToken: redact.New("token-of-the-line"),
	}
	c, err1 := channel.Object()
	i, err2 := (&runtimeconfig.Internal{BearerToken: redact.New(bearer)}).Object()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	f.view.Publish([]runtimeconfig.Object{c, i, packed})
}

// options are those of a server on loopback with an empty store.
func options(t *testing.T) (Options, fixed, store.Store) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "messages.db")})
	if err != nil {
		t.Fatal(err)
	}
	o, from := optionsOn(t, s)
	return o, from, s
}

// optionsOn are those of a server on loopback with the store, which it closes.
func optionsOn(t *testing.T, s store.Store) (Options, fixed) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	from := fixed{source.NewView()}
	return Options{
		Source: from, Store: s, Roles: Roles{Ingress: true, Worker: true}, TextPayload: outbox.TextPayload,
		PublicAddr: "127.0.0.1:0", InternalAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0",
		Registry: prometheus.NewRegistry(), Log: logr.Discard(),
	}, from
}

// replicas opens a database of PostgreSQL twice.
func replicas(t *testing.T) []store.Store {
	t.Helper()
	server, err := pgserver.Shared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn, drop, err := server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	var stores []store.Store
	for range 2 {
		s, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	return stores
}

// start runs a server; stop tells it to end, and the channel has what Run returned.
func start(t *testing.T, o Options) (s *Server, stop func(), ended <-chan error) {
	t.Helper()
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		result <- s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s, cancel, result
}

// get returns the status and the body of a page.
func get(t *testing.T, url string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// signed is a webhook with a customer's text, and its signature.
func signed(id, text string) (body []byte, signature string) {
	body = fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"301","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",`+
		`"metadata":{"phone_number_id":"201"},"contacts":[{"wa_id":"4915112345678","profile":{"name":"Ana"}}],"messages":[{"from":"4915112345678","id":"wamid.%s",`+
		`"timestamp":"%d","type":"text","text":{"body":%q}}]}}]}]}`, id, time.Now().Unix(), text)
	return body, webhook.Sign([]byte(appSecret), body)
}

// deliver posts a customer's text and returns the status; 0 if there was no answer.
func deliver(s *Server, id, text string) int {
	body, signature := signed(id, text)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL()+ingress.Path, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.SignatureHeader, signature)
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	if res.Body.Close() != nil {
		return 0
	}
	return res.StatusCode
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func await(t *testing.T, what string, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		t.Fatalf("did not happen in time: %s", what)
		return nil
	}
}

// gate is a store in whose Ingest requests wait until it opens.
type gate struct {
	store.Store
	inside atomic.Int32
	open   chan struct{}
}

func (g *gate) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	g.inside.Add(1)
	<-g.open
	return g.Store.Ingest(ctx, d)
}

// lastWord is a Worker that uses the store when it is told to stop.
type lastWord struct {
	store store.Maintenance
	err   error
}

func (l *lastWord) Run(ctx context.Context) error {
	<-ctx.Done()
	l.err = l.store.Ping(context.WithoutCancel(ctx))
	return nil
}

func TestDrainLosesNoRequest(t *testing.T) {
	o, from, kept := options(t)
	g := &gate{Store: kept, open: make(chan struct{})}
	worker := &lastWord{store: kept}
	o.Store, o.DrainDelay, o.Workers = g, time.Second, []Worker{worker}
	from.publish(t, "https://graph.facebook.com")
	s, stop, ended := start(t, o)
	if status, text := get(t, s.OpsURL()+"/readyz"); status != http.StatusOK {
		t.Fatalf("not ready: %d %s", status, text)
	}

	const before = 20
	statuses := make(chan int, before+1)
	send := func(i int) { go func() { statuses <- deliver(s, fmt.Sprint(i), "hello") }() }
	for i := range before {
		send(i)
	}
	eventually(t, "all requests are at the store", func() bool { return g.inside.Load() == before })
	stop()
	eventually(t, "the server is unready", func() bool {
		status, text := get(t, s.OpsURL()+"/readyz")
		return status == 503 && text == "draining\n"
	})
	send(before) // load balancers have not noticed yet
	eventually(t, "that one is at the store, too", func() bool { return g.inside.Load() == before+1 })
	address := strings.TrimPrefix(s.URL(), "http://")
	eventually(t, "nothing is accepted any more", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close() // only whether it opens counts
		}
		return err != nil
	})
	close(g.open)
	for range before + 1 {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a request under way was answered %d", status)
		}
	}
	if err := await(t, "the end", ended); err != nil {
		t.Errorf("Run: %v", err)
	}
	if worker.err != nil {
		t.Errorf("the store was gone before the workers: %v", worker.err)
	}
	if n := len(storedTexts(t, kept)); n != before+1 {
		t.Errorf("%d messages are stored, %d were acknowledged", n, before+1)
	}
}

func storedTexts(t *testing.T, s store.Store) []string {
	t.Helper()
	conversations, err := s.Conversations(t.Context(), "line-p", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for i := range conversations {
		messages, err := s.Messages(t.Context(), "line-p", conversations[i].ID, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for n := range messages {
			texts = append(texts, messages[n].Text)
		}
	}
	return texts
}

// readOnly is a store that, from some time on, can't be written.
type readOnly struct {
	store.Store
	failing atomic.Bool
}

func (r *readOnly) Ping(ctx context.Context) error {
	if r.failing.Load() {
		return store.ErrUnavailable
	}
	return r.Store.Ping(ctx)
}

func TestReadiness(t *testing.T) {
	o, from, kept := options(t)
	messages := &readOnly{Store: kept}
	o.Store = messages
	s, _, _ := start(t, o)
	if status, _ := get(t, s.OpsURL()+"/healthz"); status != http.StatusOK {
		t.Errorf("a process that runs is alive, got %d", status)
	}
	if status, text := get(t, s.OpsURL()+"/readyz"); status != 503 || !strings.Contains(text, "projections") {
		t.Errorf("before the projections: %d %q", status, text)
	}
	from.publish(t, "https://graph.facebook.com")
	if status, _ := get(t, s.OpsURL()+"/readyz"); status != http.StatusOK {
		t.Errorf("with projections and store: %d", status)
	}
	deliver(s, "1", "hello")
	if _, text := get(t, s.OpsURL()+"/metrics"); !strings.Contains(text, `whatsapp_webhook_posts_total{result="stored"} 1`) ||
		strings.Contains(text, "line-p") || strings.Contains(text, `"201"`) {
		t.Errorf("metrics without rates, or with names of objects:\n%s", text)
	}
	messages.failing.Store(true)
	if status, text := get(t, s.OpsURL()+"/readyz"); status != 503 || !strings.Contains(text, "store is not writable: ") {
		t.Errorf("without a store: %d %q", status, text)
	}
}

type failing struct{ err error }

func (f failing) Run(context.Context) error { return f.err }

func TestPartThatEndsEndsTheServer(t *testing.T) {
	for _, cause := range []error{errors.New("broken"), nil} {
		o, from, _ := options(t)
		from.publish(t, "https://graph.facebook.com")
		o.Workers = []Worker{failing{cause}}
		_, _, ended := start(t, o)
		err := await(t, "the end", ended)
		if err == nil || !strings.HasPrefix(err.Error(), "worker: ") || (cause != nil && !errors.Is(err, cause)) {
			t.Errorf("a worker that ended with %v: Run returned %v", cause, err)
		}
	}
}

func TestRoles(t *testing.T) {
	for list, want := range map[string]Roles{
		"ingress": {Ingress: true}, "worker": {Worker: true}, "ingress, worker": {Ingress: true, Worker: true},
	} {
		if got, err := ParseRoles(list); err != nil || got != want {
			t.Errorf("%q: %+v, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "ingress,", "console", "Worker"} {
		if _, err := ParseRoles(list); err == nil || !strings.Contains(err.Error(), `"ingress", "worker" and "signup"`) {
			t.Errorf("%q must be refused with what there is, got %v", list, err)
		}
	}
	o, from, _ := options(t)
	from.publish(t, "https://graph.facebook.com")
	o.Roles = Roles{Worker: true}
	s, _, _ := start(t, o)
	if s.URL() != "" || s.InternalURL() == "" {
		t.Errorf("a worker has no public listener, got %q", s.URL())
	}
}

func TestAddressInUse(t *testing.T) {
	o, _, _ := options(t)
	s, _, _ := start(t, o)
	o.Registry, o.OpsAddr = prometheus.NewRegistry(), strings.TrimPrefix(s.OpsURL(), "http://")
	if _, err := New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "ops listener") {
		t.Errorf("got %v", err)
	}
}

// graph is the Graph API as far as answers need it.
type graph struct {
	mu    sync.Mutex
	texts []string
}

func (g *graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Status string `json:"status"`
		Text   struct {
			Body string `json:"body"`
		} `json:"text"`
		Interactive struct {
			Body struct {
				Text string `json:"text"`
			} `json:"body"`
		} `json:"interactive"`
	}
	if json.NewDecoder(r.Body).Decode(&m) != nil || r.URL.Path != "/v25.0/201/messages" || r.Header.Get("Authorization") != "Bearer token-of-the-line" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if m.Status == "read" {
		_, _ = io.WriteString(w, `{"success":true}`)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.texts = append(g.texts, m.Text.Body+m.Interactive.Body.Text)
	_, _ = fmt.Fprintf(w, `{"messaging_product":"whatsapp","contacts":[{"input":"4915112345678","wa_id":"4915112345678"}],"messages":[{"id":"wamid.OUT%d"}]}`, len(g.texts))
}

func (g *graph) sent() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.texts...)
}

// TestMessageIsAnsweredOnce goes the whole way: a webhook in, an answer from the business's knowledge out.
func TestMessageIsAnsweredOnce(t *testing.T) {
	for name, stores := range map[string]func(*testing.T) []store.Store{
		"SQLite": func(t *testing.T) []store.Store {
			t.Helper()
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "messages.db")})
			if err != nil {
				t.Fatal(err)
			}
			return []store.Store{s}
		},
		"two replicas on PostgreSQL": replicas,
	} {
		t.Run(name, func(t *testing.T) { answeredOnce(t, stores(t)) })
	}
}

// answeredOnce runs a server on each of the stores, which lead to one database.
func answeredOnce(t *testing.T, stores []store.Store) {
	t.Helper()
	g := &graph{}
	api := httptest.NewServer(g)
	t.Cleanup(api.Close)
	servers, stops, ends := make([]*Server, len(stores)), make([]func(), len(stores)), make([]<-chan error, len(stores))
	for i, kept := range stores {
		o, from := optionsOn(t, kept)
		var hints <-chan struct{}
		if p, ok := kept.(*postgres.Store); ok {
			hints = p.Hints()
		}
		answering, err := NewAnswering(AnsweringOptions{
			View: from.view, Store: kept, Owner: fmt.Sprintf("test-%d", i), Registry: o.Registry, Log: logr.Discard(),
			Egress: egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Hints: hints,
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Received, o.Workers = answering.Received, []Worker{answering, &Retention{View: from.view, Store: kept, Log: logr.Discard()}}
		servers[i], stops[i], ends[i] = start(t, o)
		from.publish(t, api.URL) // the workers wait for it
	}
	ask := func(copies int, id, text string) {
		t.Helper()
		for i := range copies {
			if status := deliver(servers[i%len(servers)], id, text); status != http.StatusOK {
				t.Fatalf("answered %d", status)
			}
		}
	}

	ask(3, "Q1", "When do you deliver to Berlin?")
	eventually(t, "an answer", func() bool { return len(g.sent()) > 0 })
	ask(2, "Q1", "When do you deliver to Berlin?")
	// Another question proves that nothing is left of the copies: its answer comes after whatever they would have caused.
	ask(1, "Q2", "And again: delivery to Berlin?")
	eventually(t, "another answer", func() bool { return len(g.sent()) > 1 })
	for i := range servers {
		stops[i]()
		if err := await(t, "the end", ends[i]); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	if sent := g.sent(); len(sent) != 2 || !strings.Contains(sent[0], "two days") {
		t.Errorf("sent %q", sent)
	}
}

func TestInternalAPI(t *testing.T) {
	o, from, _ := options(t)
	from.publish(t, "https://graph.facebook.com")
	s, _, _ := start(t, o)
	hc := serverapi.NewHTTPClient()
	t.Cleanup(hc.CloseIdleConnections)
	if deliver(s, "1", "hello") != http.StatusOK {
		t.Fatal("not stored")
	}
	manager := serverapi.New(hc, s.InternalURL(), redact.New(bearer))
	kinds := map[serverapi.Kind]serverapi.Report{}
	var cursor serverapi.Cursor
	eventually(t, "traffic and the verified webhook are reported", func() bool {
		page, err := manager.Reports(t.Context(), cursor, 0)
		if err != nil {
			t.Fatal(err)
		}
		cursor = page.Next
		for _, r := range page.Reports {
			kinds[r.Kind] = r
		}
		return kinds[serverapi.KindTraffic].LineID == "line-p" && kinds[serverapi.KindWebhookVerified].LineID == "line-p"
	})
	if kinds[serverapi.KindTraffic].Detail.Traffic.LastReceived.Minute() != 0 || kinds[serverapi.KindWebhookVerified].Detail.Webhook.Proof != serverapi.Delivery {
		t.Errorf("reports: %+v", kinds)
	}
	if _, err := serverapi.New(hc, s.InternalURL(), redact.New("wrong")).Snapshot(t.Context()); !errors.Is(err, serverapi.ErrUnauthorized) {
		t.Errorf("a wrong token: %v", err)
	}
	if status, _ := get(t, s.URL()+serverapi.PathSnapshot); status != http.StatusNotFound {
		t.Errorf("the internal API must not be on the public listener: %d", status)
	}
}
