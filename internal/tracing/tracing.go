package tracing

import (
	"context"
	"crypto/sha256"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names this program's instrumentation in spans.
const scope = "github.com/whatsapp-operator/whatsapp-operator"

// Keys of attributes that several spans have.
const (
	// LineKey is the id of the line.
	LineKey = attribute.Key("whatsapp.line")
	// ResultKey is how it ended, as metrics name it, ReasonKey why.
	ResultKey = attribute.Key("whatsapp.result")
	ReasonKey = attribute.Key("whatsapp.reason")
	// TypeKey is Meta's type of a message, SourceKey the way by which it came.
	TypeKey   = attribute.Key("whatsapp.type")
	SourceKey = attribute.Key("whatsapp.source")
	// ToolKey is the name of a tool that was called.
	ToolKey = attribute.Key("whatsapp.tool")
	// AttemptKey is 1 for the first try.
	AttemptKey = attribute.Key("whatsapp.attempt")
)

// Tracer begins spans. A nil Tracer begins none, and costs nothing. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// none is the span of what is not recorded.
var none trace.Span = noop.Span{}

// On tells whether anything is recorded.
func (t *Tracer) On() bool { return t != nil }

// Shutdown hands over what was recorded and ends the Tracer.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// OfMessage is the span of a message's arrival, from which all others of its trace descend. It says nothing about the message to
// whoever doesn't know its id.
func OfMessage(line, wamid string) trace.SpanContext {
	digest := sha256.Sum256([]byte(line + "\x00" + wamid))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(digest[:16]), SpanID: trace.SpanID(digest[16:24]), TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

// Received records that a message came with a request that began at start and that writing it took from then on from stored to done.
// It is called when the message is durable.
func (t *Tracer) Received(ctx context.Context, line, wamid string, start, stored, done time.Time, attributes ...attribute.KeyValue) {
	if t == nil {
		return
	}
	ctx = context.WithValue(ctx, rootKey{}, OfMessage(line, wamid))
	ctx, span := t.tracer.Start(ctx, "receive", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(start),
		trace.WithAttributes(append(attributes, LineKey.String(line))...))
	_, write := t.tracer.Start(ctx, "store", trace.WithTimestamp(stored))
	write.End(trace.WithTimestamp(done))
	span.End(trace.WithTimestamp(done))
}

// Start begins a span below one that another process may have made, or a trace of its own if there is none. The caller ends it.
func (t *Tracer) Start(ctx context.Context, name string, parent trace.SpanContext, kind trace.SpanKind, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t == nil {
		return ctx, none
	}
	return t.tracer.Start(trace.ContextWithSpanContext(ctx, parent), name, append(options, trace.WithSpanKind(kind))...)
}

// Child begins a span below the one that ctx has; none if it has none. The caller ends it.
func Child(ctx context.Context, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, none
	}
	return parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

// End ends a span, as failed if reason is not empty. A reason is a short, stable word: what an error says may be a customer's.
func End(span trace.Span, reason string) {
	if reason != "" {
		span.SetStatus(codes.Error, reason)
	}
	span.End()
}

// traceparent is the header of W3C Trace Context, whose format is used for rows, too.
const traceparent = "traceparent"

// Carry writes down the span that ctx has, for Carried, also one that is not sampled; empty if it has none.
func Carry(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Carried reads what Carry has written; anything else is no span.
func Carried(ctx context.Context, s string) trace.SpanContext {
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: s})
	return trace.SpanContextFromContext(ctx)
}
