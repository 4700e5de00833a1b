package webhook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const plainValue = `{ "messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},
	"contacts":[{"profile":{"name":"Zo\u00eb \ud83c\udf31","username":"zoe"},"wa_id":"16505551234","user_id":"US.134912"}],
	"messages":[{"from":"16505551234","id":"wamid.1","timestamp":"1763700001","type":"text","text":{"body":"a\/b \"c\""},
		"context":{"from":"1","id":"wamid.0","forwarded":true,"referred_product":{"catalog_id":"7"}},"referral":{"headline":"Ferns"},"later":[1.5e3,null]},
		{"id":"wamid.2","timestamp":1763700002,"type":"image","image":{"id":"9"}}],
	"statuses":[{"id":"wamid.3","status":"sent","timestamp":"1763700003","pricing":{"billable":false,"category":"service"},
		"conversation":{"id":"c","expiration_timestamp":"1763800000","origin":{"type":"service"}}}],
	"conversation_context":{"type":"summary","summary":{"text":"wants a fern"}} }`

// sameValue compares what two decoders say, but for the texts of errors.
var sameValue = cmp.Options{
	cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Value{}, Change{}),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Err" }, cmp.Comparer(func(a, b error) bool { return (a == nil) == (b == nil) })),
}

func TestOrdinaryWebhooksArePlain(t *testing.T) {
	body := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","time":1763700001,"changes":[{"value":` + plainValue + `,"field":"messages"}]}]}`)
	envelope := checkPlain(t, body, (*plain).envelope)
	if envelope.Entry[0].Changes[0].messages == nil {
		t.Error("the value of an ordinary change is read twice")
	}
	checkMessages(t, envelope)
	value := checkPlain(t, []byte(plainValue), (*plain).value)
	if got := value.Messages[0].Text.Body; got != `a/b "c"` {
		t.Errorf("the text is %q", got)
	}
	if got := string(value.Statuses[0].Pricing); got != `{"billable":false,"category":"service"}` {
		t.Errorf("the pricing is %s", got)
	}
}

// checkMessages requires what was read of changes on the way to be what their values say on their own.
func checkMessages(t *testing.T, e Envelope) {
	t.Helper()
	for _, entry := range e.Entry {
		for _, c := range entry.Changes {
			got, gotErr := c.Messages()
			want, wantErr := Change{Field: c.Field, Value: c.Value}.Messages()
			if (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("%s is read with error %v, on its own with %v", c.Value, gotErr, wantErr)
			}
			if diff := cmp.Diff(want, got, sameValue); diff != "" {
				t.Fatalf("%s is read differently (-on its own +on the way):\n%s", c.Value, diff)
			}
		}
	}
}

// checkPlain requires the data to be plain, and to be read as encoding/json does.
func checkPlain[T any](t *testing.T, data []byte, read func(*plain, *T) bool) T {
	t.Helper()
	var got, want T
	if !readPlain(data, &got, read) {
		t.Fatalf("not plain: %s", data)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("plain, but refused by encoding/json with %v: %s", err, data)
	}
	if diff := cmp.Diff(want, got, sameValue); diff != "" {
		t.Fatalf("plain reads %s differently (-encoding/json +plain):\n%s", data, diff)
	}
	return got
}

func TestOddWebhooksAreLeftToTheGeneralDecoder(t *testing.T) {
	for _, value := range []string{
		`{"metadata":{"phone_number_id":"1"},"metadata":{}}`, `{"Metadata":{}}`, `{"m\u0065tadata":{}}`, `{"metadata":null}`, `{"metadata":[]}`,
		`{"metadata":{"phone_number_id":1}}`, `{"contacts":[{"wa_id":7}]}`, `{"contacts":{}}`, `{"errors":[]}`, `{"x":01}`, `{"x":"` + "\x01" + `"}`,
		`{"metadata":{"phone_number_id":"` + "\xff" + `"}}`, `{"messages":[]`, `{"messages":[],}`, `{} {}`, `[]`, ``,
	} {
		var v Value
		if readPlain([]byte(value), &v, (*plain).value) {
			t.Errorf("plain accepts %s", value)
		}
	}
}

// FuzzPlain checks that whatever is read as plain is what encoding/json would read.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(textBody))
	f.Add([]byte(plainValue))
	f.Add([]byte(`{"entry":[{"time":17,"changes":[{"field":"history","value":[null]}]}],"object":"x"}`))
	f.Add([]byte(`{"messages":[7,null,{"id":"1","errors":[]},{"referral":null,"identity":"\ud800"}],"statuses":[{"pricing":{}},{"pricing":[]},{"pricing":null},{"recipient_id":7}],"conversation_context":{"type":"summary"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Envelope
		if readPlain(data, &e, (*plain).envelope) {
			checkPlain(t, data, (*plain).envelope)
			checkMessages(t, e)
		}
		var v Value
		if readPlain(data, &v, (*plain).value) {
			checkPlain(t, data, (*plain).value)
		}
	})
}
