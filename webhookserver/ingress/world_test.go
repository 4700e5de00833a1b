package ingress

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// patience bounds waits for what happens beside requests.
const patience = 60 * time.Second

// The secrets of the world. Each is the app secret of one app.
const (
	secretA    = "secret-of-app-a-0001"
	secretAOld = "secret-of-app-a-0000"
	secretB    = "secret-of-app-b-0001"
	secretD    = "secret-of-direct-d-1"
	secretNew  = "secret-of-app-a-0002"
	nobodys    = "secret-of-nobody-001"
)

// The world: two MetaApps with two and one channels, two channels with apps of their own, one of them without its secret, and a
// number that was served until lately.
var (
	appA     = runtimeconfig.App{Name: "a", AppID: "1001", AppSecret: redact.New(secretA), PreviousAppSecret: redact.New(secretAOld), VerifyToken: redact.New("pv_app_a")}
	appB     = runtimeconfig.App{Name: "b", AppID: "1002", AppSecret: redact.New(secretB)}
	channelP = runtimeconfig.Channel{Namespace: "p", Name: "p", LineID: "line-p", PhoneNumberID: "201", WABAID: "301", AppID: "1001"}
	channelQ = runtimeconfig.Channel{Namespace: "q", Name: "q", LineID: "line-q", PhoneNumberID: "202", WABAID: "302", AppID: "1001"}
	channelR = runtimeconfig.Channel{Namespace: "r", Name: "r", LineID: "line-r", PhoneNumberID: "203", WABAID: "303", AppID: "1002"}
	channelD = runtimeconfig.Channel{
		Namespace: "d", Name: "d", LineID: "line-d", PhoneNumberID: "204", WABAID: "304", AppID: "1009", Direct: true,
		AppSecret: redact.New(secretD), VerifyToken: redact.New("pv_direct_d"),
	}
	channelE = runtimeconfig.Channel{Namespace: "e", Name: "e", LineID: "line-e", PhoneNumberID: "205", WABAID: "305", AppID: "1008", Direct: true}
	grave    = runtimeconfig.Tombstone{Namespace: "g", Name: "g", PhoneNumberID: "206", WABAID: "306"}
)

// encoder is what makes an Object.
type encoder interface {
	Object() (runtimeconfig.Object, error)
}

func everything() []encoder {
	return []encoder{&appA, &appB, &channelP, &channelQ, &channelR, &channelD, &channelE, &grave}
}

// world is an ingress over HTTP with a real store.
type world struct {
	t       testing.TB
	view    *source.View
	store   *sqlite.Store
	handler *Handler
	url     string
	client  *http.Client
	logs    *journal
	// registry has the metrics.
	registry *prometheus.Registry
}

// journal is what the ingress logs, from several goroutines.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) add(prefix, args string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.WriteString(prefix + " " + args + "\n")
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// newWorld serves parts, nothing if none. wrap may stand in front of the store.
func newWorld(tb testing.TB, parts []encoder, wrap func(Store) Store) *world {
	tb.Helper()
	w := &world{t: tb, view: source.NewView(), logs: &journal{}, registry: prometheus.NewRegistry()}
	var err error
	w.store, err = sqlite.Open(tb.Context(), sqlite.Options{Path: filepath.Join(tb.TempDir(), "store.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			tb.Error(err)
		}
	})
	var kept Store = w.store
	if wrap != nil {
		kept = wrap(kept)
	}
	log := funcr.New(w.logs.add, funcr.Options{Verbosity: 9})
	w.handler, err = New(Options{View: w.view, Store: kept, Metrics: w.registry, Log: log, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewServer(w.handler)
	tb.Cleanup(srv.Close)
	w.url, w.client = srv.URL+Path, srv.Client()
	if parts != nil {
		w.serve(parts)
	}
	return w
}

// serve replaces what is served.
func (w *world) serve(parts []encoder) {
	w.t.Helper()
	objects := make([]runtimeconfig.Object, 0, len(parts))
	for _, p := range parts {
		o, err := p.Object()
		if err != nil {
			w.t.Fatal(err)
		}
		objects = append(objects, o)
	}
	w.view.Publish(objects)
}

// run runs what goes on beside requests until the returned function is called or the test ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.handler.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// post delivers a body signed with a secret and returns status and answer.
func (w *world) post(secret, body string) (status int, answer string) {
	w.t.Helper()
	return w.send(http.MethodPost, strings.NewReader(body), map[string]string{
		"Content-Type": "application/json", webhook.SignatureHeader: webhook.Sign([]byte(secret), []byte(body)),
	})
}

func (w *world) send(method string, body io.Reader, header map[string]string) (status int, answer string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := res.Body.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		w.t.Error("503 without Retry-After")
	}
	return res.StatusCode, string(text)
}

// texts returns the texts of a line's messages, "" for other types, over all conversations.
func (w *world) texts(line string) []string {
	w.t.Helper()
	texts := []string{}
	for _, m := range w.messages(line) {
		texts = append(texts, m.Text)
	}
	return texts
}

func (w *world) messages(line string) []store.Message {
	w.t.Helper()
	ctx := w.t.Context()
	conversations, err := w.store.Conversations(ctx, line, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []store.Message
	for i := range conversations {
		messages, err := w.store.Messages(ctx, line, conversations[i].ID, 0, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, messages...)
	}
	return all
}

// contents counts everything that is in the store but messages.
type contents struct{ Raw, DeadLetters, Unclaimed, Quarantined int }

func (w *world) contents() contents {
	w.t.Helper()
	ctx := w.t.Context()
	raw, err1 := w.store.RawChanges(ctx, 0, 1000)
	dead, err2 := w.store.DeadLetters(ctx, 0, 1000)
	open, err3 := w.store.Unclaimed(ctx, 0, 1000)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	c := contents{Raw: len(raw), DeadLetters: len(dead), Unclaimed: len(open)}
	for _, key := range []string{appA.AppID, appB.AppID, "line:line-d", "line:line-e"} {
		c.Quarantined += len(w.quarantined(key))
	}
	return c
}

func (w *world) quarantined(key string) []store.QuarantineEntry {
	w.t.Helper()
	entries, err := w.store.QuarantineEntries(w.t.Context(), key, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return entries
}

// eventually polls until a condition holds.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("did not happen in time: %s\n%s", what, w.logs)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// text is a message.
func text(id, from, body string) string {
	return fmt.Sprintf(`{"from":%q,"id":"wamid.%s","timestamp":"%d","type":"text","text":{"body":%q}}`, from, id, time.Now().Unix(), body)
}

// messages is a change of the field messages.
func messages(phone string, of ...string) string {
	return messagesOf("messages", phone, "messages", of...)
}

func messagesOf(field, phone, member string, items ...string) string {
	return fmt.Sprintf(`{"field":%q,"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"1","phone_number_id":%q},%q:[%s]}}`,
		field, phone, member, strings.Join(items, ","))
}

// entry is what happened to an account.
func entry(waba string, changes ...string) string {
	return fmt.Sprintf(`{"id":%q,"changes":[%s]}`, waba, strings.Join(changes, ","))
}

// body is a whole webhook.
func body(entries ...string) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[%s]}`, strings.Join(entries, ","))
}
