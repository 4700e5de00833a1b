package main

import (
	"context"
	_ "embed" // the range-spec file
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/perf/figures"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/retrieval"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/conversation"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/understanding"
)

//go:embed figures.yaml
var spec []byte

const (
	// timeout bounds the whole measurement.
	timeout = 5 * time.Minute
	// products of each catalog, and indexMemory that all indexes may take.
	products    = 500
	indexMemory = 256 << 20
	// quickLine's model answers at once, the slowLines' when they are let.
	quickLine = "line-quick"
	slowLines = 125
	// slowTurns wait at a time: four of each slow line.
	slowTurns = 500
	// quickTurns are measured, one after the other, without the slow ones and with them: some seconds each, since a disk has good and bad
	// moments.
	quickTurns = 1000
	// turnPatience bounds one turn.
	turnPatience = time.Minute
)

// turnBench is a worker between a store and models. The store's clock runs ahead when it is told to, so that nothing waits for a
// customer to finish writing.
type turnBench struct {
	store  *sqlite.Store
	models *slowModel
	ended  chan struct{} // one for each turn of the quick line that is committed
	// hint wakes the worker, which would look again only after a second.
	hint func()

	mu    sync.Mutex
	ahead time.Duration
	began time.Time       // when the quick turn was claimed
	took  []time.Duration // from claim to commit
	n     int
}

func (b *turnBench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

// watched measures the turns of the quick line.
type watched struct {
	conversation.Store
	bench *turnBench
}

// ClaimConversations implements conversation.Store.
func (w watched) ClaimConversations(ctx context.Context, req store.ClaimRequest) ([]*store.Turn, error) {
	turns, err := w.Store.ClaimConversations(ctx, req)
	if slices.ContainsFunc(turns, func(t *store.Turn) bool { return t.Line == quickLine }) {
		w.bench.mu.Lock()
		w.bench.began = time.Now()
		w.bench.mu.Unlock()
	}
	return turns, err
}

// CommitReply implements store.Turns.
func (w watched) CommitReply(ctx context.Context, t *store.Turn, replies []store.OutboxDraft, o store.Outcome) error {
	err := w.Store.CommitReply(ctx, t, replies, o)
	if err == nil && t.Line == quickLine {
		w.bench.mu.Lock()
		w.bench.took = append(w.bench.took, time.Since(w.bench.began)-w.bench.models.quick())
		w.bench.mu.Unlock()
		w.bench.ended <- struct{}{}
	}
	return err
}

// slowModel is a provider: the model quick answers at once, all others when released.
type slowModel struct {
	url     string
	waiting chan struct{} // one for each slow request that has arrived
	release chan struct{}

	mu      sync.Mutex
	working time.Duration // of the newest quick request
}

func (m *slowModel) quick() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.working
}

// ServeHTTP implements http.Handler.
func (m *slowModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	var asked struct {
		Model string `json:"model"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if asked.Model != "quick" {
		m.waiting <- struct{}{}
		<-m.release
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"{\"text\":\"Yes, we have it.\",\"products\":[],\"buttons\":[],\"handoff\":false}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9}}`) // whoever left needs none
	if asked.Model == "quick" {
		m.mu.Lock()
		m.working = time.Since(began)
		m.mu.Unlock()
	}
}

// MarkRead implements conversation.Reader: Meta is not measured.
func (*turnBench) MarkRead(context.Context, meta.Credential, string, string, bool) error { return nil }

// measure prints a table of figures beside what figures.yaml expects: turns with a model that takes no time, first alone, then while
// 500 turns wait for slow ones.
func measure(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	book, err := figures.New(spec)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "whatsapp-turns-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := &turnBench{ended: make(chan struct{}, 1), models: &slowModel{waiting: make(chan struct{}, slowTurns), release: make(chan struct{})}}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.models.url = "http://" + listener.Addr().String()
	provider := &http.Server{Handler: t.models, ReadHeaderTimeout: turnPatience}
	served := make(chan error, 1)
	go func() { served <- provider.Serve(listener) }()
	defer func() {
		if closeErr := provider.Close(); err == nil {
			err = closeErr
		}
		if serveErr := <-served; err == nil && !errors.Is(serveErr, http.ErrServerClosed) {
			err = serveErr
		}
	}()
	t.store, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "messages.db"), Clock: t.clock})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.store.Close()) }()
	indexes := catalog.NewCache(indexMemory)
	defer indexes.Close()
	worker, err := t.worker(indexes)
	if err != nil {
		return err
	}
	t.hint = worker.Hint
	working, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(working) }()
	defer func() { stop(); err = errors.Join(err, <-stopped) }()
	if err := t.measure(ctx, book); err != nil {
		return err
	}
	return book.Print()
}

// worker puts together what answers, as the webhook-server does.
func (b *turnBench) worker(indexes *catalog.Cache) (*conversation.Worker, error) {
	snapshot, err := b.snapshot()
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	policy := egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	models, err := providers.NewPool(providers.PoolOptions{Client: egress.NewClient(policy, turnPatience, providers.MaxBodyBytes), Metrics: registry})
	if err != nil {
		return nil, err
	}
	senses, err := understanding.New(understanding.Options{Models: models, Files: media.Reader{}, Keeper: b.store, Metrics: registry})
	if err != nil {
		return nil, err
	}
	library := assistant.NewLibrary(indexes, nil)
	builtin := retrieval.New(library)
	answers, err := assistant.NewFallback(builtin, assistant.NewModel(library, models, nil), registry)
	if err != nil {
		return nil, err
	}
	return conversation.New(conversation.Options{
		Store: watched{b.store, b}, Snapshot: func() *runtimeconfig.Snapshot { return snapshot }, Understanding: senses, Assistant: answers,
		Builtin: builtin, Library: library, Committed: func(*store.Outcome) {}, Owner: "perf", Log: logr.Discard(), Metrics: registry,
		Reader: func(runtimeconfig.Graph) (conversation.Reader, error) { return b, nil },
	})
}

func (b *turnBench) snapshot() (*runtimeconfig.Snapshot, error) {
	content := &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: feed()}
	var objects []runtimeconfig.Object
	for i := range slowLines + 1 {
		lineID, number, model := quickLine, "1000", "quick"
		if i > 0 {
			lineID, number, model = fmt.Sprintf("line-slow-%d", i), fmt.Sprint(1000+i), "slow"
		}
		packed, err := content.Object(number)
		if err != nil {
			return nil, err
		}
		ch := &runtimeconfig.Channel{
			LineID: lineID, PhoneNumberID: number, WABAID: "9" + number, AppID: "1", PlanActive: true, AccessToken: redact.New("token"),
			Assistant: runtimeconfig.Assistant{
				Enabled: true, Languages: []string{"en"}, MaxReplyAge: runtimeconfig.Duration(time.Hour), Content: packed.Name,
				Chat: &runtimeconfig.Provider{Provider: "OpenAI", BaseURL: b.models.url, Model: model, Timeout: runtimeconfig.Duration(2 * turnPatience)},
			},
		}
		object, err := ch.Object()
		if err != nil {
			return nil, err
		}
		objects = append(objects, object, packed)
	}
	return runtimeconfig.Load(objects), nil
}

// feed is a catalog.
func feed() []byte {
	var b strings.Builder
	b.WriteString("id,title,description,availability,price\n")
	for i := range products {
		fmt.Fprintf(&b, "p%d,Oak table %d,A table of oak with %d drawers,in stock,%d.90 EUR\n", i, i, i%7, 50+i)
	}
	return []byte(b.String())
}

// measure runs the quick turns twice, after once that does not count: what they are measured with has a history then, both times.
func (b *turnBench) measure(ctx context.Context, book *figures.Book) error {
	if _, _, err := b.run(ctx); err != nil {
		return err
	}
	alone, aloneIngest, err := b.run(ctx)
	if err != nil {
		return err
	}
	book.Record("turns, p50 without model time", milliseconds(median(alone)))
	for i := range slowTurns {
		if _, err := b.write(ctx, fmt.Sprintf("line-slow-%d", 1+i%slowLines), fmt.Sprint(1001+i%slowLines), fmt.Sprintf("US.%d", i)); err != nil {
			return err
		}
	}
	b.pass()
	for i := range slowTurns {
		select {
		case <-b.models.waiting:
		case <-time.After(turnPatience):
			return fmt.Errorf("only %d of %d slow turns are under way", i, slowTurns)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(b.models.release)
	beside, besideIngest, err := b.run(ctx)
	if err != nil {
		return err
	}
	book.Record("turns, p50 beside 500 that wait, against alone", float64(median(beside))/float64(median(alone)))
	book.Record("turns, p50 of storing a message beside 500 that wait, against alone", float64(median(besideIngest))/float64(median(aloneIngest)))
	return nil
}

// run measures quick turns, one after the other, and how long it takes to store their messages.
func (b *turnBench) run(ctx context.Context) (turns, stored []time.Duration, err error) {
	b.mu.Lock()
	b.took = nil
	b.mu.Unlock()
	for i := range quickTurns {
		took, err := b.write(ctx, quickLine, "1000", fmt.Sprintf("US.quick.%d", i))
		if err != nil {
			return nil, nil, err
		}
		stored = append(stored, took)
		b.pass()
		select {
		case <-b.ended:
		case <-time.After(turnPatience):
			return nil, nil, errors.New("a quick turn did not end")
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.took), stored, nil
}

// pass lets the pause pass in which customers write more.
func (b *turnBench) pass() {
	b.mu.Lock()
	b.ahead += store.ReplyDebounce
	b.mu.Unlock()
	b.hint()
}

// write stores a customer's question and returns how long it took.
func (b *turnBench) write(ctx context.Context, line, number, from string) (time.Duration, error) {
	b.n++
	m := store.InboundMessage{
		Line: line, PhoneNumberID: number, WAMID: fmt.Sprintf("wamid.%d", b.n), From: store.Identity{BSUID: from}, Source: store.SourceMessages,
		Type: "text", Text: "Do you have an oak table?", EventTime: b.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}
	began := time.Now()
	_, err := b.store.Ingest(ctx, &store.Delivery{App: "1", Messages: []store.InboundMessage{m}})
	return time.Since(began), err
}

func median(took []time.Duration) time.Duration {
	sorted := slices.Clone(took)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
