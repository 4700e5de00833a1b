package ingress

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// memory remembers what an ingress stores.
type memory struct {
	Store
	deliveries []*store.Delivery
}

func (m *memory) Ingest(_ context.Context, d *store.Delivery) (store.Receipt, error) {
	m.deliveries = append(m.deliveries, d)
	return store.Receipt{}, nil
}

func (m *memory) Quarantine(context.Context, *store.QuarantineEntry) error { return nil }

// FuzzIngressPost posts anything, genuinely signed by a tenant with an app of his own or not at all: it never panics, never stores
// what is not signed, and never stores for anybody else.
func FuzzIngressPost(f *testing.F) {
	hello := text("1", "49151", "hello")
	for _, seed := range []string{
		"", "{", "[]", body(), body(entry("304", messages("204", hello))), body(entry("301", messages("201", hello), messages("204", hello))),
		body(entry("304", `{"field":"standby","value":{"metadata":{"phone_number_id":"204"},"standby":{"messages":[`+hello+`]}}}`)),
		body(entry("304", messagesOf("messages", "204", "statuses", `{"id":"wamid.1","status":"sent","timestamp":"1763700001"}`))),
		body(entry("304", `{"field":"account_update","value":{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"301"}}}`)),
		strings.Replace(body(entry("304", messages("204", hello))), `"metadata"`, `"metadata":{"phone_number_id":"201"},"Metadata"`, 1),
		body(entry("304", everyWebhook("204", "s")...)), body(entry("304", everyWebhook("201", "s")...)),
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	kept := &memory{}
	w := newWorld(f, everything(), func(Store) Store { return kept })
	f.Fuzz(func(t *testing.T, b []byte, signed bool) {
		kept.deliveries = nil
		secret := nobodys
		if signed {
			secret = secretD
		}
		r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(string(b)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(webhook.SignatureHeader, webhook.Sign([]byte(secret), b))
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		if answer.Body.Len() != 0 {
			t.Errorf("an answer with detail: %q", answer.Body)
		}
		if !signed && len(kept.deliveries) != 0 {
			t.Error("something was stored that nobody signed")
		}
		for _, d := range kept.deliveries {
			checkOwn(t, d)
		}
	})
}

// checkOwn fails unless everything in a delivery is channelD's.
func checkOwn(t *testing.T, d *store.Delivery) {
	t.Helper()
	if d.App != "line:line-d" || len(d.Unclaimed) != 0 {
		t.Errorf("stored as %q, %d unclaimed", d.App, len(d.Unclaimed))
	}
	for i := range d.Messages {
		if d.Messages[i].Line != "line-d" || d.Messages[i].PhoneNumberID != "204" {
			t.Errorf("a message for %q", d.Messages[i].Line)
		}
	}
	for i := range d.Statuses {
		if d.Statuses[i].Line != "line-d" || d.Statuses[i].PhoneNumberID != "204" {
			t.Errorf("a status for %q", d.Statuses[i].Line)
		}
	}
	for i := range d.Raw {
		if d.Raw[i].Line != "line-d" || d.Raw[i].WABAID == "301" {
			t.Errorf("a change for %q", d.Raw[i].Line)
		}
	}
	for i := range d.Handovers {
		if d.Handovers[i].Line != "line-d" || d.Handovers[i].PhoneNumberID != "204" {
			t.Errorf("a handover for %q", d.Handovers[i].Line)
		}
	}
	for i := range d.IdentityMoves {
		if d.IdentityMoves[i].Line != "line-d" || d.IdentityMoves[i].PhoneNumberID != "204" {
			t.Errorf("a change of identity for %q", d.IdentityMoves[i].Line)
		}
	}
	for i := range d.DeadLetters {
		if line := d.DeadLetters[i].Line; line != "" && line != "line-d" {
			t.Errorf("a dead letter for %q", line)
		}
	}
}
