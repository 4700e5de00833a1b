package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDecodeText(t *testing.T) {
	e, err := Decode([]byte(textBody))
	if err != nil {
		t.Fatal(err)
	}
	if e.Object != ObjectWhatsApp || len(e.Entry) != 1 || e.Entry[0].ID != "102290129340398" || e.Entry[0].Changes[0].Field != FieldMessages {
		t.Fatalf("unexpected envelope: %+v", e)
	}
	v, err := e.Entry[0].Changes[0].Messages()
	if err != nil {
		t.Fatal(err)
	}
	want := Message{
		From: "16505551234", FromUserID: "US.134912", ID: "wamid.A1", Timestamp: "1763700001", Type: "text",
		Text: &TextContent{Body: "Do you ä deliver?"},
	}
	if diff := cmp.Diff(want, v.Messages[0], cmpopts.IgnoreFields(Message{}, "Raw")); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if !json.Valid(v.Messages[0].Raw) || !strings.Contains(string(v.Messages[0].Raw), `\u00e4`) {
		t.Errorf("Raw is not what was received: %s", v.Messages[0].Raw)
	}
	wantSender := Identity{Phone: "16505551234", UserID: "US.134912", Username: "ana.plants", Name: "Ana"}
	if diff := cmp.Diff(wantSender, v.Sender(&v.Messages[0])); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		reason, body string
		want         error
	}{
		{"no JSON", "secret-text", ErrSyntax},
		{"a cut body", textBody[:len(textBody)-3], ErrSyntax},
		{"a leading zero, which the scan lets pass", `{"entry":[],"x":01}`, ErrSyntax},
		{"an entry that is no list", `{"entry":"secret-text"}`, ErrShape},
		{"an id that is an object", `{"entry":[{"id":{"a":"secret-text"}}]}`, ErrShape},
		{"no object", `[]`, ErrShape},
		{"too long", `{"entry":[` + strings.Repeat("{},", maxElements) + `{}]}`, ErrTooMany},
		{"too deep", `{"entry":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, ErrTooDeep},
	} {
		_, err := Decode([]byte(tc.body))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.reason, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the body: %v", tc.reason, err)
		}
	}
}

func TestOneOddMessageSpoilsOnlyItself(t *testing.T) {
	c := Change{Value: json.RawMessage(`{"metadata":{"phone_number_id":1},"messages":[
		{"id":"wamid.1","text":"not an object"}, {"id":"wamid.2","type":"image","image":{"id":"9"}}, 7],
		"statuses":[{"id":{}},{"id":"wamid.4","status":"sent"}]}`)}
	v, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Messages) != 3 || v.Messages[0].Err == nil || v.Messages[1].Err != nil || v.Messages[2].Err == nil {
		t.Errorf("messages: %+v, want the first and the third marked", v.Messages)
	}
	if len(v.Statuses) != 2 || v.Statuses[0].Err == nil || v.Statuses[1].Err != nil || v.Statuses[1].Status != StatusSent {
		t.Errorf("statuses: %+v, want the first marked", v.Statuses)
	}
	if !strings.Contains(string(v.Messages[1].Raw), `"image":{"id":"9"}`) {
		t.Errorf("Raw lacks the content: %s", v.Messages[1].Raw)
	}
}

func TestDecodeStatus(t *testing.T) {
	c := Change{Value: json.RawMessage(`{"statuses":[{"id":"wamid.OUT9","status":"failed","timestamp":"1763700101",
		"recipient_id":"16505551234","recipient_user_id":"US.134912","recipient_parent_user_id":"US.ENT.5","recipient_type":"group",
		"recipient_participant_id":"16505550000","biz_opaque_callback_data":"row-7",
		"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"},
		"conversation":{"id":"c","expiration_timestamp":"1763800000","origin":{"type":"service"}},
		"errors":[{"code":131047,"title":"T","message":"M","error_data":{"details":"D"},"href":"/h"}]}]}`)}
	v, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	want := Status{
		ID: "wamid.OUT9", Status: StatusFailed, Timestamp: "1763700101", RecipientID: "16505551234",
		RecipientUserID: "US.134912", RecipientParentUserID: "US.ENT.5", RecipientType: "group",
		RecipientParticipantID: "16505550000", CallbackData: "row-7",
		Errors:  []Problem{{Code: 131047, Title: "T", Message: "M", Href: "/h", Details: "D"}},
		Pricing: json.RawMessage(`{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"}`),
	}
	if diff := cmp.Diff(want, v.Statuses[0], cmpopts.IgnoreFields(Status{}, "Raw")); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Identity{Phone: "16505551234", UserID: "US.134912", ParentUserID: "US.ENT.5"}, v.Statuses[0].Recipient()); diff != "" {
		t.Errorf("recipient (-want +got):\n%s", diff)
	}
}

// What a message or a status can do without costs it nothing, whatever its shape.
func TestOddMembersCostNoOthers(t *testing.T) {
	odd := func(members, kind string) string {
		return `{"metadata":{"phone_number_id":1,"display_phone_number":15550783881},"contacts":[7,{"wa_id":16505551234,"user_id":"US.1","profile":{"name":["x"],"username":"ana"}}],"` + kind + `":[{` + members + `}]}`
	}
	for _, members := range []string{
		`"id":"w","from":16505551234,"type":"text","text":{"body":"hi"}`,
		`"id":"w","from":{},"from_user_id":"US.1","type":"text","text":{"body":"hi"}`,
		`"id":"w","from":"16505551234","type":"text","text":{"body":"hi"},"context":7`,
		`"id":"w","from":"16505551234","type":"text","text":{"body":"hi"},"context":{"id":[],"forwarded":"yes"},"referral":7,"identity":""`,
		`"id":"w","from":"16505551234","type":"text","text":{"body":"hi"},"errors":[7,{"code":"x","error_data":"details"},{"error_data":[]}]`,
	} {
		v, err := Change{Value: json.RawMessage(odd(members, "messages"))}.Messages()
		if err != nil || len(v.Messages) != 1 || v.Messages[0].Err != nil {
			t.Errorf("%s: %+v, %v", members, v.Messages, err)
			continue
		}
		want := Identity{Phone: "16505551234", UserID: "US.1", Username: "ana"}
		if got := v.Sender(&v.Messages[0]); got != want || v.Messages[0].Content().Said != "hi" {
			t.Errorf("%s: %+v says %q", members, got, v.Messages[0].Content().Said)
		}
	}
	for members, code := range map[string]int{
		`"id":"w","status":"failed","recipient_id":16505551234,"errors":[{"code":131047,"error_data":"bare text"}]`:   131047,
		`"id":"w","status":"failed","biz_opaque_callback_data":{},"errors":[{"code":"131047","title":7,"href":[]}]`:   131047,
		`"id":"w","status":"failed","pricing":[1],"conversation":"c","recipient_participant_id":{},"errors":["none"]`: 0,
	} {
		v, err := Change{Value: json.RawMessage(odd(members, "statuses"))}.Messages()
		if err != nil || len(v.Statuses) != 1 || v.Statuses[0].Err != nil || len(v.Statuses[0].Errors) != 1 || v.Statuses[0].Errors[0].Code != code {
			t.Errorf("%s: %+v, %v", members, v.Statuses, err)
		}
	}
	// What is said in a group must not pass for a private message.
	v, err := Change{Value: json.RawMessage(`{"messages":[{"id":"w","group_id":{}},{"id":"w","group_id":120363}]}`)}.Messages()
	if err != nil || v.Messages[0].Err == nil || v.Messages[1].GroupID != "120363" {
		t.Errorf("groups: %+v, %v", v.Messages, err)
	}
}

// Some samples of Meta have the field one level too high.
func TestFieldOfTheEntry(t *testing.T) {
	e, err := Decode([]byte(`{"entry":[{"id":"1","changes":[{"value":{}},{"field":"own","value":{}}],"field":"account_update"}]}`))
	if err != nil || e.Entry[0].Changes[0].Field != "account_update" || e.Entry[0].Changes[1].Field != "own" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestDecodeStandby(t *testing.T) {
	for _, tc := range []struct{ reason, value string }{
		{"metadata beside standby", `{"metadata":{"phone_number_id":"1"},"contacts":[{"wa_id":"16505551234"}],"standby":{"messages":[{"id":"wamid.1"}]}}`},
		{"metadata inside standby", `{"standby":{"metadata":{"phone_number_id":"1"},"contacts":[{"wa_id":"16505551234"}],"messages":[{"id":"wamid.1"}]}}`},
	} {
		v, err := Change{Value: json.RawMessage(tc.value)}.Standby()
		if err != nil || v.Metadata.PhoneNumberID != "1" || len(v.Contacts) != 1 || len(v.Messages) != 1 {
			t.Errorf("%s: got %+v, error %v", tc.reason, v, err)
		}
	}
}

func TestDecodeHandover(t *testing.T) {
	for _, tc := range []struct{ reason, value, role, app string }{
		{"roles", `{"recipient":{"phone_number_id":"1"},"type":"control_passed","timestamp":1763700000,"control_passed":{"previous_owner_role":"ai_agent"}}`, "ai_agent", ""},
		{"apps, and metadata as a bare string", `{"recipient":{"phone_number_id":"1"},"type":"control_passed","timestamp":"1763700000","control_passed":{"previous_owner_app_id":77,"metadata":"m"}}`, "", "77"},
	} {
		h, err := Change{Value: json.RawMessage(tc.value)}.Handover()
		if err != nil || h.Passed == nil {
			t.Errorf("%s: got %+v, error %v", tc.reason, h, err)
			continue
		}
		at, err := h.Timestamp.Time()
		if h.Recipient.PhoneNumberID != "1" || h.Passed.PreviousOwnerRole != tc.role || string(h.Passed.PreviousOwnerAppID) != tc.app ||
			err != nil || at.Unix() != 1763700000 || h.Type != HandoverPassed {
			t.Errorf("%s: got %+v", tc.reason, h)
		}
	}
}

func TestDecodeAccountUpdate(t *testing.T) {
	for _, tc := range []struct {
		reason, value string
		account       string
		ban           OneOrMany
	}{
		{"a partner event names the account inside", `{"event":"PARTNER_REMOVED","waba_info":{"waba_id":4,"owner_business_id":"5"},"disconnection_info":{"reason":"R"}}`, "4", nil},
		{"other events are about the entry", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}`, "9", OneOrMany{"DISABLE"}},
		{"the state of a ban may be a list", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":["DISABLE","X"]}}`, "9", OneOrMany{"DISABLE", "X"}},
	} {
		u, err := Change{Value: json.RawMessage(tc.value)}.AccountUpdate()
		if err != nil || string(u.AccountID("9")) != tc.account {
			t.Errorf("%s: got %+v, error %v", tc.reason, u, err)
		}
		var ban OneOrMany
		if u.Ban != nil {
			ban = u.Ban.State
		}
		if diff := cmp.Diff(tc.ban, ban); diff != "" {
			t.Errorf("%s: ban (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	at := time.Unix(1763700001, 0).UTC()
	for _, tc := range []struct {
		reason, json string
		want         time.Time
		bad          bool
	}{
		{"seconds as text", `"1763700001"`, at, false},
		{"seconds as a number", `1763700001`, at, false},
		{"milliseconds are cut to seconds", `"1763700001999"`, at, false},
		{"milliseconds as a number", `1763700001000`, at, false},
		{"nothing", `null`, time.Time{}, true},
		{"an empty text", `""`, time.Time{}, true},
		{"words", `"yesterday"`, time.Time{}, true},
		{"zero", `0`, time.Time{}, true},
		{"negative", `-5`, time.Time{}, true},
		{"before WhatsApp", `"1000000000"`, time.Time{}, true},
		{"far off", `"99999999999"`, time.Time{}, true},
		{"beyond 64 bits", `"99999999999999999999"`, time.Time{}, true},
		{"a fraction", `1763700001.5`, time.Time{}, true},
		{"an object", `{}`, time.Time{}, true},
	} {
		var ts Timestamp
		if err := json.Unmarshal([]byte(tc.json), &ts); err != nil {
			t.Fatalf("%s: decoding must not fail: %v", tc.reason, err)
		}
		got, err := ts.Time()
		if (err != nil) != tc.bad || !got.Equal(tc.want) {
			t.Errorf("%s: got %v, error %v", tc.reason, got, err)
		}
	}
}

func TestSender(t *testing.T) {
	for _, tc := range []struct {
		reason, value string
		want          Identity
	}{
		{"a user who hides the phone", `{"messages":[{"from_user_id":"US.1"}],"contacts":[{"user_id":"US.1","profile":{"name":"A"}}]}`,
			Identity{UserID: "US.1", Name: "A"}},
		{"a BSUID in from", `{"messages":[{"from":"US.1"}],"contacts":[{"wa_id":"US.1","profile":{"username":"@a"}}]}`,
			Identity{UserID: "US.1", Username: "a"}},
		{"the contact of somebody else is not used", `{"messages":[{"from":"16505551234"}],"contacts":[{"wa_id":"16505559999","user_id":"US.9","profile":{"name":"B"}}]}`,
			Identity{Phone: "16505551234"}},
		{"the right one of several contacts", `{"messages":[{"from":"16505551234"}],"contacts":[{"wa_id":"16505559999","user_id":"US.9"},{"wa_id":"16505551234","user_id":"US.1"}]}`,
			Identity{Phone: "16505551234", UserID: "US.1"}},
		{"a phone that changed hands does not join two users", `{"messages":[{"from":"16505551234","from_user_id":"US.1"}],"contacts":[{"wa_id":"16505551234","user_id":"US.9","profile":{"name":"B"}}]}`,
			Identity{Phone: "16505551234", UserID: "US.1"}},
		{"a parent id is kept apart", `{"messages":[{"from_user_id":"US.1","from_parent_user_id":"US.ENT.2"}]}`,
			Identity{UserID: "US.1", ParentUserID: "US.ENT.2"}},
		{"junk in from is nobody", `{"messages":[{"from":"<b>"}],"contacts":[{"wa_id":"<b>"}]}`, Identity{}},
	} {
		v, err := Change{Value: json.RawMessage(tc.value)}.Messages()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, v.Sender(&v.Messages[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestClassify(t *testing.T) {
	for id, want := range map[string]Identity{
		"16505551234":             {Phone: "16505551234"},
		"+16505551234":            {Phone: "16505551234"},
		"US.13491208655302741918": {UserID: "US.13491208655302741918"},
		"US.ENT.1181":             {ParentUserID: "US.ENT.1181"},
		"us.134":                  {},
		"1650 555":                {},
		"":                        {},
	} {
		if diff := cmp.Diff(want, Classify(id)); diff != "" {
			t.Errorf("Classify(%q) (-want +got):\n%s", id, diff)
		}
	}
}
