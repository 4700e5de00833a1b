package ingress

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// told is what of a message follows from its type.
type told struct {
	Text, Target string
	Media        *store.Media
	Answered     bool
	Window       bool
}

// TestEveryTypeOfMessage goes through what customers can send.
func TestEveryTypeOfMessage(t *testing.T) {
	for _, tc := range []struct {
		kind, content string
		want          told
	}{
		{"text", `"text":{"body":"hi"}`, told{Text: "hi", Answered: true, Window: true}},
		{"text", `"text":{"body":"hi"},"referral":{"headline":"Ferns"}`, told{Text: "hi\n[Ferns]", Answered: true, Window: true}},
		{"image", `"image":{"id":"9","mime_type":"image/jpeg","sha256":"x=","caption":"this one?"}`, told{Text: "this one?", Media: &store.Media{ID: "9", MIMEType: "image/jpeg", SHA256: "x="}, Answered: true, Window: true}},
		{"image", `"image":{"id":9}`, told{Media: &store.Media{ID: "9"}, Answered: true, Window: true}},
		{"audio", `"audio":{"id":"9","voice":true}`, told{Media: &store.Media{ID: "9", Voice: true}, Answered: true, Window: true}},
		{"voice", `"voice":{"id":"9"}`, told{Media: &store.Media{ID: "9"}, Answered: true, Window: true}},
		{"video", `"video":{"id":"9","caption":"see"}`, told{Text: "see", Media: &store.Media{ID: "9"}, Answered: true, Window: true}},
		{"document", `"document":{"id":"9","filename":"list.pdf"}`, told{Media: &store.Media{ID: "9", Filename: "list.pdf"}, Answered: true, Window: true}},
		{"sticker", `"sticker":{"id":"9","animated":false}`, told{Media: &store.Media{ID: "9"}, Answered: true, Window: true}},
		{"image", `"image":["odd"]`, told{Answered: true, Window: true}},
		{"location", `"location":{"latitude":37.4847,"longitude":-122.1473,"name":"Shop","address":"1 Way"}`, told{Text: "Shop, 1 Way, 37.4847,-122.1473", Answered: true, Window: true}},
		{"location", `"location":{"latitude":"1.5","longitude":2}`, told{Text: "1.5,2", Answered: true, Window: true}},
		{"contacts", `"contacts":[{"name":{"formatted_name":"Bo Li"},"phones":[{"phone":"+1 650"},{"wa_id":"1651"}]},7,{"name":{"formatted_name":"Cy"}}]`, told{Text: "Bo Li +1 650 1651\nCy", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"button_reply","button_reply":{"id":"order","title":"Place order"}}`, told{Text: "Place order", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"list_reply","list_reply":{"id":"p1","title":"Fern"}}`, told{Text: "Fern", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"body":"Sent","response_json":"{\"flow_token\":\"x\",\"slot\":\"10:00\",\"n\":2}"}}`, told{Text: "n: 2\nslot: 10:00", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"body":"Sent","response_json":"[1]"}}`, told{Text: "Sent", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"body":"Sent","response_json":["a"]}}`, told{Text: "Sent", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"body":"Sent","response_json":{"slot":"10:00"}}}`, told{Text: "slot: 10:00", Answered: true, Window: true}},
		{"image", `"image":{"id":"9","mime_type":"image/jpeg","caption":"this one?","sha256":7}`, told{Text: "this one?", Media: &store.Media{ID: "9", MIMEType: "image/jpeg"}, Answered: true, Window: true}},
		{"location", `"location":{"latitude":1,"longitude":2,"name":7,"address":"1 Way"}`, told{Text: "1 Way, 1,2", Answered: true, Window: true}},
		{"interactive", `"interactive":{"type":"call_permission_reply"}`, told{Window: true}},
		{"button", `"button":{"payload":"YES","text":"Yes"}`, told{Text: "Yes", Answered: true, Window: true}},
		{"order", `"order":{"catalog_id":"194","text":"asap","product_items":[{"product_retailer_id":"sku1","quantity":2,"item_price":9.5,"currency":"USD"}]}`, told{Text: "2 x sku1 at 9.5 USD\nasap", Answered: true, Window: true}},
		{"reaction", `"reaction":{"message_id":"wamid.OUT1","emoji":"\ud83d\udc4d"}`, told{Text: "\U0001F44D", Target: "wamid.OUT1", Window: true}},
		{"reaction", `"reaction":{"message_id":"wamid.OUT1"}`, told{Target: "wamid.OUT1", Window: true}},
		{"unsupported", `"errors":[{"code":131051}],"unsupported":{"type":"poll_creation"}`, told{Window: true}},
		{"system", `"system":{"type":"customer_identity_changed","body":"User identity changed"}`, told{Text: "User identity changed"}},
		{"request_welcome", `"x":1`, told{}},
		{"edit", `"edit":{"original_message_id":"wamid.A1","message":{"type":"text","text":{"body":"new"}}}`, told{Text: "new", Target: "wamid.A1"}},
		{"edit", `"edit":{"original_message_id":"wamid.A1","message":{"type":"image","image":{"caption":"new"}}}`, told{Text: "new", Target: "wamid.A1"}},
		{"revoke", `"revoke":{"original_message_id":"wamid.A1"}`, told{Target: "wamid.A1"}},
		{"hologram", `"hologram":{}`, told{Window: true}},
	} {
		m := fmt.Sprintf(`{"from":"49151","id":"wamid.1","timestamp":"1763700001","type":%q,%s}`, tc.kind, tc.content)
		for _, field := range []string{"messages", "standby"} {
			b := body(entry("301", messages("201", m)))
			if field == "standby" {
				b = body(entry("301", `{"field":"standby","value":{"metadata":{"phone_number_id":"201"},"standby":{"messages":[`+m+`]}}}`))
				tc.want.Answered = false
			}
			d := judged(t, b)
			if len(d.Messages) != 1 || len(d.DeadLetters) != 0 {
				t.Errorf("%s in %s: %d rows", m, field, len(d.Messages))
				continue
			}
			row := d.Messages[0]
			got := told{Text: row.Text, Target: row.TargetWAMID, Media: row.Media, Answered: row.ReplyWorthy, Window: row.OpensWindow}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s in %s (-want +got):\n%s", m, field, diff)
			}
		}
	}
}

func TestIdentityMoves(t *testing.T) {
	at := time.Unix(1763700015, 0).UTC()
	for _, tc := range []struct {
		reason, system string
		want           []store.IdentityMove
	}{
		{"a new number and a new id", `{"type":"user_changed_number","wa_id":"12195555358","user_id":"US.9","previous_user_id":"US.134912"}`,
			[]store.IdentityMove{{PreviousBSUID: "US.134912", BSUID: "US.9", Phone: "12195555358"}}},
		{"the old id is the sender's", `{"type":"user_changed_user_id","user_id":"US.9"}`, []store.IdentityMove{{PreviousBSUID: "US.7", BSUID: "US.9"}}},
		{"no id is new", `{"type":"user_changed_number","wa_id":"12195555358"}`, nil},
		{"an id that is none", `{"type":"user_changed_user_id","user_id":"$$"}`, nil},
	} {
		m := fmt.Sprintf(`{"from":"16505551234","from_user_id":"US.7","id":"wamid.1","timestamp":"1763700015","type":"system","system":%s}`, tc.system)
		d := judged(t, body(entry("301", messages("201", m))))
		for i := range tc.want {
			tc.want[i].Line, tc.want[i].PhoneNumberID, tc.want[i].EventTime, tc.want[i].Raw = "line-p", "201", at, []byte(m)
		}
		if diff := cmp.Diff(tc.want, d.IdentityMoves); diff != "" || len(d.Messages) != 1 || d.Messages[0].ReplyWorthy {
			t.Errorf("%s: %d messages (-want +got):\n%s", tc.reason, len(d.Messages), diff)
		}
	}
}

// TestAChangedNumber: the system message that tells of it still names the old number, which must not come back, nor begin a thread.
func TestAChangedNumber(t *testing.T) {
	at := time.Now().Add(-time.Hour).Unix()
	for _, sender := range []string{`"from":"49151","from_user_id":"US.1"`, `"from":"49151"`, `"from_user_id":"US.1"`} {
		w := newWorld(t, everything(), nil)
		for _, m := range []string{
			fmt.Sprintf(`{"from":"49151","from_user_id":"US.1","id":"wamid.1","timestamp":"%d","type":"text","text":{"body":"hi"}}`, at),
			fmt.Sprintf(`{%s,"id":"wamid.2","timestamp":"%d","type":"system","system":{"type":"user_changed_number","wa_id":"49152","user_id":"US.2","previous_user_id":"US.1"}}`, sender, at),
		} {
			if status, _ := w.post(secretA, body(entry("301", messages("201", m)))); status != 200 {
				t.Fatalf("answered %d", status)
			}
		}
		c, err := w.store.Conversations(t.Context(), "line-p", 0, 10)
		if err != nil || len(c) != 1 || c[0].Contact.BSUID != "US.2" || c[0].Contact.Phone != "49152" || len(w.messages("line-p")) != 2 {
			t.Errorf("%s: %+v, %v", sender, c, err)
		}
	}
}

func TestEchoes(t *testing.T) {
	for _, tc := range []struct{ reason, field, value string }{
		{"of the phone app", "smb_message_echoes", `"message_echoes":[{"from":"1555","to":"49151","id":"wamid.1","timestamp":"1763700001","type":"text","text":{"body":"on my way"}}]`},
		{"of another app", "message_echoes", `"message_echoes":[{"to_user_id":"US.1","id":"wamid.1","timestamp":"1763700001","type":"text","text":{"body":"on my way"}}],"contacts":[{"wa_id":"49151","user_id":"US.1"}]`},
		{"of another responder, as it was sent", "standby", `"standby":{"message_echoes":[{"id":"wamid.1","timestamp":"1763700001","message":{"to":"49151","type":"text","text":{"body":"on my way"}}}]}`},
	} {
		d := judged(t, body(entry("301", fmt.Sprintf(`{"field":%q,"value":{"metadata":{"phone_number_id":"201"},%s}}`, tc.field, tc.value))))
		if len(d.Messages) != 1 || len(d.Raw) != 0 {
			t.Errorf("%s: %+v", tc.reason, d)
			continue
		}
		m := d.Messages[0]
		if m.Source != store.SourceEcho || !m.ByBusiness || m.ReplyWorthy || m.OpensWindow || m.From.Phone != "49151" || m.Text != "on my way" || m.Type != "text" {
			t.Errorf("%s: %+v", tc.reason, m)
		}
	}
	d := judged(t, body(entry("301", messagesOf("smb_message_echoes", "201", "message_echoes", `7`, `{"to":"49151"}`, `{"id":"wamid.1"}`))))
	if len(d.DeadLetters) != 3 || len(d.Messages) != 0 {
		t.Errorf("odd echoes: %+v", d)
	}
}

// TestWhatIsNobodysThreadStaysRaw: a group's echoes make no thread, and what is said of a conversation is kept beside its messages.
func TestWhatIsNobodysThreadStaysRaw(t *testing.T) {
	value := func(members string) string { return `{"metadata":{"phone_number_id":"201"},` + members + `}` }
	echo := `{"id":"wamid.1","timestamp":"1763700001","message":{"to":"120363041234567890","recipient_type":"group","type":"text","text":{"body":"all"}}}`
	own := `{"to":"49151","id":"wamid.2","timestamp":"1763700001","type":"text","text":{"body":"you"}}`
	for _, tc := range []struct {
		reason, field, value string
		messages             int
	}{
		{"another responder writes to a group", "standby", value(`"standby":{"message_echoes":[` + echo + `]}`), 0},
		{"and to a person", "standby", value(`"standby":{"message_echoes":[` + echo + `,` + own + `]}`), 1},
		{"the phone app writes to a group", "smb_message_echoes", value(`"message_echoes":[{"to":"1","group_id":"g","id":"wamid.1","type":"text"}]`), 0},
		{"what passed before a handover", "messages", value(`"conversation_context":{"type":"summary","summary":{"text":"wants a fern"}},"messages":[` + text("1", "49151", "hi") + `]`), 1},
	} {
		d := judged(t, body(entry("301", fmt.Sprintf(`{"field":%q,"value":%s}`, tc.field, tc.value))))
		if len(d.Messages) != tc.messages || len(d.Raw) != 1 || len(d.DeadLetters) != 0 || string(d.Raw[0].Raw) != tc.value {
			t.Errorf("%s: %+v", tc.reason, d)
		}
	}
}

func TestHandovers(t *testing.T) {
	value := func(rest string) string {
		return body(entry("301", `{"field":"messaging_handovers","value":{"recipient":{"phone_number_id":"201"},"sender":{"phone_number":"49151"},"timestamp":1763700000,`+rest+`}}`))
	}
	for _, tc := range []struct {
		reason, rest string
		want         store.ThreadOwner
	}{
		{"passed, by roles", `"type":"control_passed","control_passed":{"previous_owner_role":"ai_agent","new_owner_role":"customer_service"}`, store.OwnerOurs},
		{"taken, by roles", `"type":"control_taken","control_taken":{"previous_owner_role":"customer_service","new_owner_role":"escalation"}`, store.OwnerOther},
		{"passed by another app, with metadata as a bare text", `"type":"control_passed","control_passed":{"previous_owner_app_id":77,"metadata":"m"}`, store.OwnerOurs},
		{"passed by our app", `"type":"control_passed","control_passed":{"previous_owner_app_id":"1001"}`, store.OwnerOther},
		{"passed to another app", `"type":"control_passed","control_passed":{"new_owner_app_id":"77"}`, store.OwnerOther},
		{"taken by our app", `"type":"control_taken","control_taken":{"new_owner_app_id":"1001"}`, store.OwnerOurs},
		{"released", `"type":"control_passed","control_passed":{"previous_owner_role":"ai_agent","new_owner_role":"none"}`, store.OwnerNone},
	} {
		d := judged(t, value(tc.rest))
		if len(d.Handovers) != 1 || len(d.Raw) != 1 {
			t.Errorf("%s: %+v", tc.reason, d)
			continue
		}
		h := d.Handovers[0]
		if h.Owner != tc.want || h.From.Phone != "49151" || h.Line != "line-p" || h.EventTime.Unix() != 1763700000 {
			t.Errorf("%s: %+v, want %s", tc.reason, h, tc.want)
		}
	}
	for _, rest := range []string{`"type":"control_lent"`, `"type":"control_passed"`, `"type":"control_passed","control_passed":{},"sender":7`, `"type":"control_passed","control_passed":{},"timestamp":"soon"`} {
		if d := judged(t, value(rest)); len(d.Handovers) != 0 || len(d.DeadLetters) != 1 {
			t.Errorf("%s: %+v", rest, d)
		}
	}
}

func TestHistoryAndContactsAreProjectedLater(t *testing.T) {
	w := newWorld(t, everything(), nil)
	history := `{"field":"history","value":{"metadata":{"phone_number_id":"201","display_phone_number":"1555"},"history":[{"metadata":{"phase":0,"chunk_order":1,"progress":55},"threads":[
		{"id":"49151","messages":[{"from":"49151","id":"wamid.h1","timestamp":"1763600001","type":"text","text":{"body":"long ago"},"history_context":{"status":"READ"}},
		 {"from":"1555","to":"49151","id":"wamid.h2","timestamp":"1763600002","type":"text","text":{"body":"we answered"}}, {"type":"text"}, 7]}]}]}}`
	contacts := `{"field":"smb_app_state_sync","value":{"metadata":{"phone_number_id":"201"},"state_sync":[
		{"type":"contact","contact":{"full_name":"Ana Plants","phone_number":"+49 151"},"action":"add","metadata":{"timestamp":"1763600000"}},
		{"type":"label"},{"type":"contact","contact":{"full_name":"Gone","phone_number":"49152"},"action":"remove","metadata":{"timestamp":"1763600000"}}]}}`
	for range 2 {
		if status, _ := w.post(secretA, body(entry("301", history, contacts))); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	if got := w.contents(); got.Raw != 2 || len(w.texts("line-p")) != 0 {
		t.Fatalf("at first they are kept as they come: %+v", got)
	}
	// A crash between the rows and the mark makes them again.
	pending, err := w.store.PendingChanges(t.Context(), 0, 10)
	if err != nil || len(pending) != 2 {
		t.Fatalf("%d wait, %v", len(pending), err)
	}
	for i := range pending {
		if err := w.handler.projectChange(t.Context(), &pending[i]); err != nil {
			t.Fatal(err)
		}
	}
	w.run()
	w.eventually("all are projected", func() bool {
		pending, err := w.store.PendingChanges(t.Context(), 0, 10)
		return err == nil && len(pending) == 0
	})
	if diff := cmp.Diff([]string{"long ago", "we answered"}, w.texts("line-p")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m := w.messages("line-p")
	if m[0].Author != store.AuthorCustomer || m[1].Author != store.AuthorBusiness || m[0].Source != store.SourceHistory {
		t.Errorf("%+v", m)
	}
	c, err := w.store.Conversations(t.Context(), "line-p", 0, 10)
	if err != nil || len(c) != 1 || c[0].Contact.SavedName != "Ana Plants" || !c[0].ReplyDueAt.IsZero() || c[0].State != store.ConversationActive {
		t.Errorf("%+v, %v", c, err)
	}
	if got := w.contents().DeadLetters; got != 4 { // two odd ones, seen twice
		t.Errorf("%d dead letters", got)
	}
	// Files of a history come on their own.
	file := func(id, members string) string {
		return `{"id":"wamid.` + id + `","timestamp":"1763600003","type":"image","image":{"id":"9","caption":"` + id + `"},` + members + `}`
	}
	if status, _ := w.post(secretA, body(entry("301", messagesOf("history", "201", "messages", file("his", `"from":"49151"`), file("ours", `"from":"1555","to":"49151"`))))); status != 200 {
		t.Errorf("answered %d", status)
	}
	w.eventually("they are of the same thread", func() bool {
		m := w.messages("line-p")
		return len(m) == 4 && m[2].Text == "his" && m[2].Author == store.AuthorCustomer && m[3].Text == "ours" && m[3].Author == store.AuthorBusiness
	})
	// It was announced without its file before; both have one id. Of those that we sent nothing names the customer but their thread.
	ours := `"from":"15550783881","id":"wamid.h3","timestamp":"1763600004"`
	for _, value := range []string{
		`"history":[{"threads":[{"id":"49151","messages":[{` + ours + `,"type":"media_placeholder"}]},
			{"id":"US.7","messages":[{"from":"15550783881","id":"wamid.h4","timestamp":"1763600005","type":"text","text":{"body":"hidden"}}]}]}]`,
		`"messages":[{"from":"49151","id":"wamid.h3","timestamp":"1763600004","type":"image","image":{"id":"9","caption":"our list"}}]`,
		`"messages":[{` + ours + `,"type":"image","image":{"id":"9","caption":"whose?"}}]`,
	} {
		change := `{"field":"history","value":{"metadata":{"phone_number_id":"201","display_phone_number":"+1 555-078-3881"},` + value + `}}`
		if status, _ := w.post(secretA, body(entry("301", change))); status != 200 {
			t.Errorf("answered %d", status)
		}
		w.eventually("it is projected", func() bool {
			pending, err := w.store.PendingChanges(t.Context(), 0, 10)
			return err == nil && len(pending) == 0
		})
	}
	if !slices.Contains(w.texts("line-p"), "our list") {
		t.Errorf("the file is not shown: %q", w.texts("line-p"))
	}
	c, err = w.store.Conversations(t.Context(), "line-p", 0, 10)
	for i := range c {
		if c[i].Contact.Phone == "15550783881" {
			t.Errorf("the business is taken for a customer: %+v", c[i].Contact)
		}
	}
	if err != nil || len(c) != 2 || w.contents().DeadLetters != 5 {
		t.Errorf("%d threads, %d dead letters, %v", len(c), w.contents().DeadLetters, err)
	}
	// A history that can't be read is a person's.
	if status, _ := w.post(secretA, body(entry("301", `{"field":"history","value":{"metadata":{"phone_number_id":"201"},"history":7}}`))); status != 200 {
		t.Errorf("answered %d", status)
	}
	w.eventually("it is a dead letter", func() bool { return w.contents().DeadLetters == 6 })
}

func TestAccountFieldsAreToldByName(t *testing.T) {
	second := channelP
	second.LineID, second.PhoneNumberID, second.DisplayNumber = "line-p2", "211", "+1 555 078-3881"
	w := newWorld(t, append(everything(), &second), nil)
	var changes []string
	for _, field := range accountFields {
		changes = append(changes, fmt.Sprintf(`{"field":%q,"value":{"event":"SOMETHING"}}`, field))
	}
	changes = append(changes,
		`{"field":"account_review_update","value":{"decision":"APPROVED"}}`,
		`{"field":"account_alerts","value":{"entity_type":"BUSINESS","entity_id":"1","alert_info":{"alert_type":"OBA_APPROVED"}}}`,
		`{"field":"phone_number_quality_update","value":{"display_phone_number":"15550783881","event":"THROUGHPUT_UPGRADE"}}`,
		`{"field":"security","value":{"display_phone_number":"15550000000","event":"PIN_CHANGED"}}`,
		`{"field":"message_template_status_update","value":{"event":"<script>"}}`)
	if status, _ := w.post(secretA, body(entry("301", changes...))); status != 200 {
		t.Fatalf("answered %d", status)
	}
	var all []string
	for _, r := range w.reports(serverapi.KindAccountEvent) {
		all = append(all, r.Line+" "+string(r.Payload))
	}
	if len(all) != len(changes) || w.contents().Raw != len(changes) {
		t.Fatalf("%d reports of %d changes", len(all), len(changes))
	}
	joined := strings.Join(all, "\n")
	for _, want := range []string{
		`"field":"account_review_update","event":"APPROVED"`, `"field":"account_alerts","event":"OBA_APPROVED"`,
		`line-p2 {"field":"phone_number_quality_update","event":"THROUGHPUT_UPGRADE"`, ` {"field":"security","event":"PIN_CHANGED"`,
		`{"field":"message_template_status_update","wabaID":"301"}`,
	} {
		if !strings.Contains(joined, want) {
			t.Errorf("no report has %s:\n%s", want, joined)
		}
	}
}
