package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/dispatch"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/understanding"
)

// Reader marks messages as read; *meta.Client is one.
type Reader interface {
	// MarkRead is meta.Client's.
	MarkRead(ctx context.Context, cred meta.Credential, phoneNumberID, messageID string, typing bool) error
}

const (
	// defaultLease is long enough for the store to be away for a while, and short enough that a customer whose worker
	// died is not forgotten. It is extended while the assistant works.
	defaultLease = 30 * time.Second
	// defaultWorkers answer at a time. Most of their time they wait for a model, which costs little; there are so many lest
	// some lines whose models hang take all of them.
	defaultWorkers = 1024
	// perLine is how many turns of one line are worked on at a time, so that one busy shop does not take all workers.
	perLine = 8
	// together is how many turns are claimed at once: what they say is read before the first of them begins.
	together = 16
	// history is how many earlier messages the assistant is told: what a model reads word by word, and what it may summarise.
	history = 60
	// defaultPoll is the truth about what is due.
	defaultPoll = time.Second
	// defaultSweep is fine enough for periods of minutes.
	defaultSweep = 10 * time.Second
	// drainTime is how long a turn may go on after the process was told to stop; then it is given back.
	drainTime = 10 * time.Second
	// turnTimeout bounds a turn: two calls of the slowest model that a channel may configure, and a little.
	turnTimeout = 5 * time.Minute
	// writeTimeout bounds writing a turn's end down, also during a shutdown.
	writeTimeout = 10 * time.Second
	// persistAgain is how often a turn's end is tried to be written down meanwhile.
	persistAgain = 250 * time.Millisecond
	// readTimeout bounds the read receipt, for which no answer should wait long.
	readTimeout = 3 * time.Second
	// absentDelay is how long a turn waits for a number that nobody serves at the moment.
	absentDelay = 30 * time.Second
	// contentDelay is how long a turn waits for the catalog and knowledge that its channel names, and contentPatience when
	// it is answered without: content that can't be read must not silence the channel.
	contentDelay    = 2 * time.Second
	contentPatience = 30 * time.Second
	// defaultMaxReplyAge holds for a channel that says nothing.
	defaultMaxReplyAge = time.Hour
)

// Store is what a Worker needs of the store.
type Store interface {
	store.Turns
	store.Usages
	store.Orders
	store.ToolCalls
	Reporter
}

// Actions makes calls with side effects. It is safe for concurrent use.
type Actions interface {
	// Do makes a call. key is its idempotency key. A *assistant.ToolError means that the tool answered that it did nothing; after any
	// other error nobody knows.
	Do(ctx context.Context, ch *runtimeconfig.Channel, tool string, arguments json.RawMessage, key string) (string, error)
}

// Options make a Worker.
type Options struct {
	// Store holds the conversations, what was ordered and used. Required.
	Store Store
	// Snapshot returns what is served now. Required; it must be synced before Run.
	Snapshot func() *runtimeconfig.Snapshot
	// Understanding makes text of what is none. Required.
	Understanding *understanding.Understanding
	// Assistant writes the answers. Required.
	Assistant assistant.Assistant
	// Builtin has the server's own words. Required.
	Builtin assistant.Builtin
	// Library has the channels' catalogs. Required.
	Library *assistant.Library
	// Actions makes the calls with side effects that customers have confirmed; nil if no tool has any.
	Actions Actions
	// Reader returns the Graph client for an address and version. Required.
	Reader func(runtimeconfig.Graph) (Reader, error)
	// Committed is called when there is something new to send, with what was written beside it. It must not block. Required.
	Committed func(o *store.Outcome)
	// Pictures keeps images that models make; nil if they can't be sent.
	Pictures Pictures
	// AwaitMedia lets a turn wait for the files of its messages: set it if something fetches them.
	AwaitMedia bool
	// Owner names this process in leases.
	Owner string
	// Workers is how many turns are worked on at a time; 0 for a default.
	Workers int
	// Lease of a turn; 0 for 30 seconds.
	Lease time.Duration
	// Poll is how often the store is asked what is due without a hint, and whether a turn under way is for nothing; 0 for
	// one second.
	Poll time.Duration
	// Sweep is how often conversations that nobody takes care of are given back; 0 for ten seconds.
	Sweep time.Duration
	// Drain is how long a turn may go on after Run was told to stop; 0 for 10 seconds.
	Drain time.Duration
	// Log gets failures. Required.
	Log logr.Logger
	// Metrics is where metrics are registered. Required.
	Metrics prometheus.Registerer
	// Tracer records turns; nil if it is off.
	Tracer *tracing.Tracer
}

// Worker answers. Use New.
type Worker struct {
	opts        Options
	loop        *dispatch.Loop
	turns       *prometheus.CounterVec
	limits      *prometheus.CounterVec
	seconds     prometheus.Histogram
	reportLimit LimitReporter
	// served is the line that was claimed last, empty if nothing else was due. Only claim uses it.
	served string

	mu sync.Mutex
	// underWay counts the turns that are worked on, by line.
	underWay map[string]int
}

// New makes a Worker and registers its metrics.
func New(o Options) (*Worker, error) {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Sweep <= 0 {
		o.Sweep = defaultSweep
	}
	if o.Drain <= 0 {
		o.Drain = drainTime
	}
	w := &Worker{
		opts: o, reportLimit: ReportLimits(o.Store, o.Log), underWay: map[string]int{},
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_limits_reached_total",
			Help: "Turns that were not answered because a limit of their line was reached, by limit.",
		}, []string{"limit"}),
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_turns_total",
			Help: "Claimed turns by result: answered, handoff, skipped, superseded, failed, released or lost.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "whatsapp_turn_duration_seconds",
			Help:    "Time from a turn's claim to its end, the assistant's included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
		}),
	}
	for _, c := range []prometheus.Collector{w.turns, w.limits, w.seconds} {
		if err := o.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	w.loop = dispatch.New(o.Workers, together, o.Poll, w.claim, func(err error) {
		w.opts.Log.Error(err, "No conversation could be claimed")
	})
	return w, nil
}

// Hint says that a conversation may be due. It never blocks.
func (w *Worker) Hint() { w.loop.Hint() }

// Run answers until ctx is done, and then until the turns under way have ended or been given back.
func (w *Worker) Run(ctx context.Context) error {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { w.sweep(ctx) })
	w.loop.Run(ctx)
	sweeping.Wait()
	return nil
}

// sweep gives conversations back of which no person takes care, as their channels ask for.
func (w *Worker) sweep(ctx context.Context) {
	ticker := time.NewTicker(w.opts.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		after := map[string]time.Duration{}
		for _, ch := range w.opts.Snapshot().Channels() {
			if d := time.Duration(ch.Handoff.ResumeAfter); d > 0 {
				after[ch.LineID] = d
			}
		}
		if len(after) == 0 {
			continue
		}
		switch n, err := w.opts.Store.ResumeIdle(ctx, after); {
		case err != nil && ctx.Err() == nil:
			w.opts.Log.Error(err, "Conversations that wait for a person could not be given back")
		case n > 0:
			w.loop.Hint()
		}
	}
}

func (w *Worker) claim(ctx context.Context, limit int) ([]func(), error) {
	turns, err := w.claimAfter(ctx, w.served, limit)
	if err == nil && len(turns) < limit && w.served != "" {
		var round []*store.Turn // the next one
		round, err = w.claimAfter(ctx, "", limit-len(turns))
		turns = append(turns, round...)
	}
	w.served = ""
	if len(turns) == limit {
		w.served = turns[limit-1].Line
	}
	work := make([]func(), len(turns))
	for i, turn := range turns {
		w.begun(turn.Line)
		work[i] = func() {
			defer w.ended(turn.Line)
			started := time.Now()
			ctx, span := w.begin(ctx, turn)
			result := w.work(ctx, turn)
			end(span, result)
			w.turns.WithLabelValues(result).Inc()
			w.seconds.Observe(time.Since(started).Seconds())
		}
	}
	return work, err
}

func (w *Worker) claimAfter(ctx context.Context, line string, limit int) ([]*store.Turn, error) {
	// A claim that is broken off by a shutdown may be committed all the same, and its customers would wait for a lease.
	ctx, cancel := detached(ctx)
	defer cancel()
	turns, err := w.opts.Store.ClaimConversations(ctx, store.ClaimRequest{
		Owner: w.opts.Owner, Lease: w.opts.Lease, Limit: limit, PerLineLimit: perLine, History: history, After: line, AwaitMedia: w.opts.AwaitMedia,
	})
	if errors.Is(err, store.ErrNothingDue) {
		return nil, nil
	}
	return turns, err
}

func (w *Worker) begun(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.underWay[line]++
}

// ended makes room for another turn of the line, which may wait for it.
func (w *Worker) ended(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.underWay[line] >= perLine {
		w.loop.Hint()
	}
	w.underWay[line]--
	if w.underWay[line] == 0 {
		delete(w.underWay, line)
	}
}
