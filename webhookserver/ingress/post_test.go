package ingress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// TestPost goes through the rules: who may say what, and what becomes of it.
func TestPost(t *testing.T) {
	hello := text("1", "4915112345678", "hello")
	for _, tc := range []struct {
		reason string
		secret string
		body   string
		status int
		// texts by line, contents and events are what the store and the manager get.
		texts    map[string][]string
		contents contents
		events   []serverapi.SecurityReason
	}{
		{
			reason: "a genuine message is stored on its line",
			secret: secretA, body: body(entry("301", messages("201", hello))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}},
		},
		{
			reason: "the previous secret still counts during a rotation",
			secret: secretAOld, body: body(entry("301", messages("201", hello))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}},
		},
		{
			reason: "a batch over several tenants of one app reaches each of them",
			secret: secretA, body: body(entry("301", messages("201", hello)), entry("302", messages("202", text("2", "4915112345678", "hi q")))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}, "line-q": {"hi q"}},
		},
		{
			reason: "copies inside one body are one message",
			secret: secretA, body: body(entry("301", messages("201", hello, hello), messages("201", hello))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}},
		},
		{
			reason: "a direct channel's own secret counts for it",
			secret: secretD, body: body(entry("304", messages("204", hello))), status: 200,
			texts: map[string][]string{"line-d": {"hello"}},
		},
		{
			reason: "a number served, a signature of nobody: kept aside, nothing processed",
			secret: nobodys, body: body(entry("301", messages("201", hello))), status: 200,
			contents: contents{Quarantined: 1}, events: []serverapi.SecurityReason{serverapi.BadSignature},
		},
		{
			reason: "a MetaApp's secret does not speak for another MetaApp's number",
			secret: secretB, body: body(entry("301", messages("201", hello))), status: 200,
			events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "a tenant with an app of his own may not write for others, and his own change goes on",
			secret: secretD, body: body(entry("304", messages("204", hello)), entry("301", messages("201", text("2", "491", "forged")))), status: 200,
			texts: map[string][]string{"line-d": {"hello"}}, events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "nor under his own account",
			secret: secretD, body: body(entry("304", messages("204", hello), messages("203", text("2", "491", "forged")))), status: 200,
			texts: map[string][]string{"line-d": {"hello"}}, events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "nor his own number under another's account",
			secret: secretD, body: body(entry("304", messages("204", hello)), entry("301", messages("204", text("2", "491", "mixed")))), status: 200,
			texts: map[string][]string{"line-d": {"hello"}}, events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "nor in a standby copy whose inner metadata names another",
			secret: secretD, body: body(entry("304", `{"field":"standby","value":{"metadata":{"phone_number_id":"204"},"standby":{"metadata":{"phone_number_id":"201"},"messages":[`+hello+`]}}}`)), status: 200,
			events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "nor in a handover",
			secret: secretD, body: body(entry("304", `{"field":"messaging_handovers","value":{"recipient":{"phone_number_id":"201"},"type":"control_taken"}}`)), status: 200,
			events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "nor in an account's event",
			secret: secretD, body: body(entry("304", `{"field":"account_update","value":{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"301"}}}`)), status: 200,
			events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "a direct signer may not fill the store with numbers that nobody has",
			secret: secretD, body: body(entry("304", messages("204", hello), messages("999", hello))), status: 200,
			texts: map[string][]string{"line-d": {"hello"}}, events: []serverapi.SecurityReason{serverapi.ForeignID},
		},
		{
			reason: "a MetaApp's number that no channel claims waits for its channel",
			secret: secretA, body: body(entry("399", messages("299", hello))), status: 200, contents: contents{Unclaimed: 1},
		},
		{
			reason: "a number served until lately: discarded, not retried",
			secret: secretA, body: body(entry("306", messages("206", hello))), status: 200,
			events: []serverapi.SecurityReason{serverapi.Tombstoned},
		},
		{
			reason: "nobody's number, nobody's signature: nothing",
			secret: nobodys, body: body(entry("999", messages("999", hello))), status: 200,
			events: []serverapi.SecurityReason{serverapi.UnknownSender},
		},
		{
			reason: "a direct channel without its app secret: later, please",
			secret: nobodys, body: body(entry("305", messages("205", hello))), status: 503,
		},
		{
			reason: "a change that can't be judged yet costs its neighbour nothing",
			secret: secretA, body: body(entry("301", messages("201", hello)), entry("305", messages("205", text("2", "49151", "x")))), status: 503,
			texts: map[string][]string{"line-p": {"hello"}},
		},
		{
			reason: "a routing key spelled twice: one reader sees this tenant, another that one",
			secret: secretA, body: strings.Replace(body(entry("301", messages("201", hello))), `"phone_number_id":"201"`, `"phone_number_id":"202","phone_number_id":"201"`, 1), status: 200,
			contents: contents{DeadLetters: 1}, events: []serverapi.SecurityReason{serverapi.DuplicateKeys},
		},
		{
			reason: "or in another case",
			secret: secretA, body: strings.Replace(body(entry("301", messages("201", hello))), `"phone_number_id"`, `"Phone_Number_ID"`, 1), status: 200,
			contents: contents{DeadLetters: 1}, events: []serverapi.SecurityReason{serverapi.DuplicateKeys},
		},
		{
			reason: "two numbers of the signer's in one change: whose is it?",
			secret: secretA, body: body(entry("301", `{"field":"x","value":{"metadata":{"phone_number_id":"201"},"recipient":{"phone_number_id":"202"}}}`)), status: 200,
			contents: contents{DeadLetters: 1},
		},
		{
			reason: "truncated JSON that is genuine is kept for a person",
			secret: secretA, body: `{"object":"whatsapp_business_account","entry":[{"id":"301","changes":[{`, status: 200,
			contents: contents{DeadLetters: 1}, events: []serverapi.SecurityReason{serverapi.Unreadable},
		},
		{
			reason: "deep nesting is not followed",
			secret: secretA, body: strings.Repeat("[", 100_000), status: 200,
			contents: contents{DeadLetters: 1}, events: []serverapi.SecurityReason{serverapi.Unreadable},
		},
		{
			reason: "junk of nobody leaves nothing",
			secret: nobodys, body: "\x00\xff{", status: 200, events: []serverapi.SecurityReason{serverapi.UnknownSender},
		},
		{
			reason: "an empty body leaves nothing",
			secret: nobodys, body: "", status: 200, events: []serverapi.SecurityReason{serverapi.UnknownSender},
		},
		{reason: "an empty batch is fine", secret: secretA, body: body(), status: 200},
		{
			reason: "another object of the app is kept for a person",
			secret: secretA, body: `{"object":"page","entry":[]}`, status: 200,
			contents: contents{DeadLetters: 1}, events: []serverapi.SecurityReason{serverapi.Unreadable},
		},
		{
			reason: "ids as numbers are ids",
			secret: secretA, body: strings.NewReplacer(`"201"`, `201`, `"301"`, `301`).Replace(body(entry("301", messages("201", hello)))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}},
		},
		{
			reason: "one odd message does not cost the others",
			secret: secretA, body: body(entry("301", messages("201", `{"id":5,"type":"text"}`, `{"type":"text","from":"49151"}`, `{"id":"wamid.x","type":"text"}`, `7`, hello))), status: 200,
			texts: map[string][]string{"line-p": {"hello"}}, contents: contents{DeadLetters: 4},
		},
		{
			reason: "a user who hides the number, absent contacts, and a time in milliseconds",
			secret: secretA, body: body(entry("301", messages("201", `{"from_user_id":"US.134912","id":"wamid.u","timestamp":"1763700001000","type":"text","text":{"body":"hid"}}`))), status: 200,
			texts: map[string][]string{"line-p": {"hid"}},
		},
		{
			reason: "a time of nonsense, and a user id where the number belongs",
			secret: secretA, body: body(entry("301", messages("201", `{"from":"US.134912","id":"wamid.u","timestamp":"soon","type":"text","text":{"body":"when"}}`))), status: 200,
			texts: map[string][]string{"line-p": {"when"}},
		},
		{
			reason: "an unknown field is kept raw",
			secret: secretA, body: body(entry("301", messagesOf("consumer_profile", "201", "x"))), status: 200, contents: contents{Raw: 1},
		},
		{
			reason: "errors about the number are kept raw",
			secret: secretA, body: body(entry("301", messagesOf("messages", "201", "errors", `{"code":130429}`))), status: 200, contents: contents{Raw: 1},
		},
		{
			reason: "a group's message is no part of a private thread",
			secret: secretA, body: body(entry("301", messages("201", strings.Replace(hello, `"type"`, `"group_id":"g","type"`, 1)))), status: 200, contents: contents{Raw: 1},
		},
		{
			reason: "an account's event of a served account, and one of an account that is being onboarded",
			secret: secretA, body: body(entry("301", `{"field":"account_update","value":{"event":"ACCOUNT_DELETED"}}`),
				entry("777", `{"field":"account_update","value":{"event":"PARTNER_ADDED","waba_info":{"waba_id":"399"}}}`)), status: 200,
			contents: contents{Raw: 2},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, everything(), nil)
			status, answer := w.post(tc.secret, tc.body)
			if status != tc.status || answer != "" {
				t.Errorf("answered %d %q, want %d and no body", status, answer, tc.status)
			}
			got := map[string][]string{}
			for _, line := range []string{"line-p", "line-q", "line-r", "line-d", "line-e"} {
				if texts := w.texts(line); len(texts) > 0 {
					got[line] = texts
				}
			}
			if tc.texts == nil {
				tc.texts = map[string][]string{}
			}
			if diff := cmp.Diff(tc.texts, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.contents, w.contents()); diff != "" {
				t.Errorf("store (-want +got):\n%s", diff)
			}
			var events []serverapi.SecurityReason
			for e, n := range w.handler.observer.counts {
				for range n {
					events = append(events, e.reason)
				}
			}
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Errorf("security events (-want +got):\n%s", diff)
			}
			if logs := w.logs.String(); strings.Contains(logs, "wamid") || strings.Contains(logs, "secret-of") || strings.Contains(logs, "hello") {
				t.Errorf("the log tells what it must not: %s", logs)
			}
		})
	}
}

// TestSignatureForms shows that only one form of the header counts, and that a body that no secret can ever explain is not kept.
func TestSignatureForms(t *testing.T) {
	w := newWorld(t, everything(), nil)
	b := body(entry("301", messages("201", text("1", "49151", "hello"))))
	good := webhook.Sign([]byte(secretA), []byte(b))
	for _, tc := range []struct{ reason, header string }{
		{"none", ""},
		{"too short", good[:20]},
		{"too long", good + "00"},
		{"another scheme", "sha1=" + good[len("sha256="):]},
		{"no scheme", good[len("sha256="):]},
	} {
		status, answer := w.send(http.MethodPost, strings.NewReader(b), map[string]string{"Content-Type": "application/json", webhook.SignatureHeader: tc.header})
		if status != 200 || answer != "" {
			t.Errorf("%s: answered %d %q", tc.reason, status, answer)
		}
	}
	if got := w.contents(); got != (contents{}) || len(w.texts("line-p")) != 0 {
		t.Errorf("something was kept: %+v", got)
	}
	// Hexadecimal digits that are none have the right length, and are kept although they can't verify either: the case is too rare
	// to be worth a rule. What matters is that they are not believed.
	if status, _ := w.send(http.MethodPost, strings.NewReader(b), map[string]string{
		"Content-Type": "application/json", webhook.SignatureHeader: "sha256=" + strings.Repeat("z", 64),
	}); status != 200 || len(w.texts("line-p")) != 0 {
		t.Error("a signature of other letters was believed")
	}
	if status, _ := w.post(secretA, b); status != 200 || len(w.texts("line-p")) != 1 {
		t.Error("the good form must still count")
	}
}

func TestRequestForms(t *testing.T) {
	w := newWorld(t, everything(), nil)
	b := body(entry("301", messages("201", text("1", "49151", "hello"))))
	sign := func(contentType string) map[string]string {
		return map[string]string{"Content-Type": contentType, webhook.SignatureHeader: webhook.Sign([]byte(secretA), []byte(b))}
	}
	for _, tc := range []struct {
		reason, method, contentType string
		want                        int
	}{
		{"a form is no webhook", http.MethodPost, "application/x-www-form-urlencoded", 415},
		{"no type at all", http.MethodPost, "", 415},
		{"another method", http.MethodPut, "application/json", 405},
		{"a charset does no harm", http.MethodPost, "application/json; charset=utf-8", 200},
	} {
		if status, answer := w.send(tc.method, strings.NewReader(b), sign(tc.contentType)); status != tc.want || answer != "" {
			t.Errorf("%s: answered %d %q, want %d", tc.reason, status, answer, tc.want)
		}
	}
}

func TestUnsyncedAsksForLater(t *testing.T) {
	w := newWorld(t, nil, nil)
	if status, _ := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "x"))))); status != 503 {
		t.Errorf("before the projections are loaded: answered %d, want 503", status)
	}
	w.serve([]encoder{})
	if status, _ := w.post(secretA, body()); status != 200 {
		t.Errorf("loaded, and nobody's: answered %d, want 200", status)
	}
}

func TestDuplicateDeliveries(t *testing.T) {
	w := newWorld(t, everything(), nil)
	b := body(entry("301", messages("201", text("1", "49151", "once"))))
	done := make(chan int)
	for range 8 {
		go func() {
			status, _ := w.post(secretA, b)
			done <- status
		}()
	}
	for range 8 {
		if status := <-done; status != 200 {
			t.Errorf("answered %d", status)
		}
	}
	if got := w.texts("line-p"); len(got) != 1 {
		t.Errorf("eight copies at once gave %d messages", len(got))
	}
}
