package conversation

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/tools"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Reporter takes rows for the manager; a store.Store is one.
type Reporter interface {
	AppendReport(ctx context.Context, r store.Report) error
}

// ReportHealth tells the manager how the models of channels fare, for the condition AssistantReady.
func ReportHealth(to Reporter, log logr.Logger) providers.HealthReporter {
	return func(ctx context.Context, ch *runtimeconfig.Channel, capability runtimeconfig.Capability, kind providers.Kind) {
		report(ctx, to, log, ch, serverapi.Assistant{Capability: string(capability), Healthy: kind == "", Reason: string(kind)})
	}
}

// toolsReportEvery is how often, at most, it is told that a tool server can't be reached which had been reached again meanwhile.
const toolsReportEvery = time.Hour

// toldTools is what was told last of a tool server, and when it was told that it can't be reached.
type toldTools struct {
	revision, reason string
	unreachable      time.Time
}

// ReportTools tells the manager how the tool servers of channels fare, whenever that is another than it was told before.
func ReportTools(to Reporter, log logr.Logger) tools.HealthReporter {
	var mu sync.Mutex
	told := map[string]toldTools{} // by line id and source
	return func(ctx context.Context, ch *runtimeconfig.Channel, source, reason string) {
		key := ch.LineID + " " + source
		now := time.Now()
		mu.Lock()
		last, known := told[key]
		same := known && last.revision == ch.Revision
		silent := same && (last.reason == reason || reason == tools.ReasonUnreachable && now.Sub(last.unreachable) < toolsReportEvery)
		if !silent {
			if len(told) >= maxTold {
				clear(told)
			}
			next := toldTools{revision: ch.Revision, reason: reason, unreachable: last.unreachable}
			if reason == tools.ReasonUnreachable {
				next.unreachable = now
			}
			told[key] = next
		}
		mu.Unlock()
		if !silent {
			report(ctx, to, log, ch, serverapi.Assistant{Healthy: reason == "", Reason: reason, Tool: source})
		}
	}
}

func report(ctx context.Context, to Reporter, log logr.Logger, ch *runtimeconfig.Channel, detail serverapi.Assistant) {
	payload, err := json.Marshal(detail)
	if err == nil {
		err = to.AppendReport(ctx, store.Report{
			Kind: store.ReportKind(serverapi.KindAssistantHealth), Line: ch.LineID, Payload: payload,
		})
	}
	if err != nil {
		log.Error(err, "The health of an assistant could not be reported", "line", ch.LineID)
	}
}
