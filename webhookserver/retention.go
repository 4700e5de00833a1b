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
)

// Retention deletes what has been kept for as long as its channel asks. It is a Worker.
type Retention struct {
	View  *source.View
	Store store.Maintenance
	Log   logr.Logger
}

// Run implements Worker.
func (r *Retention) Run(ctx context.Context) error {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	for {
		if err := r.expire(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error(err, "Expired messages could not be deleted; trying again later")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
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
	for ctx.Err() == nil {
		gone, err := r.Store.Expire(ctx, rules)
		if err != nil || gone == 0 {
			return err
		}
	}
	return nil
}
