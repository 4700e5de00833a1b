package assistant

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
)

// Builtin is the assistant that needs nothing but the content, and that decides when a person is asked for: that must
// not depend on a model's mood.
type Builtin interface {
	Assistant
	// WantsPerson reports whether the customer asks for a person.
	WantsPerson(turn Turn) bool
	// HandOff returns the reply that tells the customer that a person takes over.
	HandOff(turn Turn) Reply
	// Words are what the server itself says to this customer.
	Words(turn Turn) *Words
}

// Fallback answers with the channel's model if it has one, and with the built-in assistant otherwise and whenever the
// model fails. It is safe for concurrent use.
type Fallback struct {
	builtin Builtin
	model   Assistant
	answers *prometheus.CounterVec
	failed  *prometheus.CounterVec
}

// NewFallback makes a Fallback and registers its metrics.
func NewFallback(builtin Builtin, model Assistant, metrics prometheus.Registerer) (*Fallback, error) {
	f := &Fallback{
		builtin: builtin, model: model,
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_assistant_answers_total",
			Help: "Answers by who gave them: model, retrieval because there is no model, fallback because the model failed, or handoff on request.",
		}, []string{"by"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_assistant_model_failures_total",
			Help: "Failed answers of models by reason.",
		}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{f.answers, f.failed} {
		if err := metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Answer implements Assistant.
func (f *Fallback) Answer(ctx context.Context, turn Turn) (Reply, error) {
	if f.builtin.WantsPerson(turn) {
		f.answers.WithLabelValues("handoff").Inc()
		return f.builtin.HandOff(turn), nil
	}
	if turn.Channel.Assistant.Chat == nil {
		f.answers.WithLabelValues("retrieval").Inc()
		return f.withoutModel(ctx, turn)
	}
	reply, err := f.model.Answer(ctx, turn)
	if err == nil {
		f.answers.WithLabelValues("model").Inc()
		if reply.HandOff && len(reply.Parts) == 0 {
			reply.Parts = f.builtin.HandOff(turn).Parts // the customer is told in any case
		}
		return reply, nil
	}
	if ctx.Err() != nil {
		return Reply{}, err // it is not the model that failed
	}
	kind := providers.KindOf(err)
	f.failed.WithLabelValues(string(kind)).Inc()
	f.answers.WithLabelValues("fallback").Inc()
	return f.withoutModel(ctx, turn)
}

// withoutModel answers without the model. What was done is told also without it.
func (f *Fallback) withoutModel(ctx context.Context, turn Turn) (Reply, error) {
	if turn.Done == nil {
		return f.builtin.Answer(ctx, turn)
	}
	return turn.Done.Tell(f.builtin.Words(turn)), nil
}

// Tell is the answer in the server's own words.
func (d *Done) Tell(words *Words) Reply {
	if d.Failed {
		return Reply{Parts: []Part{Text{Body: words.ActionFailed}}, HandOff: true, Reason: "ToolFailed"}
	}
	return Reply{Parts: []Part{Text{Body: words.ActionDone}}}
}
