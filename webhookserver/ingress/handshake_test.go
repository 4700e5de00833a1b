package ingress

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// shake sends a handshake and returns status, content type and body.
func (w *world) shake(query string) (status int, header http.Header, answer string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"?"+query, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); err != nil || cerr != nil {
		w.t.Fatal(err, cerr)
	}
	return res.StatusCode, res.Header, string(text)
}

func handshakeQuery(mode, token, challenge string) string {
	return url.Values{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {challenge}}.Encode()
}

func TestHandshake(t *testing.T) {
	w := newWorld(t, everything(), nil)
	stop := w.run()
	for _, tc := range []struct {
		reason, query string
		want          int
	}{
		{"a MetaApp's token", handshakeQuery("subscribe", "pv_app_a", "1158201444"), 200},
		{"a direct channel's own token", handshakeQuery("subscribe", "pv_direct_d", "1158201444"), 200},
		{"nobody's token", handshakeQuery("subscribe", "pv_other", "1158201444"), 403},
		{"no token, although some channels have none", handshakeQuery("subscribe", "", "1158201444"), 403},
		{"another mode", handshakeQuery("unsubscribe", "pv_app_a", "1158201444"), 403},
		{"markup is not echoed", handshakeQuery("subscribe", "pv_app_a", "<script>"), 403},
		{"nor a novel", handshakeQuery("subscribe", "pv_app_a", strings.Repeat("1", maxChallenge+1)), 403},
		{"nor nothing", handshakeQuery("subscribe", "pv_app_a", ""), 403},
		{"two tokens", handshakeQuery("subscribe", "pv_app_a", "1") + "&hub.verify_token=x", 403},
	} {
		status, header, answer := w.shake(tc.query)
		if status != tc.want {
			t.Errorf("%s: answered %d, want %d", tc.reason, status, tc.want)
		}
		if status != 200 && answer != "" {
			t.Errorf("%s: refused with %q", tc.reason, answer)
		}
		if status == 200 && (answer != "1158201444" || header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %q with %v", tc.reason, answer, header)
		}
	}
	stop()
	verified := w.reports(serverapi.KindWebhookVerified)
	if len(verified) != 2 || string(verified[0].Payload) != `{"proof":"Handshake"}` || verified[0].App != "1001" || verified[1].Line != "line-d" {
		t.Errorf("verified: %+v", verified)
	}
	if got := w.reports(serverapi.KindVerifyTokenMismatch); len(got) < 1 || len(got) > 2 { // two if a minute ended just now
		t.Errorf("mismatches are reported once a minute, got %d", len(got))
	}
}

func TestHandshakeLimit(t *testing.T) {
	w := newWorld(t, everything(), nil)
	limited := false
	for range 200 {
		status, _, _ := w.shake(handshakeQuery("subscribe", "guess", "1"))
		if limited = status == http.StatusTooManyRequests; limited {
			break
		}
	}
	if !limited {
		t.Fatal("guessing was not limited")
	}
	if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_app_a", "1")); status != 200 {
		t.Errorf("a flood of guesses pushed out a genuine handshake: %d", status)
	}
}

func TestHandshakeBeforeProjections(t *testing.T) {
	w := newWorld(t, nil, nil)
	if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_app_a", "1")); status != 503 {
		t.Errorf("answered %d, want 503", status)
	}
}
