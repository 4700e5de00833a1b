package webhook

import (
	"encoding/json"
	"testing"
)

func TestHistoryDirections(t *testing.T) {
	for _, tc := range []struct {
		reason, thread, message string
		want                    Identity
		wrote                   bool
	}{
		{"the customer's number is the thread's", "49151", `{"from":"49151"}`, Identity{Phone: "49151"}, true},
		{"what has a recipient is the business's", "49151", `{"from":"1555","to":"49151"}`, Identity{Phone: "49151"}, false},
		{"so is what comes from another number", "49151", `{"from":"15550783881"}`, Identity{Phone: "49151"}, false},
		{"a thread that is no number", "x", `{"from":"1555","to":"49151"}`, Identity{Phone: "49151"}, false},
		{"a customer who hides his number", "US.1", `{"from_user_id":"US.1"}`, Identity{UserID: "US.1"}, true},
		{"the business writes to him", "US.1", `{"from":"15550783881"}`, Identity{UserID: "US.1"}, false},
		{"and is nobody's customer", "", `{"from":"15550783881"}`, Identity{}, false},
		{"nobody", "", `{}`, Identity{}, true},
	} {
		var m HistoryMessage
		if err := json.Unmarshal([]byte(tc.message), &m); err != nil {
			t.Fatal(err)
		}
		if got, wrote := m.Customer(Loose(tc.thread), "15550783881"); got != tc.want || wrote != tc.wrote {
			t.Errorf("%s: %+v, wrote %t", tc.reason, got, wrote)
		}
	}
}

// FuzzContent reads messages, echoes, histories and account values of any shape: it never panics, and one odd member never spoils
// what the decoder has understood.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"text","text":{"body":"hi"},"referral":{"headline":"Ferns"}}`,
		`{"type":"image","image":{"id":9,"caption":"c"}}`,
		`{"type":"contacts","contacts":[{"name":{"formatted_name":"Bo"},"phones":[{"phone":"1"}]},7]}`,
		`{"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"response_json":"{\"a\":[1]}"}}}`,
		`{"type":"order","order":{"product_items":[{"product_retailer_id":1,"quantity":"2","item_price":9.5}]}}`,
		`{"type":"edit","edit":{"original_message_id":"w","message":{"type":"edit","edit":{"message":{"type":"edit"}}}}}`,
		`{"type":"system","system":{"user_id":"US.9","previous_user_id":"US.1"}}`,
		`{"message_echoes":[{"message":{"to":"49151","type":"text"}}],"history":[{"threads":[{"id":"1","messages":[{"to":"2"}]}]}]}`,
		`{"type":"control_passed","control_passed":{"new_owner_app_id":1},"alert_info":{"alert_type":"X"},"display_phone_number":"+1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		content := m.Content()
		m.Changed(Identity{UserID: "US.1"}, content.System)
		if m.Type == TypeText && m.Err == nil && m.Text != nil && len(m.Referral) == 0 && content.Said != m.Text.Body {
			t.Fatalf("the text %q reads %q", m.Text.Body, content.Said)
		}
		if content.Media != nil && content.Media.ID == "" {
			t.Fatal("a file without an id")
		}
		c := Change{Field: FieldHistory, Value: raw}
		if h, err := c.History(); err == nil {
			for i := range h.Chunks {
				for n := range h.Chunks[i].Threads {
					for k := range h.Chunks[i].Threads[n].Messages {
						h.Chunks[i].Threads[n].Messages[k].Customer(h.Chunks[i].Threads[n].ID, "")
					}
				}
			}
		}
		if v, err := c.PhoneEchoes(); err == nil {
			for i := range v.Echoes {
				v.Recipient(&v.Echoes[i])
				v.Echoes[i].Content()
			}
		}
		if h, err := c.Handover(); err == nil {
			h.Customer()
			if h.Owner("1") != OwnerUnknown && h.Type != HandoverPassed && h.Type != HandoverTaken {
				t.Fatalf("a handover of type %q has an owner", h.Type)
			}
		}
		_, _ = c.AppState()
		if name := c.DisplayNumber(); name != "" && !allDigits(name[:1]) {
			t.Fatalf("a number is called %q", name)
		}
		c.EventName()
	})
}
