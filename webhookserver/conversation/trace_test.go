package conversation

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// TestTurnIsInTheTraceOfWhoWaitedLongest answers two messages with one reply, and then skips one.
func TestTurnIsInTheTraceOfWhoWaitedLongest(t *testing.T) {
	w := newWorld(t)
	spans := tracetest.NewInMemoryExporter()
	worker := w.worker(func(o *Options) { o.Tracer = tracing.New(sdktrace.NewSimpleSpanProcessor(spans), 1) })
	w.writes("wamid.1", "one", 0)
	w.writes("wamid.2", "two", 0)
	stop := w.run(worker)
	w.until("the answer is written", func() bool { return w.replies() == "re: one+two" })
	stop()
	turns := func() (turns tracetest.SpanStubs) {
		for _, s := range spans.GetSpans() {
			if s.Name == "turn" {
				turns = append(turns, s)
			}
		}
		return turns
	}
	first, second := tracing.OfMessage(line, "wamid.1"), tracing.OfMessage(line, "wamid.2")
	all := turns()
	if len(all) != 1 {
		t.Fatalf("%d turns", len(all))
	}
	if s := all[0]; s.Parent.SpanID() != first.SpanID() || len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != second.SpanID() {
		t.Errorf("the turn is below %s and has the links %v", s.Parent.SpanID(), s.Links)
	}
	row, err := storetest.One(w.store.ClaimSends(w.Context(), store.ClaimSendRequest{Owner: "test", Lease: deadline, PerLineLimit: 1}))
	w.must(err)
	content, err := outbox.TextPayload("re: one+two")
	w.must(err)
	if string(row.Payload) == string(content) {
		t.Errorf("the send does not know its turn: %s", row.Payload)
	}

	w.serve(func(ch *runtimeconfig.Channel) { ch.PlanActive = false })
	w.writes("wamid.3", "three", 0)
	stop = w.run(w.worker(func(o *Options) { o.Tracer = tracing.New(sdktrace.NewSimpleSpanProcessor(spans), 1) }))
	w.until("the turn is skipped", func() bool { return w.conversation().SkippedReason == reasonPlanInactive })
	stop()
	all = turns()
	said := map[string]string{}
	for _, a := range all[len(all)-1].Attributes {
		said[string(a.Key)] = a.Value.String()
	}
	if said[string(tracing.ResultKey)] != resultSkipped || said[string(tracing.ReasonKey)] != reasonPlanInactive {
		t.Errorf("the turn that was skipped says %v", said)
	}
}
