package outbox

import "github.com/prometheus/client_golang/prometheus"

// metrics have no labels that name a tenant, a line or a customer: their number must not grow with those.
type metrics struct {
	sends    *prometheus.CounterVec
	seconds  prometheus.Histogram
	resolved *prometheus.CounterVec
	parked   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_outbox_sends_total",
			Help: "Claimed sends by result: accepted, failed, unknown, or pending again.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "whatsapp_outbox_call_duration_seconds",
			Help:    "Duration of calls to the Graph API that send messages.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2.5, 9),
		}),
		resolved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_outbox_resolved_total",
			Help: "Sends without a known outcome by what was done: expired, resent or unconfirmed.",
		}, []string{"as"}),
		parked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_outbox_parked_total",
			Help: "Lines put on hold by reason.",
		}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{m.sends, m.seconds, m.resolved, m.parked} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
