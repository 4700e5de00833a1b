package providers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

// outcomeOK is the outcome of a call that succeeded, beside the Kinds.
const outcomeOK = "ok"

// meter measures calls. No label names a channel or its model: there may be thousands.
type meter struct {
	seconds *prometheus.HistogramVec
	usage   *prometheus.CounterVec
	// uncounted are tokens that could not be written down.
	uncounted prometheus.Counter
	// refused are calls that the budget of the day did not allow.
	refused *prometheus.CounterVec
}

func newMeter(metrics prometheus.Registerer) (*meter, error) {
	m := &meter{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "whatsapp_model_request_duration_seconds",
			Help:    "Time of calls of models with all attempts, by provider, capability, and outcome: ok or the reason of the failure.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 12),
		}, []string{"provider", "capability", "outcome"}),
		usage: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_model_usage_total",
			Help: "What calls of models took, in the units that providers charge for: prompt_tokens, completion_tokens, audio_seconds or images.",
		}, []string{"provider", "capability", "unit"}),
		uncounted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "whatsapp_model_uncounted_tokens_total",
			Help: "Tokens that models took and that the store did not count, so that limits of tokens per day are met too late.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_model_budget_refusals_total",
			Help: "Calls of models that were not made because the channel's tokens of the day do not suffice, by capability.",
		}, []string{"capability"}),
	}
	for _, c := range []prometheus.Collector{m.seconds, m.usage, m.uncounted, m.refused} {
		if err := metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// start begins a call's span, which is recorded if its turn's is. It holds nothing of the conversation.
func (m *meter) start(ctx context.Context, c caller) (spanned context.Context, done func(usage, error)) {
	started := time.Now()
	provider, capability := c.provider, string(c.capability)
	ctx, span := tracing.Child(ctx, "model "+capability, trace.SpanKindClient, tracing.LineKey.String(c.channel.LineID),
		attribute.String("whatsapp.capability", capability), attribute.String("whatsapp.provider", provider))
	return ctx, func(used usage, err error) {
		outcome, failure := outcomeOK, ""
		if err != nil {
			failure = string(KindOf(err))
			outcome = failure
		}
		m.seconds.WithLabelValues(provider, capability, outcome).Observe(time.Since(started).Seconds())
		for unit, n := range map[string]float64{
			"prompt_tokens": float64(used.promptTokens), "completion_tokens": float64(used.completionTokens),
			"audio_seconds": used.audioSeconds, "images": float64(used.images),
		} {
			if n > 0 {
				m.usage.WithLabelValues(provider, capability, unit).Add(n)
				span.SetAttributes(attribute.Float64("whatsapp."+unit, n))
			}
		}
		tracing.End(span, failure)
	}
}
