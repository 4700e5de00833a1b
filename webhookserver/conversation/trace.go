package conversation

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// begin begins the span of a turn in the trace of the message that has waited longest, and links those of the others that it answers.
func (w *Worker) begin(ctx context.Context, turn *store.Turn) (context.Context, trace.Span) {
	if !w.opts.Tracer.On() {
		return ctx, trace.SpanFromContext(ctx)
	}
	var waited trace.SpanContext
	var others []trace.Link
	for i := range turn.Unanswered {
		m := tracing.OfMessage(turn.Line, turn.Unanswered[i].WAMID)
		if i == 0 {
			waited = m
			continue
		}
		others = append(others, trace.Link{SpanContext: m})
	}
	return w.opts.Tracer.Start(ctx, "turn", waited, trace.SpanKindConsumer, trace.WithLinks(others...), trace.WithAttributes(
		tracing.LineKey.String(turn.Line), tracing.AttemptKey.Int(turn.Attempt),
		attribute.Int64("whatsapp.conversation", turn.ConversationID), attribute.Int("whatsapp.messages", len(turn.Unanswered)),
	))
}

// end ends the span of a turn. Of what there is only failures are errors.
func end(span trace.Span, result string) {
	span.SetAttributes(tracing.ResultKey.String(result))
	reason := ""
	if result == resultFailed || result == resultLost {
		reason = result
	}
	tracing.End(span, reason)
}

// because notes in the turn's span why it is not answered.
func because(ctx context.Context, reason string) {
	trace.SpanFromContext(ctx).SetAttributes(tracing.ReasonKey.String(reason))
}
