package ingress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

// BenchmarkJudge measures the way from an ordinary webhook's bytes to its rows, without HTTP and store.
func BenchmarkJudge(b *testing.B) {
	w := &world{t: b, view: source.NewView()}
	w.serve(everything())
	loaded := w.view.Load()
	for _, size := range []int{1, 50} {
		hook := []byte(hookOf(size))
		signature := webhook.Sign([]byte(secretA), hook)
		b.Run(fmt.Sprintf("messages=%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(hook)))
			b.ReportAllocs()
			for b.Loop() {
				if v := judge(loaded, scope{}, hook, signature, time.Now()); v.delivery == nil || len(v.delivery.Messages) != size {
					b.Fatal("not taken")
				}
			}
		})
	}
}

// hookOf is a webhook with so many messages, each from somebody else.
func hookOf(size int) string {
	contacts, messages := make([]string, size), make([]string, size)
	for i := range size {
		contacts[i] = fmt.Sprintf(`{"profile":{"name":"Ana","username":"ana.plants"},"wa_id":"165055%05d","user_id":"US.134912086553%08d"}`, i, i)
		messages[i] = text(fmt.Sprintf("HBgLMTY1MDU1NTEyMzQVAgASGBQzQTdCRjY2RTQ1%08d", i), fmt.Sprintf("165055%05d", i), "Do you deliver today?")
	}
	return body(entry("301", fmt.Sprintf(`{"field":"messages","value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550783881","phone_number_id":"201"},"contacts":[%s],"messages":[%s]}}`,
		strings.Join(contacts, ","), strings.Join(messages, ","))))
}
