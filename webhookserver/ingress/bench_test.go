package ingress

import (
	"fmt"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

// BenchmarkJudge measures the way from an ordinary webhook's bytes to its rows, without HTTP and store.
func BenchmarkJudge(b *testing.B) {
	w := &world{t: b, view: source.NewView()}
	w.serve(everything())
	hook := []byte(body(entry("301", fmt.Sprintf(`{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"201"},`+
		`"contacts":[{"profile":{"name":"Ana","username":"ana.plants"},"wa_id":"16505551234","user_id":"US.13491208655302741918"}],"messages":[%s]}}`,
		text("HBgLMTY1MDU1NTEyMzQVAgASGBQzQTdCRjY2RTQ1RDc4RjE1", "16505551234", "Do you deliver today?")))))
	signature := webhook.Sign([]byte(secretA), hook)
	loaded := w.view.Load()
	b.SetBytes(int64(len(hook)))
	b.ReportAllocs()
	for b.Loop() {
		if v := judge(loaded, scope{}, hook, signature, time.Now()); v.delivery == nil || len(v.delivery.Messages) != 1 {
			b.Fatal("not taken")
		}
	}
}
