package ingress

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// result is how a POST ended. The set is closed, so it may label a metric.
type result string

const (
	resultStored      result = "stored"
	resultNothing     result = "nothing_to_store"
	resultQuarantined result = "quarantined"
	resultIgnored     result = "ignored"
	resultRetry       result = "not_configured"
	resultUnsynced    result = "not_synced"
	resultOverloaded  result = "overloaded"
	resultStoreFailed result = "store_failed"
	resultTooLarge    result = "too_large"
	resultAborted     result = "aborted"
	resultMediaType   result = "wrong_media_type"
	resultLimited     result = "rate_limited"
	resultPanicked    result = "panicked"
)

// results are all of them.
var results = []result{
	resultStored, resultNothing, resultQuarantined, resultIgnored, resultRetry, resultUnsynced, resultOverloaded, resultStoreFailed,
	resultTooLarge, resultAborted, resultMediaType, resultLimited, resultPanicked,
}

// metrics tell rates and times; what they are about is in the reports.
type metrics struct {
	posts      *prometheus.CounterVec
	seconds    prometheus.Histogram
	handshakes *prometheus.CounterVec
	security   *prometheus.CounterVec
	rows       *prometheus.CounterVec
	replayed   *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "whatsapp_webhook", Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		posts: counter("posts_total", "Webhook POSTs by how they ended.", "result"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "whatsapp_webhook", Name: "post_duration_seconds", Help: "Time from the headers of a webhook POST to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}),
		handshakes: counter("handshakes_total", "Webhook handshakes by how they ended.", "result"),
		security:   counter("untrusted_total", "Bodies and changes that were not trusted, by reason.", "reason"),
		rows:       counter("items_total", "Items of verified webhooks by what became of them.", "result"),
		replayed:   counter("replayed_total", "Bodies and changes that were stored later, by where they had waited.", "from"),
	}
	for _, c := range []prometheus.Collector{m.posts, m.seconds, m.handshakes, m.security, m.rows, m.replayed} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of the webhook ingress: %w", err)
		}
	}
	for _, r := range results {
		m.posts.WithLabelValues(string(r)) // an alert on a rate misses the first of a series that begins with it
	}
	return m, nil
}

func (m *metrics) post(r result, took time.Duration) {
	m.posts.WithLabelValues(string(r)).Inc()
	m.seconds.Observe(took.Seconds())
}
