package conversation

import (
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/tools"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func (w *world) reports() (all []string) {
	w.Helper()
	rows, err := w.store.Reports(w.Context(), 0, 100)
	w.must(err)
	for _, r := range rows {
		if r.Kind == "AssistantHealth" || r.Kind == "LimitReached" {
			all = append(all, fmt.Sprintf("%s %s", r.Line, r.Payload))
		}
	}
	return all
}

// TestReportTools sees that a tool server that comes and goes is told of once, and others whenever they change.
func TestReportTools(t *testing.T) {
	w := newWorld(t)
	report := ReportTools(w.store, w.worker().opts.Log)
	ch := &runtimeconfig.Channel{LineID: line, Revision: "r1"}
	changed := &runtimeconfig.Channel{LineID: line, Revision: "r2"}
	for _, reason := range []string{"", "", tools.ReasonUnreachable, tools.ReasonUnreachable, "", tools.ReasonUnreachable, tools.ReasonUnauthorized} {
		report(w.Context(), ch, "crm", reason)
	}
	report(w.Context(), changed, "crm", tools.ReasonUnreachable)
	want := []string{
		`line-a {"healthy":true,"tool":"crm"}`,
		`line-a {"healthy":false,"reason":"Unreachable","tool":"crm"}`,
		`line-a {"healthy":true,"tool":"crm"}`,
		`line-a {"healthy":false,"reason":"Unauthorized","tool":"crm"}`,
		`line-a {"healthy":false,"reason":"Unreachable","tool":"crm"}`, // of the changed channel
	}
	if diff := cmp.Diff(want, w.reports()); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// TestReportLimit sees that a limit is told of once an hour, and again when the channel has changed: it may be another limit then.
func TestReportLimit(t *testing.T) {
	w := newWorld(t)
	report := ReportLimits(w.store, logr.Discard())
	for range 3 {
		report(w.Context(), line, "r1", store.LimitDay)
	}
	report(w.Context(), line, "r1", store.LimitMessages)
	report(w.Context(), line, "r2", store.LimitDay)
	want := []string{`line-a {"limit":"MessagesPerDay"}`, `line-a {"limit":"MessagesPerMonth"}`, `line-a {"limit":"MessagesPerDay"}`}
	if diff := cmp.Diff(want, w.reports()); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}
