package metasim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

func TestAdminWorld(t *testing.T) {
	w := newWorld(t)
	plain := w.ok("GET", "/sim/v1/world", "", "")
	secret := w.ok("GET", "/sim/v1/world?secrets=true", "", "")
	for name, s := range map[string]string{"app secret": w.sim.AppSecret(metasim.DemoAppID), "token": w.systemToken(), "PIN": "246813"} {
		if strings.Contains(string(plain.raw), s) || !strings.Contains(string(secret.raw), s) {
			t.Errorf("the %s must be shown with secrets=true only", name)
		}
	}
	w.ok("POST", "/sim/v1/world", "", `{"wabas":[{"id":"42","name":"New","ownerBusinessID":"43","phoneNumbers":[{"id":"44","displayPhoneNumber":"+1 555-000-0044","verifiedName":"New"}]}]}`)
	w.ok("PATCH", "/sim/v1/phone-numbers/44", "", `{"status":"FLAGGED"}`)
	w.ok("PATCH", "/sim/v1/wabas/42", "", `{"currency":"EUR"}`)
	var world metasim.World
	if err := json.Unmarshal(w.ok("GET", "/sim/v1/world", "", "").raw, &world); err != nil {
		t.Fatal(err)
	}
	added := world.WABAs[2]
	if added.ID != "42" || added.Currency != "EUR" || added.PhoneNumbers[0].Status != "FLAGGED" || added.PhoneNumbers[0].VerifiedName != "New" {
		t.Errorf("added = %+v", added)
	}
	if r := w.do("POST", "/sim/v1/world", "", `{"wabas":[{"id":"45","shoe":1}]}`); r.status != http.StatusBadRequest {
		t.Errorf("an unknown member is answered %d", r.status)
	}
}

func TestAdminConversation(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.ok("PUT", "/sim/v1/apps/"+metasim.DemoDirectAppID+"/webhook", "", `{"callbackURL":"`+rec.srv.URL+`/d","verifyToken":"`+verifyToken+`","fields":["messages"]}`)
	w.ok("POST", "/v25.0/"+metasim.DemoDirectWABA+"/subscribed_apps", w.directToken(), "")
	sent := w.ok("POST", "/sim/v1/messages", "", `{"from":"16505559876","name":"Bo","phoneNumberID":"`+metasim.DemoDirectPhone+`","text":"Do you deliver?"}`)
	tap := `{"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"order","title":"Place order"}}}`
	w.ok("POST", "/sim/v1/messages", "", `{"from":"16505559876","phoneNumberID":"`+metasim.DemoDirectPhone+`","message":`+tap+`}`)
	rec.wait(2)
	r := w.ok("GET", "/sim/v1/conversations/"+metasim.DemoDirectPhone+"/16505559876", "", "")
	var entries []metasim.ConversationEntry
	if err := json.Unmarshal(r.raw, &entries); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Direction+" "+e.Type+" "+e.Text)
	}
	if diff := cmp.Diff([]string{"in text Do you deliver?", "in interactive Place order"}, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	if entries[0].Wamid != sent.text("wamid") {
		t.Errorf("wamid %q, want %q", entries[0].Wamid, sent.text("wamid"))
	}
	id := int(sent.at("deliveries").([]any)[0].(float64))
	w.ok("POST", fmt.Sprintf("/sim/v1/deliveries/%d/replay", id), "", "")
	forged := w.ok("POST", "/sim/v1/deliveries/forged", "", `{"from":"16505559876","phoneNumberID":"`+metasim.DemoDirectPhone+`","text":"x"}`)
	if forged.number("lastStatus") != http.StatusOK || forged.text("kind") != "forged" {
		t.Errorf("forged = %s", forged.raw)
	}
	if body := w.ok("GET", fmt.Sprintf("/sim/v1/deliveries/%d", id), "", "").text("body"); !strings.Contains(body, "Do you deliver?") {
		t.Errorf("body = %s", body)
	}
	if r := w.do("GET", "/sim/v1/deliveries/999", "", ""); r.status != http.StatusNotFound {
		t.Errorf("unknown delivery = %d", r.status)
	}
	if r := w.do("POST", "/sim/v1/messages", "", `{"from":"16505559876","phoneNumberID":"1","text":"x"}`); r.status != http.StatusNotFound {
		t.Errorf("unknown number = %d", r.status)
	}
}

func TestAdminCodesFaultsSwitchesClock(t *testing.T) {
	w := newWorld(t)
	code := w.ok("POST", "/sim/v1/codes", "", `{"appID":"`+metasim.DemoAppID+`","wabaIDs":["`+metasim.DemoWABA+`"]}`)
	if code.text("phoneNumberID") != metasim.DemoPhoneNumber || code.text("businessID") != metasim.DemoCustomerBusiness || code.text("expiresAt") == "" {
		t.Errorf("code = %s", code.raw)
	}
	id := w.ok("POST", "/sim/v1/faults", "", `{"call":"exchange","action":"graph_error","count":-1,"error":{"code":2,"http":503}}`).number("id")
	w.refuse("scripted", "GET", w.exchangePath(code.text("code")), "", "", 2, 0)
	w.ok("DELETE", fmt.Sprintf("/sim/v1/faults/%d", id), "", "")
	w.ok("GET", w.exchangePath(code.text("code")), "", "")
	if c := w.ok("GET", "/sim/v1/counters", "", ""); c.number("codeSends", code.text("id")) != 2 {
		t.Errorf("counters = %s", c.raw)
	}
	if r := w.ok("PATCH", "/sim/v1/switches", "", `{"sentDelay":"1s","rescue":"works"}`); r.text("sentDelay") != "1s" || r.text("rescue") != "works" || r.text("readDelay") == "" {
		t.Errorf("switches = %s", r.raw)
	}
	for _, bad := range []string{`{"rescue":"maybe"}`, `{"shoe":1}`, `{"sentDelay":5}`} {
		if r := w.do("PATCH", "/sim/v1/switches", "", bad); r.status != http.StatusBadRequest {
			t.Errorf("%s = %d", bad, r.status)
		}
	}
	before := w.sim.Now()
	w.ok("POST", "/sim/v1/clock", "", `{"advance":"24h"}`)
	if got := w.sim.Now().Sub(before); got != 24*time.Hour {
		t.Errorf("the clock moved by %v", got)
	}
	if r := w.do("GET", "/sim/v1/journal?after=x", "", ""); r.status != http.StatusBadRequest {
		t.Errorf("after=x = %d", r.status)
	}
}

func TestAdminServesLoopbackOnly(t *testing.T) {
	sim, err := metasim.New(metasim.Options{World: metasim.DemoWorld()})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		reason, peer, host, site string
		want                     int
	}{
		{"loopback", "127.0.0.1:5000", "127.0.0.1:9180", "", http.StatusOK},
		{"another machine", "192.0.2.7:5000", "127.0.0.1:9180", "", http.StatusForbidden},
		{"a name that somebody else controls", "127.0.0.1:5000", "evil.example", "", http.StatusForbidden},
		{"a page of another site", "127.0.0.1:5000", "127.0.0.1:9180", "cross-site", http.StatusForbidden},
	}
	for _, tc := range cases {
		req := httptest.NewRequest(http.MethodPost, "/sim/v1/clock", strings.NewReader(`{"advance":"0s"}`))
		req.RemoteAddr, req.Host = tc.peer, tc.host
		if tc.site != "" {
			req.Header.Set("Sec-Fetch-Site", tc.site)
		}
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, req)
		if rec.Code != tc.want {
			t.Errorf("%s: %d, want %d", tc.reason, rec.Code, tc.want)
		}
	}
}

func TestSeedFiles(t *testing.T) {
	cases := []struct {
		reason, yaml string
		ok           bool
	}{
		{"a small world", "apps: [{id: \"1\", name: A}]\ncustomers: [{waID: \"1650\", name: Ana}]\n", true},
		{"an unknown member", "apps: [{id: \"1\", shoe: 2}]\n", false},
		{"an app id that is no number", "apps: [{id: abc, name: A}]\n", false},
		{"a system user of an unknown app", "systemUsers: [{id: \"1\", appID: \"2\", scopes: []}]\n", false},
		{"one number in two accounts", "wabas: [{id: \"1\", phoneNumbers: [{id: \"9\"}]}, {id: \"2\", phoneNumbers: [{id: \"9\"}]}]\n", false},
		{"an unknown redirect policy", "apps: [{id: \"1\", name: A, redirectURIPolicy: maybe}]\n", false},
	}
	for _, tc := range cases {
		world, err := metasim.ParseWorld([]byte(tc.yaml))
		if err == nil {
			_, err = metasim.New(metasim.Options{World: world})
		}
		if (err == nil) != tc.ok {
			t.Errorf("%s: err = %v", tc.reason, err)
		}
	}
}

func TestSeedMakesIdentifiersReproducible(t *testing.T) {
	token := func(seed uint64) string {
		sim, err := metasim.New(metasim.Options{World: metasim.DemoWorld(), Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return sim.SystemToken(metasim.DemoSystemUser)
	}
	first, again, other := token(1), token(1), token(2)
	if first != again || first == other || !strings.HasPrefix(first, "EAAG") {
		t.Error("one seed, one token; another seed, another token")
	}
}

// TestDocumentedCommands runs every curl command of docs/metasim.md: each must reach its endpoint with a body that the
// endpoint understands. What an example names (a fault, a medium) need not exist.
func TestDocumentedCommands(t *testing.T) {
	page, err := os.ReadFile("../../docs/metasim.md")
	if err != nil {
		t.Fatal(err)
	}
	rec := newReceiver(t)
	u, err := url.Parse(rec.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *metasim.Options) { o.Routes = map[string][]string{"hooks.example.com": {u.Host}} })
	command := regexp.MustCompile(`(?m)^curl (?:-X ([A-Z]+) )?(?:-d '([^']+)' |--data-binary @\S+ )?"?\$SIM([^"\s]+)"?$`)
	found := command.FindAllStringSubmatch(string(page), -1)
	if lines := strings.Count(string(page), "\ncurl "); len(found) != lines {
		t.Fatalf("%d of %d curl lines are understood by this test", len(found), lines)
	}
	for _, m := range found {
		method, body, path := m[1], m[2], m[3]
		if method == "" {
			method = http.MethodGet
			if strings.Contains(m[0], " -d ") || strings.Contains(m[0], "--data-binary") {
				method = http.MethodPost
			}
		}
		r := w.do(method, path, "", strings.ReplaceAll(body, "pv_...", verifyToken))
		if r.status == http.StatusMethodNotAllowed || (r.status == http.StatusNotFound && r.body == nil && !strings.Contains(path, "/media/")) || strings.Contains(r.text("error"), "request body") {
			t.Errorf("%s: %d %s", m[0], r.status, r.raw)
		}
	}
}
