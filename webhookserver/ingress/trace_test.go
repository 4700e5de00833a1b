package ingress

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

// TestEachNewMessageBeginsATrace posts two messages of different lines in one body, beside a status, then the same again, and then a
// body that has to wait for its secret.
func TestEachNewMessageBeginsATrace(t *testing.T) {
	w := newWorld(t, everything(), nil)
	spans := tracetest.NewInMemoryExporter()
	w.handler.tracer = tracing.New(sdktrace.NewSimpleSpanProcessor(spans), 1)
	began := func() (ids []string) {
		for _, s := range spans.GetSpans() {
			if s.Name == "receive" {
				ids = append(ids, s.SpanContext.TraceID().String())
			}
		}
		slices.Sort(ids)
		return ids
	}
	want := func(ids ...string) {
		t.Helper()
		slices.Sort(ids)
		if got := began(); !slices.Equal(got, ids) {
			t.Errorf("began %q, want %q", got, ids)
		}
	}
	id := func(line, wamid string) string { return tracing.OfMessage(line, wamid).TraceID().String() }

	status := `{"id":"wamid.OURS","status":"sent","timestamp":"1700000000","recipient_id":"49151"}`
	batch := body(entry("301", messages("201", text("ONE", "49151", "hello")), messagesOf("messages", "201", "statuses", status)), entry("302", messages("202", text("TWO", "49152", "hi"))))
	one, two, three := id("line-p", "wamid.ONE"), id("line-q", "wamid.TWO"), id("line-p", "wamid.THREE")
	if status, _ := w.post(secretA, batch); status != http.StatusOK {
		t.Errorf("answered %d\n%s", status, w.logs)
	}
	want(one, two)
	if status, _ := w.post(secretA, batch); status != http.StatusOK {
		t.Errorf("a copy was answered %d", status)
	}
	want(one, two)
	w.run()
	w.post(secretNew, body(entry("301", messages("201", text("THREE", "49151", "still there?")))))
	want(one, two)
	app := appA
	app.AppSecret = redact.New(secretNew)
	w.serve([]encoder{&app, &appB, &channelP, &channelQ})
	w.eventually("the body from the quarantine begins a trace", func() bool { return slices.Contains(began(), three) })
	want(one, two, three)
	for _, s := range spans.GetSpans() {
		for _, a := range s.Attributes {
			if v := a.Value.String(); strings.Contains(v, "wamid") || strings.Contains(v, "49151") || strings.Contains(v, "hello") {
				t.Errorf("the span %s says %s = %s", s.Name, a.Key, v)
			}
		}
	}
}
