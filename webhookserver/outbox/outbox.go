package outbox

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/dispatch"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Sender sends messages; *meta.Client is one.
type Sender interface {
	// SendMessage is meta.Client's. Its errors are *meta.Error.
	SendMessage(ctx context.Context, cred meta.Credential, phoneNumberID string, m meta.Message) (meta.SendResult, error)
	// UploadMedia is meta.Client's, likewise.
	UploadMedia(ctx context.Context, cred meta.Credential, phoneNumberID string, m meta.MediaUpload) (meta.ID, error)
}

// Blobs reads what is to be uploaded.
type Blobs interface {
	// Get opens a blob, whose size is in bytes.
	Get(ctx context.Context, key string) (content io.ReadCloser, size int64, err error)
}

// Store is what the outbox needs of the store.
type Store interface {
	store.Outbox
	store.Replicas
	Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error)
	SetUploaded(ctx context.Context, s *store.Send, mediaID string) error
	AppendReport(ctx context.Context, r store.Report) error
}

const (
	// lease is how long a send belongs to its worker. When it ends without a result the outcome is unknown.
	lease = 60 * time.Second
	// callTimeout bounds one call. Meta answers sends within a second or two; a link to an image can take it longer.
	callTimeout = 20 * time.Second
	// leaseMargin is what must be left of the lease after the call, to write its result down.
	leaseMargin = 15 * time.Second
	// writeTimeout bounds writing a result down, also during a shutdown.
	writeTimeout = 10 * time.Second
	// persistAgain is how often a result is tried to be written down meanwhile.
	persistAgain = 250 * time.Millisecond
	// perLine is how many sends of one line are under way at a time, over all replicas, so that a slow one doesn't take all
	// workers. It is enough for the 80 messages a second of an ordinary number at 0.8 seconds per call.
	perLine = 64
	// together is how many sends are claimed at once.
	together = 16
	// defaultWorkers lets many lines at their limit send: a call can take all its time, as while Meta fetches the image of a link, and a
	// few lines whose calls do must not hold up the others. A worker that waits for Meta costs some kilobytes.
	defaultWorkers = 1024
	// uploadsTogether is how many images are uploaded at a time: each is held in memory, with up to MaxImageBytes.
	uploadsTogether = 8
	// defaultPoll is the truth about what is due.
	defaultPoll = time.Second
	// tendInterval is how often unknown outcomes and parked lines are looked at.
	tendInterval = 5 * time.Second
)

// Options make an Outbox.
type Options struct {
	// Store holds the rows. Required.
	Store Store
	// Snapshot returns what is served now. Required; it must be synced before Run.
	Snapshot func() *runtimeconfig.Snapshot
	// Client returns the Graph client for an address and version. Required.
	Client func(runtimeconfig.Graph) (Sender, error)
	// Blobs holds images to upload; nil if there is no blob store, and then messages that need one fail.
	Blobs Blobs
	// Owner names this process in leases.
	Owner string
	// Workers is how many sends are under way at a time; 0 for a default.
	Workers int
	// Poll is how often the store is asked without a hint; 0 for one second.
	Poll time.Duration
	// Now is the clock of rates and pauses; nil for time.Now. Whatever outlives the process goes by the store's clock.
	Now func() time.Time
	// Log gets failures. Required.
	Log logr.Logger
	// Metrics is where metrics are registered. Required.
	Metrics prometheus.Registerer
	// Tracer records sends; nil if it is off.
	Tracer *tracing.Tracer
}

// Outbox delivers. Use New.
type Outbox struct {
	store    Store
	snapshot func() *runtimeconfig.Snapshot
	client   func(runtimeconfig.Graph) (Sender, error)
	blobs    Blobs
	owner    string
	now      func() time.Time
	log      logr.Logger
	pace     *pace
	loop     *dispatch.Loop
	// uploads has a place for each upload that may be under way.
	uploads chan struct{}
	metrics *metrics
	tracer  *tracing.Tracer
	// served is the line that was claimed last, empty if nothing else could be sent. Only claim uses it.
	served string
	// failuresSeen is the newest failed status that was acted on. Only tend uses it.
	failuresSeen int64
}

// New makes an Outbox and registers its metrics.
func New(o Options) (*Outbox, error) {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	b := &Outbox{
		store: o.Store, snapshot: o.Snapshot, client: o.Client, blobs: o.Blobs, owner: o.Owner, now: o.Now, log: o.Log,
		pace: newPace(o.Now), uploads: make(chan struct{}, uploadsTogether), metrics: m, tracer: o.Tracer,
	}
	b.loop = dispatch.New(o.Workers, together, o.Poll, b.claim, func(err error) {
		b.log.Error(err, "No send could be claimed")
	})
	return b, nil
}

// Hint says that there may be something to send. It never blocks.
func (b *Outbox) Hint() { b.loop.Hint() }

// Received counts n messages that came in for a number against its rate. It never blocks.
func (b *Outbox) Received(phoneNumberID string, n int) {
	if ch, ok := b.snapshot().Channel(phoneNumberID); ok {
		b.pace.spend(ch.LineID, ch.MessagesPerSecond, n)
	}
}

// Run delivers until ctx is done, and then until the calls under way have ended and been written down, which takes
// callTimeout and writeTimeout at most.
func (b *Outbox) Run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error {
		b.loop.Run(ctx)
		return nil
	})
	group.Go(func() error {
		b.tendLoop(ctx)
		return nil
	})
	group.Go(func() error {
		b.beatLoop(ctx)
		return nil
	})
	group.Go(func() error {
		b.receiveLoop(ctx)
		return nil
	})
	return group.Wait()
}

// beatLoop tells the other processes that this one sends, and takes its part of what each number may send.
func (b *Outbox) beatLoop(ctx context.Context) {
	ticker := time.NewTicker(store.ReplicaBeat)
	defer ticker.Stop()
	for {
		// While the store is away the others are, too.
		alive, err := b.store.Beat(ctx, b.owner)
		switch {
		case err == nil:
			b.pace.share(alive)
		case ctx.Err() == nil:
			b.log.Error(err, "The processes that send could not be counted")
		}
		select {
		case <-ticker.C:
			continue
		case <-ctx.Done():
		}
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		if err := b.store.Leave(leaving, b.owner); err != nil {
			b.log.Info("The others will notice a little later that this process has ended", "error", err.Error())
		}
		cancel()
		return
	}
}

func (b *Outbox) claim(ctx context.Context, limit int) ([]func(), error) {
	claimed := b.now()
	sends, err := b.claimAfter(ctx, b.served, limit)
	if err == nil && len(sends) < limit && b.served != "" {
		var round []*store.Send // the next one
		round, err = b.claimAfter(ctx, "", limit-len(sends))
		sends = append(sends, round...)
	}
	b.served = ""
	if len(sends) == limit {
		b.served = sends[limit-1].Line
	}
	work := make([]func(), len(sends))
	for i, send := range sends {
		work[i] = func() {
			b.deliver(ctx, send, claimed)
			// The next message of this conversation, or of its line, may have waited for this one.
			b.loop.Hint()
		}
	}
	return work, err
}

func (b *Outbox) claimAfter(ctx context.Context, line string, limit int) ([]*store.Send, error) {
	// Detached: a claim that is broken off by a shutdown may be committed all the same, and nobody would send the rows.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	sends, err := b.store.ClaimSends(ctx, store.ClaimSendRequest{
		Owner: b.owner, Lease: lease, Limit: limit, PerLineLimit: perLine, ExcludeLines: b.pace.blocked(), After: line,
	})
	if errors.Is(err, store.ErrNothingDue) {
		return nil, nil
	}
	return sends, err
}
