package webhookserver

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// expireEvery is how often expired rows are looked for; a retention is days.
	expireEvery = 10 * time.Minute
	// expireBatch keeps a deletion short beside webhooks that wait for the same writer.
	expireBatch = 500
	// defaultRetention holds for lines that are not served any more, whose own retention is unknown.
	defaultRetention = 90 * 24 * time.Hour
	// defaultDiscardEvery is how often words are looked for that a channel does not want to be kept.
	defaultDiscardEvery = 30 * time.Second
	// discardBatch of conversations: each has many messages.
	discardBatch = 100
)

// Retention deletes what has been kept for as long as its channel asks. It is a Worker.
type Retention struct {
	View  *source.View
	Store store.Maintenance
	Log   logr.Logger
	// DiscardEvery is how often words are looked for that a channel does not want to be kept; 0 for 30 seconds.
	DiscardEvery time.Duration
}

// Run implements Worker.
func (r *Retention) Run(ctx context.Context) error {
	every := r.DiscardEvery
	if every <= 0 {
		every = defaultDiscardEvery
	}
	expire, discard := time.NewTicker(expireEvery), time.NewTicker(every)
	defer expire.Stop()
	defer discard.Stop()
	r.try(ctx, "Expired messages could not be deleted; trying again later", r.expire)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-expire.C:
			r.try(ctx, "Expired messages could not be deleted; trying again later", r.expire)
		case <-discard.C:
			r.try(ctx, "Answered messages could not be emptied, as their channels want; trying again soon", r.discard)
		}
	}
}

func (r *Retention) try(ctx context.Context, failure string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		r.Log.Error(err, failure)
	}
}

// expire deletes batch by batch. Without a snapshot it does nothing: it would not know who asks for longer.
func (r *Retention) expire(ctx context.Context) error {
	loaded := r.View.Load()
	if !loaded.Synced {
		return nil
	}
	rules := store.Retention{Default: defaultRetention, PerLine: map[string]time.Duration{}, BatchSize: expireBatch}
	for _, c := range loaded.Snapshot.Channels() {
		rules.PerLine[c.LineID] = time.Duration(c.Retention)
	}
	return untilNone(ctx, func() (int, error) { return r.Store.Expire(ctx, rules) })
}

// discard takes the words out of what is answered, on the lines of channels that want it.
func (r *Retention) discard(ctx context.Context) error {
	var lines []string
	for _, c := range r.View.Load().Snapshot.Channels() {
		if c.DiscardBodies {
			lines = append(lines, c.LineID)
		}
	}
	return untilNone(ctx, func() (int, error) { return r.Store.Discard(ctx, lines, discardBatch) })
}

// untilNone repeats what does a batch of its work each time.
func untilNone(ctx context.Context, batch func() (int, error)) error {
	for ctx.Err() == nil {
		if n, err := batch(); err != nil || n == 0 {
			return err
		}
	}
	return nil
}
