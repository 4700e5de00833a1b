package webhookserver

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// statsTimeout bounds the queries of one scrape.
const statsTimeout = 3 * time.Second

// Stats exports what lies in the store as gauges, read at each scrape.
type Stats struct {
	read func() (store.Stats, error)
	log  logr.Logger

	due, oldest, waiting, deadLetters, quarantine, unclaimed, parked, blobs, outbox *prometheus.Desc
}

// NewStats returns a collector for a registry. Its reads end with ctx.
func NewStats(ctx context.Context, s store.Reader, log logr.Logger) *Stats {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("whatsapp_store_"+name, help, labels, nil)
	}
	return &Stats{
		// The collector interface passes no context.
		read: func() (store.Stats, error) {
			ctx, cancel := context.WithTimeout(ctx, statsTimeout)
			defer cancel()
			return s.Stats(ctx)
		},
		log:         log,
		due:         desc("due_conversations", "Conversations that wait for an answer."),
		oldest:      desc("oldest_due_seconds", "How long the conversation that is due longest has been due."),
		waiting:     desc("waiting_conversations", "Conversations that wait for a person."),
		deadLetters: desc("dead_letters", "Items that could not be processed."),
		quarantine:  desc("quarantine_bytes", "Bytes of bodies whose signature no secret explains."),
		unclaimed:   desc("unclaimed_changes", "Genuine changes for numbers that no channel claims."),
		parked:      desc("parked_lines", "Lines whose sends are on hold because Meta refuses their credential or account."),
		blobs:       desc("blob_bytes", "Bytes of the files of all messages in the blob store."),
		outbox:      desc("outbox_rows", "Sends that are not settled yet, by state.", "state"),
	}
}

// Describe implements prometheus.Collector.
func (c *Stats) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.due, c.oldest, c.waiting, c.deadLetters, c.quarantine, c.unclaimed, c.parked, c.blobs, c.outbox} {
		to <- d
	}
}

// Collect implements prometheus.Collector. Without the store there are no values, which an alert can see.
func (c *Stats) Collect(to chan<- prometheus.Metric) {
	stats, err := c.read()
	if err != nil {
		c.log.Error(err, "The store's figures can't be read")
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	age := 0.0
	if !stats.OldestDueAt.IsZero() {
		age = max(0, time.Since(stats.OldestDueAt).Seconds())
	}
	gauge(c.due, float64(stats.DueConversations))
	gauge(c.oldest, age)
	gauge(c.waiting, float64(stats.WaitingConversations))
	gauge(c.deadLetters, float64(stats.DeadLetters))
	gauge(c.quarantine, float64(stats.QuarantineBytes))
	gauge(c.unclaimed, float64(stats.UnclaimedChanges))
	gauge(c.parked, float64(stats.ParkedLines))
	gauge(c.blobs, float64(stats.BlobBytes))
	for state, n := range stats.Outbox {
		gauge(c.outbox, float64(n), string(state))
	}
}
