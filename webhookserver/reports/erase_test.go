package reports

import (
	"errors"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestErase(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	for _, line := range []string{"line-p", "line-q"} {
		number := map[string]string{"line-p": "201", "line-q": "202"}[line]
		if _, err := w.store.Ingest(t.Context(), &store.Delivery{App: "1001", Messages: []store.InboundMessage{{
			Line: line, PhoneNumberID: number, WAMID: "wamid." + line, From: store.Identity{BSUID: "US.1", Phone: "4915112345"}, Source: store.SourceMessages,
			Type: "text", Text: "x", EventTime: w.clock.now, Raw: []byte("{}"),
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	erased, err := w.client.Erase(t.Context(), serverapi.Erasure{PhoneNumberID: "201", Phone: "+49 (151) 12345"})
	if err != nil || erased.Conversations != 1 || erased.Messages != 1 {
		t.Errorf("erased %+v, %v", erased, err)
	}
	for line, want := range map[string]int{"line-p": 0, "line-q": 1} {
		left, err := w.store.Conversations(t.Context(), line, 0, 10)
		if err != nil || len(left) != want {
			t.Errorf("%s: %d conversations, want %d; %v", line, len(left), want, err)
		}
	}
	for _, tc := range []struct {
		reason string
		e      serverapi.Erasure
		want   error
	}{
		{"a number that nobody serves", serverapi.Erasure{PhoneNumberID: "299", Phone: "4915112345"}, serverapi.ErrUnknownLine},
		{"nobody is named", serverapi.Erasure{PhoneNumberID: "201"}, serverapi.ErrInvalid},
		{"no phone number", serverapi.Erasure{PhoneNumberID: "201", Phone: "everybody"}, serverapi.ErrInvalid},
		{"no user id", serverapi.Erasure{PhoneNumberID: "201", Phone: "4915112345", UserID: "%"}, serverapi.ErrInvalid},
	} {
		if _, err := w.client.Erase(t.Context(), tc.e); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.reason, err, tc.want)
		}
	}
}
