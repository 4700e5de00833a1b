package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const textBody = `{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"field":"messages","value":{
 "messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},
 "contacts":[{"profile":{"name":"Ana","username":"@ana.plants"},"wa_id":"16505551234","user_id":"US.134912"}],
 "messages":[{"from":"16505551234","from_user_id":"US.134912","id":"wamid.A1","timestamp":"1763700001","type":"text","text":{"body":"Do you \u00e4 deliver?"}}]}}]}]}`

func TestPeekIDs(t *testing.T) {
	for _, tc := range []struct {
		reason, body  string
		phones, wabas []string
		err           error
	}{
		{"a message names number and account", textBody, []string{"106540352242922"}, []string{"102290129340398"}, nil},
		{"ids may be numbers", `{"entry":[{"id":12345,"changes":[{"value":{"metadata":{"phone_number_id":678}}}]}]}`,
			[]string{"678"}, []string{"12345"}, nil},
		{"standby nests one level deeper", `{"entry":[{"id":"1","changes":[{"value":{"standby":{"metadata":{"phone_number_id":"2"}}}}]}]}`,
			[]string{"2"}, []string{"1"}, nil},
		{"a handover names its recipient", `{"entry":[{"changes":[{"value":{"recipient":{"phone_number_id":"3"}}}]}]}`,
			[]string{"3"}, nil, nil},
		{"a partner event names the account inside", `{"entry":[{"id":"9","changes":[{"value":{"waba_info":{"waba_id":"4"}}}]}]}`,
			nil, []string{"9", "4"}, nil},
		{"an account alert names an entity", `{"entry":[{"id":"9","changes":[{"value":{"entity_type":"PHONE_NUMBER","entity_id":"5"}}]}]}`,
			[]string{"5"}, []string{"9"}, nil},
		{"repeated ids are listed once", `{"entry":[{"id":"1"},{"id":"1"},{"id":"2"}]}`, nil, []string{"1", "2"}, nil},
		{"escaped keys and values are read", `{"\u0065ntry":[{"\u0069d":"\u0031\u0032"}]}`, nil, []string{"12"}, nil},
		{"case variants are read as encoding/json does", `{"Entry":[{"ID":"1"}]}`, nil, []string{"1"}, nil},
		{"what is no id is left out", `{"entry":[{"id":"1 or 1"},{"id":""},{"id":null},{"id":1.5},{"id":{"id":"7"}}]}`, nil, nil, nil},
		{"other ids do not count", `{"id":"1","messages":[{"id":"2"}],"phone_number_id":"3","contacts":[{"waba_id":"4"}]}`, nil, nil, nil},
		{"what came before an error is kept", `{"entry":[{"id":"1"},`, nil, []string{"1"}, ErrSyntax},
		{"junk is an error", `<html>`, nil, nil, ErrSyntax},
		{"nothing is an error", ``, nil, nil, ErrSyntax},
		{"trailing data is an error", `{} {}`, nil, nil, ErrSyntax},
		{"an open string is an error", `{"a":"\`, nil, nil, ErrSyntax},
		{"what is nested too deeply is passed over", `{"entry":[{"x":` + deep(40, `"]}\"["`) + `,"id":"1"}]}`, nil, []string{"1"}, nil},
		{"unless it never ends", strings.Repeat("[", 40), nil, nil, ErrSyntax},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			phones, wabas, err := PeekIDs([]byte(tc.body))
			if diff := cmp.Diff([][]string{tc.phones, tc.wabas}, [][]string{phones, wabas}); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
		})
	}
}

func TestPeekIDsIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"entry":[`)
	for i := range 50_000 {
		fmt.Fprintf(&b, `{"id":"%d","changes":[{"value":{"metadata":{"phone_number_id":"%d"},"junk":"x"}}]},`, i, i)
	}
	b.WriteString(`{}]}`)
	body := []byte(b.String())
	phones, wabas, err := PeekIDs(body)
	if err != nil || len(phones) != maxCandidates || len(wabas) != maxCandidates {
		t.Errorf("got %d and %d ids, error %v; want %d of each", len(phones), len(wabas), err, maxCandidates)
	}
	junk := []byte(`{"junk":[` + strings.Repeat(`{"k":"v","id":"no id","entry":["1"],"n":1},`, 50_000) + `{}]}`)
	if allocs := testing.AllocsPerRun(3, func() { _, _, _ = PeekIDs(junk) }); allocs > 20 {
		t.Errorf("a body of junk costs %v allocations, want a number that does not grow with it", allocs)
	}
}

func TestRoutingIDs(t *testing.T) {
	many := `{"a":[` + strings.Repeat(`{"metadata":{"phone_number_id":"%d"}},`, 70) + `{}]}`
	args := make([]any, 70)
	for i := range args {
		args[i] = i + 100
	}
	for _, tc := range []struct {
		reason, value string
		phones, wabas []string
	}{
		{"what looks like an alert in another field", `{"entity_type":"PHONE_NUMBER","entity_id":"7"}`, nil, nil},
		{"metadata", `{"metadata":{"phone_number_id":"1"}}`, []string{"1"}, nil},
		{"each place counts", `{"metadata":{"phone_number_id":"1"},"standby":{"metadata":{"phone_number_id":2}},
			"recipient":{"phone_number_id":"3"},"waba_info":{"waba_id":"4"}}`, []string{"1", "2", "3"}, []string{"4"}},
		{"both of two repeated objects count", `{"metadata":{"phone_number_id":"1"},"METADATA":{"phone_number_id":"2"}}`, []string{"1", "2"}, nil},
		{"an id of another form counts, and matches nobody", `{"metadata":{"phone_number_id":"x'y"}}`, []string{"x'y"}, nil},
		{"an alert about a number", `{"entity_type":"PHONE_NUMBER","entity_id":"7"}`, []string{"7"}, nil},
		{"an alert about a business", `{"entity_type":"BUSINESS","entity_id":"7"}`, nil, nil},
		{"too many ids add the id of nobody", fmt.Sprintf(many, args...), nil, nil},
		{"nothing to route by", `{"event":"X"}`, nil, nil},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			field := FieldMessages
			if strings.HasPrefix(tc.reason, "an alert") {
				field = FieldAccountAlerts
			}
			phones, wabas := Change{Field: field, Value: json.RawMessage(tc.value)}.RoutingIDs()
			if strings.HasPrefix(tc.reason, "too many") {
				if len(phones) != maxCandidates+1 || phones[maxCandidates] != "" || wabas[0] != "" {
					t.Errorf("got %d ids ending in %q", len(phones), phones[len(phones)-1])
				}
				return
			}
			if diff := cmp.Diff([][]string{tc.phones, tc.wabas}, [][]string{phones, wabas}); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
	if phones, wabas := (Change{}).RoutingIDs(); len(phones) != 1 || phones[0] != "" || len(wabas) != 1 {
		t.Errorf("a change without value gave %q, %q, want the id of nobody", phones, wabas)
	}
}

// deep nests a value in lists.
func deep(levels int, value string) string {
	return strings.Repeat("[", levels) + value + strings.Repeat("]", levels)
}

// change is a body with one change of a value.
func change(value string) string {
	return `{"object":"o","entry":[{"id":"1","changes":[{"field":"f","value":` + value + `}]}]}`
}

// TestAmbiguousKeys: outside of the values of changes they cost the whole body, inside only the change.
func TestAmbiguousKeys(t *testing.T) {
	for _, tc := range []struct {
		reason, body string
		whole        error
		inside       error
	}{
		{"a genuine body", textBody, nil, nil},
		{"the same key in different objects", `{"entry":[{"id":"1"},{"id":"2"}]}`, nil, nil},
		{"a repeated key", `{"entry":[],"object":"x","entry":[]}`, ErrAmbiguous, nil},
		{"a case variant alone", `{"entry":[{"ID":"1"}]}`, ErrAmbiguous, nil},
		{"a case variant beside the key", `{"entry":[{"id":"1","Id":"2"}]}`, ErrAmbiguous, nil},
		{"an escaped repetition", `{"entry":[{"changes":[{"value":{},"\u0076alue":{}}]}]}`, ErrAmbiguous, nil},
		{"two fields", `{"entry":[{"changes":[{"field":"1","value":{},"field":"3"}]}]}`, ErrAmbiguous, nil},
		{"two ids of one account", `{"entry":[{"id":"1","changes":[{"value":{"id":1}}],"id":"3"}]}`, ErrAmbiguous, nil},
		{"an escaped spelling alone is the same key", `{"entry":[{"changes":[{"\u0076alue":{}}]}]}`, nil, nil},
		{"other keys may repeat", change(`{"text":1,"text":2,"Text":3}`), nil, nil},
		{"two numbers", change(`{"metadata":{"phone_number_id":"1","x":{},"phone_number_id":"2"}}`), nil, ErrAmbiguous},
		{"two objects with numbers", change(`{"metadata":{},"metadata":{}}`), nil, ErrAmbiguous},
		{"a number in another case", change(`{"recipient":{"Phone_Number_ID":"1"}}`), nil, ErrAmbiguous},
		{"a number deeper", change(`{"standby":{"metadata":{"phone_number_id":"1","phone_number_id":"2"}}}`), nil, ErrAmbiguous},
		{"two accounts", change(`{"waba_info":{"waba_id":"1","WABA_ID":"2"}}`), nil, ErrAmbiguous},
		{"two entities", change(`{"entity_id":"1","entity_id":"2"}`), nil, ErrAmbiguous},
		{"a letter that folds to an ASCII one", change("{\"\u017ftandby\":{}}"), nil, ErrAmbiguous},
		{"what another responder sent", change(`{"standby":{"message_echoes":[{"message":{"ID":1,"id":2,"Value":{"Metadata":{}},"recipient":"r","Recipient":{"phone_number_id":1,"phone_number_id":1}}}]}}`), nil, nil},
		{"nesting inside a value", change(`{"x":` + deep(40, "1") + `}`), nil, ErrTooDeep},
		{"a value that is nothing but nesting", change(deep(9000, "")), nil, ErrTooDeep},
		{"nesting outside", `{"x":` + deep(40, "1") + `,` + change("{}")[1:], ErrTooDeep, nil},
	} {
		e, err := Decode([]byte(tc.body))
		if !errors.Is(err, tc.whole) || err == nil && tc.whole != nil {
			t.Errorf("%s: error %v, want %v", tc.reason, err, tc.whole)
		}
		var got error
		for _, entry := range e.Entry {
			for _, c := range entry.Changes {
				got = c.Err
			}
		}
		if !errors.Is(got, tc.inside) {
			t.Errorf("%s: the change has error %v, want %v", tc.reason, got, tc.inside)
		}
	}
	// One of two changes.
	e, err := Decode([]byte(`{"entry":[{"changes":[{"value":{"metadata":{},"metadata":{}}},{"value":{"metadata":{}}},{}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if c := e.Entry[0].Changes; !errors.Is(c[0].Err, ErrAmbiguous) || c[1].Err != nil || c[2].Err != nil {
		t.Errorf("the changes have the errors %v, %v and %v", c[0].Err, c[1].Err, c[2].Err)
	}
	if _, err := Decode([]byte(`{"entry":`)); !errors.Is(err, ErrSyntax) {
		t.Errorf("a cut body gave %v, want %v", err, ErrSyntax)
	}
}

// FuzzRouting checks the scanner against encoding/json: whatever id the decoder finds, the scanner finds too, unless
// the body is reported as ambiguous.
func FuzzRouting(f *testing.F) {
	f.Add([]byte(textBody))
	f.Add([]byte(`{"entry":[{"id":1,"ID":"2","changes":[{"value":{"recipient":{"phone_number_id":"3"}}}]}]}`))
	f.Add([]byte(`{"Entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"1"},"metadata":null}}]}]}`))
	f.Add([]byte(`[[[["\ud800"]]]]`))
	f.Add([]byte(change(`{"standby":{"Metadata":{"phone_number_id":"1"}},"x":` + deep(40, `"]"`) + `,"metadata":{"phone_number_id":"2"}}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		phones, wabas, peekErr := PeekIDs(body)
		e, err := Decode(body)
		if err != nil {
			return
		}
		if peekErr != nil {
			t.Fatalf("Decode accepts what PeekIDs refuses: %v", peekErr)
		}
		found := map[string]bool{}
		for _, id := range append(phones, wabas...) {
			found[id] = true
		}
		full := len(phones) >= maxCandidates || len(wabas) >= maxCandidates
		for _, entry := range e.Entry {
			if id := string(entry.ID); allDigits(id) && !found[id] && !full {
				t.Fatalf("entry id %q was not peeked", id)
			}
			for _, change := range entry.Changes {
				checkValue(t, change)
			}
		}
	})
}

func checkValue(t *testing.T, change Change) {
	t.Helper()
	phones, _ := change.RoutingIDs()
	v, err := change.Messages()
	if err != nil || v.Metadata.PhoneNumberID == "" {
		return
	}
	id := string(v.Metadata.PhoneNumberID)
	for _, found := range phones {
		if found == id || found == "" {
			return
		}
	}
	t.Fatalf("the decoder finds the number %q, the scan only %q", id, phones)
}
