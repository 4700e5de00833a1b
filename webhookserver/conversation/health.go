package conversation

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
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

// ReportCatalog tells the manager how much of the channels' catalogs can be used, whenever that is another than it was told before.
// A channel that has had no catalog since the start is not worth a word.
func ReportCatalog(to Reporter, log logr.Logger) assistant.CatalogReporter {
	var mu sync.Mutex
	told := map[string]serverapi.Catalog{} // by line id
	return func(ctx context.Context, ch *runtimeconfig.Channel, x *catalog.Index) {
		found := readable(x, ch.Content != nil && len(ch.Content.Catalog) > 0)
		mu.Lock()
		last := told[ch.LineID]
		told[ch.LineID] = found
		mu.Unlock()
		if last == found {
			return
		}
		detail := serverapi.Assistant{Healthy: true, Catalog: &found}
		if found.Products == 0 && found.Problem != "" {
			detail.Healthy, detail.Reason = false, serverapi.ReasonCatalogInvalid
		}
		report(ctx, to, log, ch, detail)
	}
}

func readable(x *catalog.Index, given bool) serverapi.Catalog {
	var c serverapi.Catalog
	c.Products, _ = x.Len()
	rows, leftOut, err := x.FeedReport()
	c.LeftOut = leftOut
	switch {
	case err != nil:
		c.Problem = err.Error()
	case len(rows) > 0:
		c.Problem = rows[0].Error()
	case given && c.Products == 0:
		c.Problem = "there is no row below the names of the columns, or no product in the list"
	}
	return c
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
