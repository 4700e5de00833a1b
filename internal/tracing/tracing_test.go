package tracing_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

const wamid = "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTdCMEQ5"

func recording(ratio float64) (*tracing.Tracer, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return tracing.New(sdktrace.NewSimpleSpanProcessor(exporter), ratio), exporter
}

// TestOneMessageIsOneTrace lets three processes, which tell each other nothing but what lies in a row, record what they do for a message.
func TestOneMessageIsOneTrace(t *testing.T) {
	ingress, received := recording(1)
	worker, worked := recording(1)
	sender, sent := recording(1)
	now := time.Now()
	ingress.Received(t.Context(), "line", wamid, now, now.Add(time.Second), now.Add(2*time.Second))
	turning, turn := worker.Start(t.Context(), "turn", tracing.OfMessage("line", wamid), trace.SpanKindConsumer)
	carried := tracing.Carry(turning)
	turn.End()
	_, send := sender.Start(t.Context(), "send", tracing.Carried(t.Context(), carried), trace.SpanKindConsumer)
	send.End()

	var all []string
	root := tracing.OfMessage("line", wamid)
	for _, s := range append(append(received.GetSpans(), worked.GetSpans()...), sent.GetSpans()...) {
		if s.SpanContext.TraceID() != root.TraceID() {
			t.Errorf("%s is in the trace %s", s.Name, s.SpanContext.TraceID())
		}
		under := "nothing"
		switch s.Parent.SpanID() {
		case root.SpanID():
			under = "receive"
		case turn.SpanContext().SpanID():
			under = "turn"
		case trace.SpanID{}:
		default:
			under = "?"
		}
		all = append(all, s.Name+" under "+under+" took "+s.EndTime.Sub(s.StartTime).Truncate(time.Second).String())
	}
	const want = "store under receive took 1s, receive under nothing took 2s, turn under receive took 0s, send under turn took 0s"
	if got := strings.Join(all, ", "); got != want {
		t.Errorf("recorded\n%s, want\n%s", got, want)
	}
}

// TestIDsSayNothing sees that different messages, and those of different lines, have different traces, and that ids hold no message's id.
func TestIDsSayNothing(t *testing.T) {
	a := tracing.OfMessage("line", wamid)
	for _, other := range []trace.SpanContext{tracing.OfMessage("line2", wamid), tracing.OfMessage("line", wamid+"x"), tracing.OfMessage("linew", wamid[1:])} {
		if other.TraceID() == a.TraceID() {
			t.Errorf("%s twice", a.TraceID())
		}
	}
	if ids := a.TraceID().String() + a.SpanID().String(); strings.Contains(hex.EncodeToString([]byte(wamid)), ids[:8]) {
		t.Errorf("%s is part of the message's id", ids)
	}
}

// TestProcessesSampleTheSame sees that a trace is recorded by all processes or by none, whatever the share.
func TestProcessesSampleTheSame(t *testing.T) {
	one, received := recording(0.3)
	other, worked := recording(0.3)
	for i := range 500 {
		id := fmt.Sprint(wamid, i)
		one.Received(t.Context(), "line", id, time.Now(), time.Now(), time.Now())
		ctx, turn := other.Start(t.Context(), "turn", tracing.OfMessage("line", id), trace.SpanKindConsumer)
		_, send := one.Start(t.Context(), "send", tracing.Carried(t.Context(), tracing.Carry(ctx)), trace.SpanKindConsumer)
		if turn.IsRecording() != send.IsRecording() {
			t.Errorf("the turn is recorded: %t, its send: %t", turn.IsRecording(), send.IsRecording())
		}
		send.End()
		turn.End()
	}
	seen := map[trace.TraceID]int{}
	for _, s := range append(received.GetSpans(), worked.GetSpans()...) {
		if s.Name == "receive" || s.Name == "turn" {
			seen[s.SpanContext.TraceID()]++
		}
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("of the trace %s there are %d spans of the two", id, n)
		}
	}
	if len(seen) < 75 || len(seen) > 225 {
		t.Errorf("%d of 500 traces are recorded", len(seen))
	}
}

func TestOffCostsNothing(t *testing.T) {
	var off *tracing.Tracer
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		off.Received(t.Context(), "line", wamid, now, now, now)
		ctx, span := off.Start(t.Context(), "turn", trace.SpanContext{}, trace.SpanKindConsumer)
		_, child := tracing.Child(ctx, "store", trace.SpanKindInternal)
		tracing.End(child, "")
		tracing.End(span, "failed")
		if tracing.Carry(ctx) != "" || off.On() {
			t.Error("it is not off")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := off.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if tracing.Carried(t.Context(), "").IsValid() || tracing.Carried(t.Context(), "00-nonsense").IsValid() {
		t.Error("nonsense is a span")
	}
}

func TestEnvironment(t *testing.T) {
	const traces, all = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, tc := range map[string]struct {
		env map[string]string
		on  bool
		err string
	}{
		"nothing":          {nil, false, ""},
		"an endpoint":      {map[string]string{all: "http://127.0.0.1:4318"}, true, ""},
		"one for traces":   {map[string]string{traces: "http://127.0.0.1:4318/v1/traces"}, true, ""},
		"disabled":         {map[string]string{all: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no exporter":      {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"another exporter": {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "zipkin"}, false, "OTEL_TRACES_EXPORTER"},
		"no URL":           {map[string]string{all: "127.0.0.1:4318"}, false, all},
		"a password":       {map[string]string{traces: "https://me:topsecret@collector.example"}, false, traces},
		"another protocol": {map[string]string{all: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "4318"},
		"a share":          {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, true, ""},
		"a share above 1":  {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"}, false, "OTEL_TRACES_SAMPLER_ARG"},
		"no number":        {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, false, "OTEL_TRACES_SAMPLER_ARG"},
		"another sampler":  {map[string]string{all: "http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER": "jaeger_remote"}, false, "OTEL_TRACES_SAMPLER"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			tracer, err := tracing.FromEnvironment(t.Context(), "webhook-server")
			switch {
			case tc.err != "":
				if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "topsecret") {
					t.Errorf("the error %v does not name %s", err, tc.err)
				}
			case err != nil, tracer.On() != tc.on:
				t.Errorf("on is %t, err %v", tracer.On(), err)
			}
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCollectorThatIsAwayHoldsNothingUp records more than is kept while the collector refuses everything.
func TestCollectorThatIsAwayHoldsNothingUp(t *testing.T) {
	var asked atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	tracer, err := tracing.FromEnvironment(t.Context(), "webhook-server")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		tracer.Received(t.Context(), "line", fmt.Sprint(i), time.Now(), time.Now(), time.Now())
	}
	for asked.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := tracer.Shutdown(ctx); err == nil {
		t.Error("what could not be handed over was no error")
	}
}
