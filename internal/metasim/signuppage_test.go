package metasim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// text does a request of a page and returns status and body.
func (w *world) text(method, path, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := io.ReadAll(res.Body)
	if err == nil {
		err = res.Body.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// TestDialogInsists: the window of Embedded Signup opens for nothing less than what Meta documents.
func TestDialogInsists(t *testing.T) {
	w := newWorld(t)
	good := map[string]string{
		"app_id": metasim.DemoAppID, "config_id": metasim.DemoConfiguration, "response_type": "code", "override_default_response_type": "true",
		"extras": `{"setup":{}}`, "origin": "https://hooks.example.com",
	}
	for _, tc := range []struct{ reason, field, value, want string }{
		{"as documented", "", "", "Lucky Shrub"},
		{"an app that there is not", "app_id", "1", "no such app"},
		{"no configuration", "config_id", "", "config_id"},
		{"another app's configuration", "config_id", "99", "config_id"},
		{"a token in place of a code", "response_type", "token", "response_type"},
		{"a code that the SDK would exchange itself", "override_default_response_type", "false", "override_default_response_type"},
	} {
		q := url.Values{}
		for name, value := range good {
			q.Set(name, value)
		}
		if tc.field != "" {
			q.Set(tc.field, tc.value)
		}
		status, body := w.text(http.MethodGet, "/v25.0/dialog/embedded-signup?"+q.Encode(), "")
		if status != http.StatusOK || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d, the window lacks %q:\n%s", tc.reason, status, tc.want, body)
		}
	}
	if status, body := w.text(http.MethodGet, "/en_US/sdk.js", ""); status != http.StatusOK || !strings.Contains(body, "FB.login") {
		t.Errorf("the SDK: %d", status)
	}
}

// TestEndsOfEmbeddedSignup goes through the session events.
func TestEndsOfEmbeddedSignup(t *testing.T) {
	for _, tc := range []struct {
		outcome, event string
		code, phone    bool
	}{
		{"finish", "FINISH", true, true},
		{"only_waba", "FINISH_ONLY_WABA", true, false},
		{"coexistence", "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING", true, false},
		{"cancel", "CANCEL", false, false},
		{"error", "ERROR", false, false},
	} {
		w := newWorld(t)
		status, body := w.text(http.MethodPost, "/dialog/embedded-signup", `{"appID":"`+metasim.DemoAppID+`","wabaID":"`+metasim.DemoWABA+`","outcome":"`+tc.outcome+`"}`)
		var got struct {
			Code  string `json:"code"`
			Event struct {
				Type  string         `json:"type"`
				Event string         `json:"event"`
				Data  map[string]any `json:"data"`
			} `json:"event"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v: %s", tc.outcome, status, err, body)
		}
		_, phone := got.Event.Data["phone_number_id"]
		if got.Event.Type != "WA_EMBEDDED_SIGNUP" || got.Event.Event != tc.event || (got.Code != "") != tc.code || phone != tc.phone {
			t.Errorf("%s: %s", tc.outcome, body)
		}
	}
	w := newWorld(t)
	for _, body := range []string{
		`{"appID":"` + metasim.DemoAppID + `","wabaID":"1","outcome":"finish"}`, `{"appID":"1","wabaID":"` + metasim.DemoWABA + `","outcome":"finish"}`,
		`{"appID":"` + metasim.DemoAppID + `","wabaID":"` + metasim.DemoWABA + `","outcome":"explode"}`,
	} {
		if status, answer := w.text(http.MethodPost, "/dialog/embedded-signup", body); status == http.StatusOK {
			t.Errorf("%s gave %s", body, answer)
		}
	}
}
