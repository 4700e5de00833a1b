package ingress

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// judged judges a body that is signed by app A.
func judged(t *testing.T, b string) *store.Delivery {
	t.Helper()
	view := source.NewView()
	var objects []runtimeconfig.Object
	for _, part := range everything() {
		o, err := part.Object()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	view.Publish(objects)
	v := judge(view.Load(), scope{}, []byte(b), webhook.Sign([]byte(secretA), []byte(b)), time.Unix(1800000000, 0).UTC())
	if !v.verified || v.delivery == nil {
		t.Fatalf("not taken: %+v", v)
	}
	return v.delivery
}

func TestMessageRows(t *testing.T) {
	at := time.Unix(1763700001, 0).UTC()
	contacts := `"contacts":[{"profile":{"name":"Ana","username":"@ana.plants"},"wa_id":"16505551234","user_id":"US.134912"}],`
	message := func(kind, rest string) string {
		return fmt.Sprintf(`{"from":"16505551234","id":"wamid.A1","timestamp":"1763700001","type":%q%s}`, kind, rest)
	}
	row := func(kind string, change func(*store.InboundMessage)) store.InboundMessage {
		m := store.InboundMessage{
			Line: "line-p", PhoneNumberID: "201", WAMID: "wamid.A1", Source: store.SourceMessages, Type: kind, EventTime: at, OpensWindow: true,
			From: store.Identity{BSUID: "US.134912", Phone: "16505551234", Name: "Ana", Username: "ana.plants"},
		}
		if change != nil {
			change(&m)
		}
		return m
	}
	for _, tc := range []struct {
		reason, field, message string
		want                   store.InboundMessage
	}{
		{"a text is answered", "messages", message("text", `,"text":{"body":"hi"},"context":{"id":"wamid.O"}`), row("text", func(m *store.InboundMessage) {
			m.Text, m.ContextWAMID, m.ReplyWorthy = "hi", "wamid.O", true
		})},
		{
			"a tapped button is answered like its label", "messages", message("interactive", `,"interactive":{"type":"button_reply","button_reply":{"id":"menu:products","title":"View products"}}`),
			row("interactive", func(m *store.InboundMessage) { m.Text, m.ReplyWorthy = "View products", true }),
		},
		{
			"so is a chosen row", "messages", message("interactive", `,"interactive":{"type":"list_reply","list_reply":{"id":"product:p1","title":"Fern"}}`),
			row("interactive", func(m *store.InboundMessage) { m.Text, m.ReplyWorthy = "Fern", true }),
		},
		{"an interactive message without content", "messages", message("interactive", `,"interactive":[]`), row("interactive", nil)},
		{"so is a type that nobody knows", "messages", message("hologram", ""), row("hologram", nil)},
		{"a text without text", "messages", message("text", ""), row("text", nil)},
		{"a system message is nobody's wish", "messages", message("system", `,"system":{"type":"user_changed_number"}`), row("system", func(m *store.InboundMessage) { m.OpensWindow = false })},
		{"an edit without content is no new message", "messages", message("edit", ""), row("edit", func(m *store.InboundMessage) { m.OpensWindow = false })},
		{"a standby copy is never answered", "standby", message("text", `,"text":{"body":"hi"}`), row("text", func(m *store.InboundMessage) {
			m.Source, m.Text = store.SourceStandby, "hi"
		})},
	} {
		value := fmt.Sprintf(`"metadata":{"phone_number_id":"201"},%s"messages":[%s]`, contacts, tc.message)
		if tc.field == "standby" {
			value = fmt.Sprintf(`"metadata":{"phone_number_id":"201"},"standby":{%s"messages":[%s]}`, contacts, tc.message)
		}
		d := judged(t, body(entry("301", fmt.Sprintf(`{"field":%q,"value":{%s}}`, tc.field, value))))
		tc.want.Raw = []byte(tc.message)
		if diff := cmp.Diff(&store.Delivery{App: "1001", Messages: []store.InboundMessage{tc.want}}, d); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestStatusRows(t *testing.T) {
	at := time.Unix(1763700100, 0).UTC()
	delivered := `{"id":"wamid.O","status":"delivered","timestamp":"1763700100","biz_opaque_callback_data":"m1","pricing":{"type":"regular","new":1}}`
	failed := `{"id":"wamid.O9","status":"failed","timestamp":"1763700100","errors":[{"code":131047,"title":"x"}]}`
	group := `{"id":"wamid.G","status":"read","timestamp":"1763700100","recipient_type":"group","recipient_participant_id":"p1"}`
	d := judged(t, body(entry("301", messagesOf("messages", "201", "statuses", delivered, failed, group, `{"id":""}`))))
	want := &store.Delivery{
		App: "1001",
		Statuses: []store.Status{
			{Line: "line-p", PhoneNumberID: "201", WAMID: "wamid.O", Kind: store.StatusDelivered, CallbackData: "m1", EventTime: at, Pricing: []byte(`{"type":"regular","new":1}`), Raw: []byte(delivered)},
			{Line: "line-p", PhoneNumberID: "201", WAMID: "wamid.O9", Kind: store.StatusFailed, EventTime: at, ErrorCode: 131047, Raw: []byte(failed)},
			{Line: "line-p", PhoneNumberID: "201", WAMID: "wamid.G", Kind: store.StatusRead, Participant: "p1", EventTime: at, Raw: []byte(group)},
		},
		DeadLetters: []store.DeadLetter{{App: "1001", Line: "line-p", Kind: kindStatus, Reason: "the status is not of the documented shape", Raw: []byte(`{"id":""}`)}},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnreadableTimeIsTheTimeOfArrival(t *testing.T) {
	d := judged(t, body(entry("301", messages("201", `{"from":"49151","id":"wamid.1","timestamp":"soon","type":"text","text":{"body":"x"}}`))))
	if got := d.Messages[0].EventTime; !got.Equal(time.Unix(1800000000, 0)) {
		t.Errorf("event time %v", got)
	}
}
