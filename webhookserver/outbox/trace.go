package outbox

import (
	"context"
	"encoding/json"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// begin begins the span of a send below that of the turn that wrote it. What nobody's turn wrote begins a trace.
func (b *Outbox) begin(ctx context.Context, send *store.Send) (context.Context, trace.Span) {
	if !b.tracer.On() {
		return ctx, trace.SpanFromContext(ctx)
	}
	var c struct {
		Trace string `json:"trace"`
	}
	_ = json.Unmarshal(send.Payload, &c) // what can't be read is refused when it is to be sent
	return b.tracer.Start(ctx, "send", tracing.Carried(ctx, c.Trace), trace.SpanKindConsumer, trace.WithAttributes(
		tracing.LineKey.String(send.Line), tracing.AttemptKey.Int(send.Attempt), tracing.TypeKey.String(send.Type),
		attribute.String("whatsapp.author", string(send.Author)), attribute.Int64("whatsapp.conversation", send.ConversationID),
	))
}

// end ends the span of a send. One that is to be tried again is no error.
func end(span trace.Span, r *result) {
	span.SetAttributes(tracing.ResultKey.String(string(r.state)))
	if r.reason != "" {
		span.SetAttributes(tracing.ReasonKey.String(r.reason))
	}
	reason := ""
	if r.state == store.SendFailed || r.state == store.SendUnknown {
		reason = r.reason
	}
	tracing.End(span, reason)
}
