package feeds

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// Timeout bounds one fetch, the body included.
	Timeout = time.Minute
	// MaxBytes bounds a document, unpacked.
	MaxBytes = 32 << 20

	// pollInterval is how soon a new document is fetched, and how soon a replica learns of another's fetch.
	pollInterval = 5 * time.Second
	// lease exceeds what a fetch may take, and the work after it.
	lease = 3 * time.Minute
	// parallel bounds the fetches of a replica, and so the bodies in its memory.
	parallel = 4
	// firstRetry is how soon a failed fetch is tried again; it doubles up to the interval of the document.
	firstRetry = time.Minute
	// defaultRefresh is for documents whose spec says nothing.
	defaultRefresh = time.Hour
)

// Store is what Feeds needs of the store.
type Store interface {
	store.Documents
	AppendReport(ctx context.Context, r store.Report) error
}

// Options make Feeds. All are required.
type Options struct {
	Snapshot func() *runtimeconfig.Snapshot
	Store    Store
	// Client decides about addresses, redirects, sizes and time; see package egress.
	Client  *http.Client
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// Feeds keeps the documents of all channels fresh. It is safe for concurrent use.
type Feeds struct {
	o       Options
	fetches *prometheus.CounterVec
	// now is the replica's clock; the store, by its own, decides.
	now func() time.Time

	mu    sync.Mutex
	known map[key]store.Document
	told  map[key]string // what the manager was told last, by line and field
}

// key is a line and a URL, or a line and a field.
type key struct{ line, of string }

// New makes Feeds. It starts nothing.
func New(o Options) (*Feeds, error) {
	f := &Feeds{o: o, now: time.Now, known: map[key]store.Document{}, told: map[key]string{}}
	f.fetches = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "whatsapp_feed_fetches_total",
		Help: "Fetches of catalogs and pages by URL, by outcome: New, Unchanged, or the class of error.",
	}, []string{"outcome"})
	return f, o.Metrics.Register(f.fetches)
}

// Run fetches until ctx is done.
func (f *Feeds) Run(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if err := f.sweep(ctx); err != nil && ctx.Err() == nil {
			f.o.Log.Error(err, "The documents of channels could not be looked up")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Revision identifies the copy of a document that Load gives; empty when there is none yet.
func (f *Feeds) Revision(line, url string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[key{line, url}].Revision
}

// Load returns the last good copy of a document, nil when there is none.
func (f *Feeds) Load(ctx context.Context, line, url string) ([]byte, error) {
	packed, _, err := f.o.Store.DocumentBody(ctx, line, url)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

// sweep fetches and checks what is due.
func (f *Feeds) sweep(ctx context.Context) error {
	all, err := f.o.Store.Documents(ctx)
	if err != nil {
		return err
	}
	known := make(map[key]store.Document, len(all))
	for _, d := range all {
		known[key{d.Line, d.URL}] = d
	}
	f.mu.Lock()
	f.known = known
	f.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(parallel)
	now := f.now()
	for _, ch := range f.o.Snapshot().Channels() {
		for _, src := range ch.Assistant.Sources {
			if due(known[key{ch.LineID, src.URL}], refresh(src), now) {
				group.Go(func() error { f.refresh(ctx, ch, src); return nil })
			}
		}
		if ch.Content != nil && len(ch.Content.Catalog) > 0 {
			if _, checked := known[key{ch.LineID, contentKey(ch)}]; !checked {
				group.Go(func() error { f.check(ctx, ch); return nil })
			}
		}
	}
	return group.Wait()
}

// due says whether a document is to be asked for.
func due(d store.Document, interval time.Duration, now time.Time) bool {
	return d.CheckedAt.IsZero() || !now.Before(d.DueAt) || now.Sub(d.CheckedAt) >= interval
}

func refresh(src runtimeconfig.Source) time.Duration {
	if src.Refresh > 0 {
		return time.Duration(src.Refresh)
	}
	return defaultRefresh
}

// refresh fetches a document, if it is still to be and nobody else does.
func (f *Feeds) refresh(ctx context.Context, ch *runtimeconfig.Channel, src runtimeconfig.Source) {
	interval := refresh(src)
	claim, err := f.o.Store.ClaimFetch(ctx, ch.LineID, src.URL, interval, lease)
	if errors.Is(err, store.ErrNothingDue) {
		return
	}
	if err != nil {
		f.complain(ctx, err, ch, src.Field)
		return
	}
	got := f.fetch(ctx, src, claim)
	if ctx.Err() != nil {
		return // it was told to stop; the lease runs out
	}
	outcome := got.outcome
	if outcome.Next = interval; outcome.Problem != "" {
		outcome.Next = min(interval, firstRetry<<min(claim.Failures, 10))
	}
	if err := f.o.Store.FinishFetch(ctx, claim, outcome); err != nil {
		f.complain(ctx, err, ch, src.Field)
		return
	}
	switch {
	case outcome.Problem != "":
		f.fetches.WithLabelValues(outcome.Problem).Inc()
	case outcome.Body == nil:
		f.fetches.WithLabelValues("Unchanged").Inc()
	default:
		f.fetches.WithLabelValues("New").Inc()
		f.mu.Lock()
		f.known[key{ch.LineID, src.URL}] = store.Document{Line: ch.LineID, URL: src.URL, Revision: outcome.Revision, CheckedAt: f.now(), DueAt: f.now().Add(interval)}
		f.mu.Unlock()
	}
	f.tellSource(ctx, ch, outcome.Problem, serverapi.Source{
		Field: src.Field, Served: claim.Revision != "" || outcome.Revision != "", Detail: got.detail,
	})
	if got.catalog != nil {
		f.tellCatalog(ctx, ch, *got.catalog)
	}
}

// checkAgain is when a catalog that lies in a ConfigMap is read again: never, as long as its row in the store lives.
const checkAgain = 20 * 24 * time.Hour

// contentKey stands in place of a URL, so that one replica alone checks a ConfigMap's catalog.
func contentKey(ch *runtimeconfig.Channel) string {
	return "content:" + ch.Content.Revision + ":" + ch.Revision
}

// check reads a catalog that lies in a ConfigMap, once for all replicas, to tell what is wrong with it.
func (f *Feeds) check(ctx context.Context, ch *runtimeconfig.Channel) {
	claim, err := f.o.Store.ClaimFetch(ctx, ch.LineID, contentKey(ch), checkAgain, lease)
	if errors.Is(err, store.ErrNothingDue) {
		return
	}
	if err == nil {
		_, found := readable(ch.Content.CatalogFormat, ch.Content.Catalog)
		f.tellCatalog(ctx, ch, found)
		err = f.o.Store.FinishFetch(ctx, claim, store.FetchOutcome{Next: checkAgain})
	}
	if err != nil {
		f.complain(ctx, err, ch, "spec.assistant.catalog")
	}
}

func (f *Feeds) complain(ctx context.Context, err error, ch *runtimeconfig.Channel, field string) {
	if ctx.Err() == nil {
		f.o.Log.Error(err, "A document could not be kept", "line", ch.LineID, "field", field)
	}
}
