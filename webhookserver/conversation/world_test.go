package conversation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/retrieval"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/understanding"
)

const (
	line     = "line-a"
	number   = "1555"
	deadline = 60 * time.Second
)

// world is a store with a clock of its own, a scripted assistant and what is served.
type world struct {
	*testing.T
	store *sqlite.Store
	// answer is what the assistant does; by default it echoes.
	answer func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error)
	asked  atomic.Int32
	// read are the messages that were marked as read; readErr is what marking returns.
	read    chan string
	readErr error

	mu      sync.Mutex
	now     time.Time
	objects []runtimeconfig.Object
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), read: make(chan string, 100)}
	w.answer = func(_ context.Context, turn assistant.Turn) (assistant.Reply, error) {
		return says("re: " + strings.ReplaceAll(turn.Question(), "\n", "+")), nil
	}
	s, err := sqlite.Open(w.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: w.clock})
	w.must(err)
	w.store = s
	t.Cleanup(func() { w.must(s.Close()) })
	w.serve()
	return w
}

func says(text string) assistant.Reply {
	return assistant.Reply{Parts: []assistant.Part{assistant.Text{Body: text}}}
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

// untilDue lets the time pass until a reply is due. None passes while one is made: its lease would run out.
func (w *world) untilDue() {
	w.Helper()
	if wait := w.conversation().ReplyDueAt.Sub(w.clock()); wait > 0 {
		w.advance(wait)
	}
}

// serve replaces what is served by one changed channel.
func (w *world) serve(change ...func(*runtimeconfig.Channel)) {
	w.Helper()
	ch := &runtimeconfig.Channel{
		LineID: line, PhoneNumberID: number, WABAID: "777", AppID: "42", PlanActive: true, AccessToken: redact.New("EAAGtoken0123456789"),
		Assistant: runtimeconfig.Assistant{Enabled: true, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
	}
	for _, c := range change {
		c(ch)
	}
	object, err := ch.Object()
	w.must(err)
	w.serveObjects(object)
}

func (w *world) serveObjects(objects ...runtimeconfig.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects = objects
}

func (w *world) snapshot() *runtimeconfig.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return runtimeconfig.Load(w.objects)
}

// Answer implements assistant.Assistant.
func (w *world) Answer(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
	w.asked.Add(1)
	return w.answer(ctx, turn)
}

// MarkRead implements Reader.
func (w *world) MarkRead(_ context.Context, cred meta.Credential, phoneNumberID, id string, typing bool) error {
	if phoneNumberID != number || !typing || cred.Token.IsZero() {
		w.Errorf("marked as read with number %s, typing %t", phoneNumberID, typing)
	}
	w.read <- id
	return w.readErr
}

// worker makes a Worker; change may replace what it works with.
func (w *world) worker(change ...func(*Options)) *Worker {
	w.Helper()
	cache := catalog.NewCache(1 << 20)
	w.Cleanup(cache.Close)
	library := assistant.NewLibrary(cache, nil)
	metrics := prometheus.NewRegistry()
	models, err := providers.NewPool(providers.PoolOptions{Client: egress.NewClient(egress.Policy{}, time.Second, 1), Metrics: metrics})
	w.must(err)
	senses, err := understanding.New(understanding.Options{Models: models, Files: noFiles{}, Keeper: w.store, Metrics: metrics})
	w.must(err)
	o := Options{
		Store: w.store, Snapshot: w.snapshot, Understanding: senses, Assistant: w, Builtin: retrieval.New(library), Library: library,
		Reader:    func(runtimeconfig.Graph) (Reader, error) { return w, nil },
		Committed: func(*store.Outcome) {}, Owner: "test", Workers: 4, Poll: 2 * time.Millisecond,
		Log: testr.New(w.T), Metrics: metrics,
	}
	for _, c := range change {
		c(&o)
	}
	worker, err := New(o)
	w.must(err)
	return worker
}

// noFiles is Meta while it has no file for anybody.
type noFiles struct{}

// Fetch implements understanding.Files.
func (noFiles) Fetch(context.Context, *runtimeconfig.Channel, *store.Media, int64) ([]byte, error) {
	return nil, errors.New("no file")
}

// run starts a worker until stop is called, or the test ends.
func (w *world) run(worker *Worker) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
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
				w.Error("the worker did not stop")
			}
		})
	}
	w.Cleanup(stop)
	return stop
}

// writes lets the customer write, the given time ago, and lets the debounce pass.
func (w *world) writes(id, text string, ago time.Duration) {
	w.Helper()
	w.ingest(store.InboundMessage{Type: "text", Text: text, WAMID: id, EventTime: w.clock().Add(-ago)})
	w.advance(store.ReplyDebounce)
}

func (w *world) ingest(m store.InboundMessage) {
	w.Helper()
	m.Line, m.PhoneNumberID, m.From = line, number, store.Identity{BSUID: "US.1", Phone: "4911", Name: "Ana"}
	m.Source, m.ReplyWorthy, m.OpensWindow = store.SourceMessages, true, true
	if m.Raw == nil {
		m.Raw = []byte("{}")
	}
	receipt, err := w.store.Ingest(w.Context(), &store.Delivery{App: "42", Messages: []store.InboundMessage{m}})
	w.must(err)
	if receipt.New != 1 {
		w.Fatalf("receipt %+v", receipt)
	}
}

// replies are the texts in the outbox.
func (w *world) replies() string {
	w.Helper()
	c := w.conversation()
	all, err := w.store.Messages(w.Context(), line, c.ID, 0, 1000)
	w.must(err)
	var out []string
	for i := range all {
		if all[i].Author == store.AuthorAssistant {
			out = append(out, all[i].Text)
		}
	}
	return strings.Join(out, ", ")
}

func (w *world) conversation() store.Conversation {
	w.Helper()
	all, err := w.store.Conversations(w.Context(), line, 0, 10)
	w.must(err)
	if len(all) != 1 {
		w.Fatalf("%d conversations", len(all))
	}
	return all[0]
}

// settled tells what became of the conversation once nothing is due in it.
func (w *world) settled() store.Conversation {
	w.Helper()
	w.until("nothing is due", func() bool { return w.conversation().ReplyDueAt.IsZero() })
	return w.conversation()
}

func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			w.Fatalf("never: %s; conversation %+v", what, w.conversation())
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (w *world) receive(c <-chan struct{}, what string) {
	w.Helper()
	select {
	case <-c:
	case <-time.After(deadline):
		w.Fatalf("never: %s", what)
	}
}

// frozen is the store of a process that hangs: its leases are not extended, and it does not know.
type frozen struct {
	Store
}

func (frozen) ExtendLease(context.Context, *store.Turn, time.Duration) error {
	return errors.New("frozen")
}

// counting counts extensions of leases.
type counting struct {
	Store
	extended chan struct{}
}

func (c counting) ExtendLease(ctx context.Context, t *store.Turn, lease time.Duration) error {
	err := c.Store.ExtendLease(ctx, t, lease)
	if err != nil {
		return fmt.Errorf("extend: %w", err)
	}
	c.extended <- struct{}{}
	return nil
}
