package signup

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	contract "github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

func TestPage(t *testing.T) {
	w := newWorld(t)
	res := w.get(Path + w.token)
	if res.status != http.StatusOK || !strings.Contains(res.body, "Connect your WhatsApp number") {
		t.Fatalf("%d: %s", res.status, res.body)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := res.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	policy := res.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self' https://connect.facebook.net;", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy allows too much: %s", policy)
	}
	if strings.Contains(res.body, appSecret) || strings.Contains(res.body, requestUID) || strings.Contains(res.body, "<Lucky>") || strings.Contains(res.body, w.token) {
		t.Errorf("the page holds what is none of its business: %s", res.body)
	}
	if !strings.Contains(res.body, `src="https://connect.facebook.net/en_US/sdk.js"`) {
		t.Error("the page does not load Meta's SDK")
	}
	for _, name := range []string{"page.js", "page.css"} {
		if res := w.get(Path + name); res.status != http.StatusOK || res.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d", name, res.status)
		}
	}
}

func TestDeadLinks(t *testing.T) {
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason string
		change func(*world)
		status int
		post   int
		says   string
	}{
		{"somebody else's signature", func(w *world) { w.key = foreign; w.token = w.sign(w.link) }, 404, 404, "not valid"},
		{"no token at all", func(w *world) { w.token = "nothing" }, 404, 404, "not valid"},
		{"an app that is gone", func(w *world) { w.view.Publish(nil) }, 404, 404, "not valid"},
		{"a request that is gone", func(w *world) {
			app := runtimeconfig.App{
				AppID: appID, AppSecret: redact.New(appSecret), LinkPublicKey: w.public,
				EmbeddedSignup: &runtimeconfig.EmbeddedSignup{ConfigurationID: "1207", Extras: json.RawMessage(`{}`)},
			}
			w.publish(app.Object)
		}, 410, 410, "no longer valid"},
		{"a link that was replaced", func(w *world) {
			w.project(runtimeconfig.Signup{LinkID: "another", State: runtimeconfig.SignupOpen})
		}, 410, 410, "newer link"},
		{"a link that has expired", func(w *world) { w.now = w.now.Add(2 * time.Hour) }, 410, 410, "expired"},
		{"a link that was used", func(w *world) { w.project(runtimeconfig.Signup{State: runtimeconfig.SignupDone}) }, 200, 409, "signed up"},
		{"a link that was used and has expired", func(w *world) {
			w.project(runtimeconfig.Signup{State: runtimeconfig.SignupDone})
			w.now = w.now.Add(2 * time.Hour)
		}, 200, 409, "signed up"},
		{"a link that waits for approval", func(w *world) { w.project(runtimeconfig.Signup{State: runtimeconfig.SignupAwaitingApproval}) }, 200, 409, "approves"},
		{"a platform in trouble", func(w *world) {
			w.project(runtimeconfig.Signup{State: runtimeconfig.SignupPaused, Reason: v1alpha1.ReasonMetaAppNotReady})
		}, 200, 409, "not possible right now"},
	} {
		w := newWorld(t)
		tc.change(w)
		res := w.get(Path + w.token)
		if res.status != tc.status || !strings.Contains(res.body, tc.says) {
			t.Errorf("%s: GET gave %d: %s", tc.reason, res.status, res.body)
		}
		if strings.Contains(res.body, "sdk.js") || strings.Contains(res.body, "data-launch") {
			t.Errorf("%s: the page launches a signup", tc.reason)
		}
		if res := w.post(w.token, `{"code":"AQB"}`); res.status != tc.post || !strings.Contains(res.body, tc.says) {
			t.Errorf("%s: POST gave %d: %s", tc.reason, res.status, res.body)
		}
		if len(w.taken) != 0 {
			t.Errorf("%s: a code was handed over", tc.reason)
		}
	}
}

func TestNotSyncedYet(t *testing.T) {
	w := newWorld(t)
	h, err := New(Options{View: source.NewView(), Handover: w, Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	res := httptest.NewRecorder()
	h.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+w.token, strings.NewReader(`{"code":"AQB"}`)))
	if res.Code != http.StatusServiceUnavailable {
		t.Errorf("%d: %s", res.Code, res.Body)
	}
}

func TestCodeIsHandedOver(t *testing.T) {
	w := newWorld(t)
	body := `{"code":"AQBcode-_","event":"FINISH","wabaID":"1022","phoneNumberID":"1065","businessID":"2729"}`
	res := w.post(w.token, body, "Sec-Fetch-Site", "same-origin")
	if res.status != http.StatusAccepted {
		t.Fatalf("%d: %s", res.status, res.body)
	}
	want := contract.Handover{Token: w.token, Code: redact.New("AQBcode-_"), Claims: contract.Claims{Event: "FINISH", WABAID: "1022", PhoneNumberID: "1065", BusinessID: "2729"}}
	if diff := cmp.Diff([]contract.Handover{want}, w.taken); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if strings.Contains(res.body, "AQB") || !strings.Contains(res.body, contract.CodeHash(want.Code)) {
		t.Errorf("the answer is %s", res.body)
	}
}

func TestRefusedPosts(t *testing.T) {
	for _, tc := range []struct {
		reason, body string
		header       []string
		status       int
		says         string
	}{
		{"another site's page", `{"code":"AQB"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"another site's page in an old browser", `{"code":"AQB"}`, []string{"Origin", "https://evil.example"}, 403, ""},
		{"a form", `code=AQB`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, "application/json"},
		{"no JSON", `code`, nil, 400, "JSON object"},
		{"more than there is", `{"code":"AQB","link":"x"}`, nil, 400, "JSON object"},
		{"two objects", `{"code":"AQB"}{}`, nil, 400, "one JSON object"},
		{"no code", `{"event":"FINISH"}`, nil, 400, "no signup code"},
		{"a code with a line break", `{"code":"A\nB"}`, nil, 400, "holds what no code holds"},
		{"an id that is none", `{"code":"AQB","wabaID":"../x"}`, nil, 400, "wabaID"},
		{"a flood", `{"code":"` + strings.Repeat("A", maxBody) + `"}`, nil, 400, "8 KiB"},
	} {
		w := newWorld(t)
		res := w.post(w.token, tc.body, tc.header...)
		if res.status != tc.status || !strings.Contains(res.body, tc.says) || strings.Contains(res.body, "AQB") {
			t.Errorf("%s: %d: %s", tc.reason, res.status, res.body)
		}
		if len(w.taken) != 0 {
			t.Errorf("%s: handed over", tc.reason)
		}
	}
}

func TestCodesOfOneLinkAreBounded(t *testing.T) {
	w := newWorld(t)
	for range handoverBurst {
		if res := w.post(w.token, `{"code":"AQB"}`); res.status != http.StatusAccepted {
			t.Fatalf("%d: %s", res.status, res.body)
		}
	}
	res := w.post(w.token, `{"code":"AQB"}`)
	if res.status != http.StatusTooManyRequests || res.header.Get("Retry-After") == "" || len(w.taken) != handoverBurst {
		t.Errorf("one too many: %d, %d taken", res.status, len(w.taken))
	}
	if res := w.get(Path + w.token); res.status != http.StatusOK {
		t.Errorf("the page itself is not bounded by that: %d", res.status)
	}
}

func TestHandoverThatFails(t *testing.T) {
	w := newWorld(t)
	w.fail = errors.New("the API server is away")
	res := w.post(w.token, `{"code":"AQB"}`)
	if res.status != http.StatusBadGateway || !strings.Contains(res.body, "try again") || strings.Contains(res.body, "API server") {
		t.Errorf("%d: %s", res.status, res.body)
	}
}

func TestOutcome(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		reason  string
		signup  runtimeconfig.Signup
		attempt string
		look    string
		retry   bool
	}{
		{"nothing is known of the attempt yet", runtimeconfig.Signup{State: runtimeconfig.SignupOpen}, "mine", lookWorking, false},
		{"an earlier one failed", runtimeconfig.Signup{State: runtimeconfig.SignupFailed, Reason: v1alpha1.ReasonCodeExpired, Attempt: "other"}, "mine", lookWorking, false},
		{"it is at work", runtimeconfig.Signup{State: runtimeconfig.SignupWorking, Attempt: "mine"}, "mine", lookWorking, false},
		{"it failed", runtimeconfig.Signup{State: runtimeconfig.SignupFailed, Reason: v1alpha1.ReasonCodeExpired, Attempt: "mine"}, "mine", lookProblem, true},
		{"it failed for a reason without words", runtimeconfig.Signup{State: runtimeconfig.SignupFailed, Reason: "New", Attempt: "mine"}, "mine", lookProblem, true},
		{"a reload after it failed", runtimeconfig.Signup{State: runtimeconfig.SignupFailed, Reason: v1alpha1.ReasonCodeExpired, Attempt: "mine"}, "", lookProblem, true},
		{"a reload before anything", runtimeconfig.Signup{State: runtimeconfig.SignupOpen}, "", lookInvite, true},
		{"it waits for approval", runtimeconfig.Signup{State: runtimeconfig.SignupAwaitingApproval, Attempt: "mine"}, "mine", lookWaiting, false},
		{"another tab succeeded", runtimeconfig.Signup{State: runtimeconfig.SignupDone, Attempt: "other"}, "mine", lookDone, false},
	} {
		w.project(tc.signup)
		if got := w.outcome(tc.attempt); got.Look != tc.look || got.Retry != tc.retry || got.Title == "" || got.Text == "" {
			t.Errorf("%s: %+v", tc.reason, got)
		}
	}
}

func TestParseSDK(t *testing.T) {
	for _, tc := range []struct {
		address string
		ok      bool
	}{
		{DefaultSDK, true}, {"https://sim.example.com/en_US/sdk.js", true}, {"http://127.0.0.1:9180/en_US/sdk.js", true},
		{"http://example.com/sdk.js", false}, {"javascript:alert(1)", false}, {"https://a.example; script-src *", false}, {"/sdk.js", false}, {"https://u:p@a.example/x", false},
	} {
		if _, err := ParseSDK(tc.address); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.address, err)
		}
	}
	sdk, err := ParseSDK("http://127.0.0.1:9180/en_US/sdk.js")
	if err != nil || strings.Contains(sdk.policy(), "facebook") || !strings.Contains(sdk.policy(), "script-src 'self' http://127.0.0.1:9180;") {
		t.Errorf("%v: %s", err, sdk.policy())
	}
}
