package ingress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// at moves the world's requests to another path.
func (w *world) at(path string) {
	before, _, _ := strings.Cut(w.url, Path)
	w.url = before + path
}

func TestPathsOfOneAppAndOneNumber(t *testing.T) {
	both := body(entry("301", messages("201", text("1", "49151", "for p"))), entry("302", messages("202", text("2", "49151", "for q"))))
	for _, tc := range []struct {
		reason, path, secret, body string
		status, p, q, d            int
		contents                   contents
		event                      serverapi.SecurityReason
	}{
		{reason: "an app's path takes all of its numbers", path: AppPath + "1001", secret: secretA, body: both, status: 200, p: 1, q: 1},
		{reason: "and what no channel claims yet", path: AppPath + "1001", secret: secretA, body: body(entry("399", messages("299", text("1", "49151", "x")))), status: 200, contents: contents{Unclaimed: 1}},
		{reason: "another app's secret does not count there", path: AppPath + "1001", secret: secretB, body: both, status: 200, contents: contents{Quarantined: 1}, event: serverapi.BadSignature},
		{reason: "nor does the app's on another's path", path: AppPath + "1002", secret: secretA, body: both, status: 200, event: serverapi.UnknownSender},
		{reason: "an app of a tenant has a path, too", path: AppPath + "1009", secret: secretD, body: body(entry("304", messages("204", text("1", "49151", "x")))), status: 200, d: 1},
		{reason: "a number's path takes that number only", path: ChannelPath + "201", secret: secretA, body: both, status: 200, p: 1, event: serverapi.ForeignID},
		{reason: "not even what nobody claims", path: ChannelPath + "201", secret: secretA, body: body(entry("399", messages("299", text("1", "49151", "x")))), status: 200, event: serverapi.ForeignID},
		{reason: "with its own secret", path: ChannelPath + "204", secret: secretD, body: body(entry("304", messages("204", text("1", "49151", "x")))), status: 200, d: 1},
		{reason: "and nobody else's", path: ChannelPath + "204", secret: secretA, body: body(entry("304", messages("204", text("1", "49151", "x")))), status: 200, contents: contents{Quarantined: 1}, event: serverapi.BadSignature},
		{reason: "an app that nobody has", path: AppPath + "42", secret: secretA, body: both, status: 200, event: serverapi.UnknownSender},
		{reason: "no id at all", path: AppPath + "x", secret: secretA, body: both, status: 404},
		{reason: "another path", path: Path + "/elsewhere", secret: secretA, body: both, status: 404},
	} {
		w := newWorld(t, everything(), nil)
		w.at(tc.path)
		if status, answer := w.post(tc.secret, tc.body); status != tc.status || answer != "" {
			t.Errorf("%s: answered %d %q, want %d", tc.reason, status, answer, tc.status)
		}
		if p, q, d := len(w.texts("line-p")), len(w.texts("line-q")), len(w.texts("line-d")); p != tc.p || q != tc.q || d != tc.d || w.contents() != tc.contents {
			t.Errorf("%s: p has %d, q %d, d %d, %+v", tc.reason, p, q, d, w.contents())
		}
		seen := len(w.handler.observer.counts) == 0
		for e := range w.handler.observer.counts {
			seen = seen || e.reason == tc.event
		}
		if !seen || (tc.event == "") != (len(w.handler.observer.counts) == 0) {
			t.Errorf("%s: events %v, want %q", tc.reason, w.handler.observer.counts, tc.event)
		}
	}
}

func TestQuarantineRemembersThePath(t *testing.T) {
	w := newWorld(t, everything(), nil)
	w.run()
	w.at(ChannelPath + "201")
	b := body(entry("301", messages("201", text("1", "49151", "for p"))), entry("302", messages("202", text("2", "49151", "for q"))))
	if status, _ := w.post(secretNew, b); status != 200 || w.contents().Quarantined != 1 {
		t.Fatalf("answered %d, %+v", status, w.contents())
	}
	rotated := appA
	rotated.AppSecret, rotated.PreviousAppSecret = redact.New(secretNew), redact.New(secretA)
	parts := everything()
	parts[0] = &rotated
	w.serve(parts)
	w.eventually("it is judged by the rules of its path", func() bool { return len(w.texts("line-p")) == 1 && w.contents().Quarantined == 0 })
	if got := len(w.texts("line-q")); got != 0 {
		t.Errorf("another number of the app got %d messages by that path", got)
	}
}

func TestHandshakesOfPaths(t *testing.T) {
	for _, tc := range []struct {
		path, token string
		want        int
	}{
		{AppPath + "1001", "pv_app_a", 200},
		{AppPath + "1002", "pv_app_a", 403},
		{AppPath + "1009", "pv_direct_d", 200},
		{AppPath + "1001", "pv_direct_d", 403},
		{ChannelPath + "204", "pv_direct_d", 200},
		{ChannelPath + "201", "pv_direct_d", 403},
		{ChannelPath + "201", "pv_app_a", 200},
		{ChannelPath + "203", "pv_app_a", 403},
		{ChannelPath + "299", "pv_app_a", 403},
		{Path + "/x", "pv_app_a", http.StatusNotFound},
	} {
		w := newWorld(t, everything(), nil)
		w.at(tc.path)
		if status, _, _ := w.shake(handshakeQuery("subscribe", tc.token, "1")); status != tc.want {
			t.Errorf("%s with %s: answered %d, want %d", tc.path, tc.token, status, tc.want)
		}
	}
}
