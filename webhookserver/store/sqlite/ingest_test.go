package sqlite

import (
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// What the schema refuses is found before the writer has it: he would look for it by halving the group, while everybody waits.
func TestWhatTheSchemaRefusesNeverReachesTheWriter(t *testing.T) {
	long := strings.Repeat("x", 600)
	good := store.InboundMessage{Line: "l", PhoneNumberID: "1", WAMID: "w", From: store.Identity{BSUID: "US.1", Phone: "49"}, Source: store.SourceMessages}
	message := func(change func(*store.InboundMessage)) store.Delivery {
		m := good
		change(&m)
		return store.Delivery{Messages: []store.InboundMessage{m}}
	}
	for _, tc := range []struct {
		reason string
		d      store.Delivery
		letter bool
	}{
		{"a sound message", message(func(*store.InboundMessage) {}), false},
		{"no message id", message(func(m *store.InboundMessage) { m.WAMID = "" }), true},
		{"a long message id", message(func(m *store.InboundMessage) { m.WAMID = long }), true},
		{"a long user id", message(func(m *store.InboundMessage) { m.From.BSUID = long }), true},
		{"a long phone number", message(func(m *store.InboundMessage) { m.From.Phone = long }), true},
		{"nobody", message(func(m *store.InboundMessage) { m.From = store.Identity{} }), true},
		{"a sound status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: "w", Kind: store.StatusSent}}}, false},
		{"a long kind of status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: "w", Kind: store.StatusKind(long)}}}, true},
		{"a long wamid of a status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: long, Kind: store.StatusSent}}}, true},
		{"a change without a field", store.Delivery{Raw: []store.RawChange{{}}}, true},
		{"a long field", store.Delivery{Unclaimed: []store.UnclaimedChange{{Field: long}}}, true},
		{"half a change of identity", store.Delivery{IdentityMoves: []store.IdentityMove{{Line: "l", PhoneNumberID: "1", BSUID: "US.1"}}}, true},
	} {
		items, _ := itemsOf(&tc.d)
		if len(items) != 1 || (items[0].letter != nil) != tc.letter || tc.letter && items[0].letter.Reason != reasonConstraint {
			t.Errorf("%s: %+v", tc.reason, items[0].letter)
		}
	}
}
