package feeds

import (
	"context"
	"encoding/json"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// readable says what can be used of a catalog, and whether anything can.
func readable(format string, feed []byte) (usable bool, found serverapi.Catalog) {
	parsed, err := catalog.ParseFeed(catalog.Format(format), feed)
	found.Products, found.LeftOut = len(parsed.Products), parsed.ErrorCount
	for _, row := range parsed.RowErrors[:min(len(parsed.RowErrors), serverapi.MaxRowErrors)] {
		found.Rows = append(found.Rows, serverapi.RowError{Line: row.Line, Problem: row.Err.Error()})
	}
	switch {
	case err != nil:
		found.Problem = err.Error()
	case len(parsed.RowErrors) > 0:
		found.Problem = parsed.RowErrors[0].Error()
	case found.Products == 0:
		found.Problem = "there is no row below the names of the columns, or no product in the list"
	}
	return found.Products > 0, found
}

// tellCatalog tells the manager how much of a catalog can be used.
func (f *Feeds) tellCatalog(ctx context.Context, ch *runtimeconfig.Channel, found serverapi.Catalog) {
	detail := serverapi.Assistant{Healthy: true, Catalog: &found}
	if found.Products == 0 {
		detail.Healthy, detail.Reason = false, serverapi.ReasonCatalogInvalid
	}
	f.tell(ctx, ch, "catalog", detail)
}

// tellSource tells the manager whether a document can be had.
func (f *Feeds) tellSource(ctx context.Context, ch *runtimeconfig.Channel, problem string, about serverapi.Source) {
	f.tell(ctx, ch, about.Field, serverapi.Assistant{Healthy: problem == "", Reason: problem, Source: &about})
}

// tell reports what is another than before.
func (f *Feeds) tell(ctx context.Context, ch *runtimeconfig.Channel, of string, detail serverapi.Assistant) {
	payload, err := json.Marshal(detail)
	if err == nil {
		f.mu.Lock()
		// After a change of the channel's spec the manager wants to hear it again.
		news := ch.Revision + string(payload)
		same := f.told[key{ch.LineID, of}] == news
		f.told[key{ch.LineID, of}] = news
		f.mu.Unlock()
		if same {
			return
		}
		err = f.o.Store.AppendReport(ctx, store.Report{
			Kind: store.ReportKind(serverapi.KindAssistantHealth), Line: ch.LineID, Payload: payload,
		})
	}
	if err != nil {
		f.complain(ctx, err, ch, of)
	}
}
