package media

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/dispatch"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// fetchTimeout bounds one file of the largest size; lease is longer by what writing the result takes.
	fetchTimeout = 5 * time.Minute
	lease        = fetchTimeout + 30*time.Second
	// writeTimeout bounds writing a result down, also during a shutdown.
	writeTimeout = 10 * time.Second
	// perLine is how many files of one line are fetched at a time.
	perLine = 4
	// defaultWorkers bound what is fetched at a time. A file is streamed, so it costs little memory.
	defaultWorkers = 16
	// defaultPoll is the truth about what is due.
	defaultPoll = time.Second
	// sweepInterval is how often blobs are deleted whose message is gone, sweepBatch how many at a time.
	sweepInterval = time.Minute
	sweepBatch    = 500
)

// DefaultQuota is what is kept of one line's files, in bytes: a fifth of the volume that config/default asks for.
const DefaultQuota = 2 << 30

// Options make a Fetcher.
type Options struct {
	// Store says what is to be fetched. Required.
	Store store.Files
	// Blobs keeps it. Required.
	Blobs *Blobs
	// Graph is where it comes from; its snapshot must be synced before Run. Required.
	Graph Graph
	// Quota is how many bytes of blobs a line may have, in and out; 0 for DefaultQuota. The files that are being fetched at the moment may
	// exceed it once.
	Quota int64
	// Fetched is called when a conversation may have waited for a file. It must not block. Required.
	Fetched func()
	// NoRoom is called when a file of a line is not kept as its quota is used up. Required.
	NoRoom func(ctx context.Context, line string)
	// Owner names this process in leases.
	Owner string
	// Poll is how often the store is asked without a hint; 0 for one second.
	Poll time.Duration
	// Log gets failures. Required.
	Log logr.Logger
	// Metrics is where metrics are registered. Required.
	Metrics prometheus.Registerer
	// Tracer records fetches; nil if it is off.
	Tracer *tracing.Tracer
}

// Fetcher fetches. Use New.
type Fetcher struct {
	store   store.Files
	blobs   *Blobs
	graph   Graph
	quota   int64
	fetched func()
	noRoom  func(ctx context.Context, line string)
	owner   string
	log     logr.Logger
	tracer  *tracing.Tracer
	loop    *dispatch.Loop
	results *prometheus.CounterVec
	bytes   prometheus.Counter
	// served is the line that was claimed last, empty if nothing else was to be fetched. Only claim uses it.
	served string
}

// New makes a Fetcher and registers its metrics.
func New(o Options) (*Fetcher, error) {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Quota <= 0 {
		o.Quota = DefaultQuota
	}
	k := &Fetcher{
		store: o.Store, blobs: o.Blobs, graph: o.Graph, quota: o.Quota, fetched: o.Fetched, noRoom: o.NoRoom, owner: o.Owner, log: o.Log, tracer: o.Tracer,
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_media_fetches_total",
			Help: "Fetched files of customers by result: stored, failed, skipped as their line has no room, or pending again.",
		}, []string{"result"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "whatsapp_media_bytes_total",
			Help: "Bytes of the files that were stored.",
		}),
	}
	for _, c := range []prometheus.Collector{k.results, k.bytes} {
		if err := o.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	k.loop = dispatch.New(defaultWorkers, 1, o.Poll, dispatch.One(k.claim), func(err error) {
		k.log.Error(err, "No file could be claimed")
	})
	return k, nil
}

// Hint says that there may be something to fetch. It never blocks.
func (k *Fetcher) Hint() { k.loop.Hint() }

// Run fetches until ctx is done, and gives back what it was fetching.
func (k *Fetcher) Run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error {
		k.loop.Run(ctx)
		return nil
	})
	group.Go(func() error {
		k.sweepLoop(ctx)
		return nil
	})
	return group.Wait()
}

func (k *Fetcher) claim(ctx context.Context) (func(), error) {
	f, err := k.claimAfter(ctx, k.served)
	if errors.Is(err, store.ErrNothingDue) && k.served != "" {
		f, err = k.claimAfter(ctx, "") // the next round
	}
	k.served = ""
	if errors.Is(err, store.ErrNothingDue) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.served = f.Line
	return func() { k.work(ctx, f) }, nil
}

func (k *Fetcher) claimAfter(ctx context.Context, line string) (*store.MediaFetch, error) {
	// Detached: a claim that is broken off by a shutdown may be committed all the same, and would have to run out.
	ctx, cancel := detached(ctx)
	defer cancel()
	return k.store.ClaimMedia(ctx, store.ClaimMediaRequest{Owner: k.owner, Lease: lease, PerLineLimit: perLine, After: line})
}

// work fetches a file and writes the result down.
func (k *Fetcher) work(ctx context.Context, f *store.MediaFetch) {
	ctx, span := k.tracer.Start(ctx, "fetch", tracing.OfMessage(f.Line, f.WAMID), trace.SpanKindConsumer,
		trace.WithAttributes(tracing.LineKey.String(f.Line), tracing.AttemptKey.Int(f.Attempt)))
	r := k.fetch(ctx, f)
	defer end(span, &r)
	k.results.WithLabelValues(string(r.state)).Inc()
	ctx, cancel := detached(ctx)
	defer cancel()
	var err error
	switch r.state {
	case store.MediaStored:
		k.bytes.Add(float64(r.size))
		err = k.store.MarkMediaStored(ctx, f, r.mimeType, r.size)
	case store.MediaFailed:
		k.log.Info("A file is not fetched", "line", f.Line, "reason", r.reason)
		err = k.store.MarkMediaFailed(ctx, f, r.reason)
	case store.MediaSkipped:
		k.log.Info("A file is not kept: its line has used up what it may keep, see --media-quota", "line", f.Line, "bytes", f.LineBytes)
		k.noRoom(ctx, f.Line)
		err = k.store.MarkMediaSkipped(ctx, f, r.reason)
	default:
		err = k.store.MarkMediaPendingAgain(ctx, f, store.Retry{Reason: r.reason, After: r.delay, Untried: r.untried})
	}
	switch {
	case errors.Is(err, store.ErrLeaseLost) && r.state == store.MediaStored:
		// Its message was deleted meanwhile, or the lease ran out and somebody fetches it again.
		k.log.Info("A file was fetched in vain", "line", f.Line)
		if err := k.store.NoteBlob(ctx, f.BlobKey); err != nil {
			k.log.Error(err, "A blob that nobody needs could not be noted", "line", f.Line)
		}
	case err != nil && !errors.Is(err, store.ErrLeaseLost):
		k.log.Error(err, "The result of a fetch could not be written down", "line", f.Line, "result", r.state)
	}
	k.fetched()
}

// end ends the span of a fetch. One that is to be tried again is no error.
func end(span trace.Span, r *result) {
	span.SetAttributes(tracing.ResultKey.String(string(r.state)))
	reason := ""
	switch r.state {
	case store.MediaStored:
		span.SetAttributes(attribute.Int64("whatsapp.bytes", r.size))
	case store.MediaFailed:
		reason = r.reason
		fallthrough
	default:
		span.SetAttributes(tracing.ReasonKey.String(r.reason))
	}
	tracing.End(span, reason)
}

// sweepLoop deletes blobs whose message is gone, until ctx is done.
func (k *Fetcher) sweepLoop(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		if err := k.sweep(ctx); err != nil && ctx.Err() == nil {
			k.log.Error(err, "Blobs of deleted messages could not be deleted; trying again later")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep deletes what is due. A blob goes before its entry, so that a crash forgets none.
func (k *Fetcher) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		keys, err := k.store.BlobGarbage(ctx, sweepBatch)
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if err := k.blobs.Delete(ctx, key); err != nil {
				return err
			}
		}
		if err := k.store.ForgetBlobs(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

// detached outlives a shutdown for as long as one write takes.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}
