package wholeturn

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

// collector is a server that takes traces by OpenTelemetry's protocol.
type collector struct {
	*httptest.Server

	mu     sync.Mutex
	spans  []*tracepb.Span
	bodies strings.Builder
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var req collectorpb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &req) != nil {
			t.Errorf("%s: %d bytes that are no traces", r.URL.Path, len(raw))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies.Write(raw)
		for _, resource := range req.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// tree are the spans of a trace by name, each with the names of those above it: "turn < receive".
func (c *collector) tree(traceID string) (tree []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		byID[string(s.SpanId)] = s
	}
	for _, s := range c.spans {
		if string(s.TraceId) != traceID {
			continue
		}
		path := s.Name
		for up := s; len(up.ParentSpanId) > 0; {
			if up = byID[string(up.ParentSpanId)]; up == nil {
				path += " < ?"
				break
			}
			path += " < " + up.Name
		}
		tree = append(tree, path)
	}
	return tree
}

// TestTraceFromWebhookToReply follows a photo through ingress and worker, which tell each other nothing but what is in the store, and
// looks at what a collector has got in the end.
func TestTraceFromWebhookToReply(t *testing.T) {
	to := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	model := NewModel(t, func(req Request) Answer {
		switch {
		case strings.Contains(req.Body, "image_url"):
			return Answer{Content: "a fern in a pot"}
		case strings.Contains(req.Body, `"role":"tool"`):
			return Says("That is our Boston fern.")
		default:
			return Asks("search_catalog", `{"query":"fern"}`)
		}
	})
	w := New(t, Options{
		Blobs: openBlobs(t),
		Change: func(ch *runtimeconfig.Channel) {
			model.Give(ch, runtimeconfig.CapabilityChat, runtimeconfig.CapabilityVision)
		},
		Tracer: func() *tracing.Tracer {
			tracer, err := tracing.FromEnvironment(t.Context(), "webhook-server")
			must(t, err)
			t.Cleanup(func() { must(t, tracer.Shutdown(context.WithoutCancel(t.Context()))) })
			return tracer
		},
	})
	phone := w.Phone(t, "15550001234")
	phone.Name = "Anastasia"
	phone.SendsFile("image", "image/png", []byte(png), map[string]any{"caption": "Have you got this one?"})
	phone.Gets(0, "That is our Boston fern.")

	var wamid string
	for _, e := range w.Sim.Conversation(phone.Number, phone.Customer) {
		if e.Direction == "in" {
			wamid = e.Wamid
		}
	}
	traceID := tracing.OfMessage(Line, wamid).TraceID()
	want := []string{
		"receive", "store < receive",
		"fetch < receive", "graph media < fetch < receive", "graph media download < fetch < receive",
		"turn < receive", "graph mark as read < turn < receive", "model vision < turn < receive", "model chat < turn < receive",
		"tool < turn < receive", "store < turn < receive",
		"send < turn < receive", "graph messages < send < turn < receive",
	}
	phone.Until("the trace is complete", func() bool {
		tree := to.tree(string(traceID[:]))
		return !slices.ContainsFunc(want, func(path string) bool { return !slices.Contains(tree, path) })
	})
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, s := range to.spans {
		if string(s.TraceId) != string(traceID[:]) {
			t.Errorf("the span %s is in another trace", s.Name)
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("the span %s ends before it begins", s.Name)
		}
	}
	told := to.bodies.String()
	for _, private := range []string{"wamid", wamid, phone.Customer, phone.Name, "Have you got", "Boston", "in a pot", `"query"`} {
		if strings.Contains(told, private) {
			t.Errorf("the traces tell %q", private)
		}
	}
	w.leaks.Show("traces", told)
	must(t, w.leaks.Leaks("traces"))
}
