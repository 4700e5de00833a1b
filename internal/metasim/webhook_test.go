package metasim_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

func (w *world) signed(secretOf string, p post) bool {
	mac := hmac.New(sha256.New, []byte(w.sim.AppSecret(secretOf)))
	mac.Write(p.body)
	return p.signature == "sha256="+hex.EncodeToString(mac.Sum(nil))
}

func TestInboundIsSignedOverTheEscapedBytes(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.write("Grüße / 🌱 <b>")
	p := rec.wait(1)[0]
	if !w.signed(metasim.DemoDirectAppID, p) {
		t.Error("the signature does not fit the exact bytes")
	}
	if !p.contains(`Gr\u00fc\u00dfe \/ \ud83c\udf31 <b>`) {
		t.Errorf("escaping: %s", p.body)
	}
	var env struct {
		Object string
		Entry  []struct {
			ID      string
			Changes []struct {
				Field string
				Value struct {
					Metadata map[string]string
					Contacts []map[string]any
					Messages []map[string]any
				}
			}
		}
	}
	if err := json.Unmarshal(p.body, &env); err != nil {
		t.Fatal(err)
	}
	v := env.Entry[0].Changes[0].Value
	if diff := cmp.Diff(map[string]string{"display_phone_number": "15550783999", "phone_number_id": metasim.DemoDirectPhone}, v.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	m, c := v.Messages[0], v.Contacts[0]
	if env.Entry[0].ID != metasim.DemoDirectWABA || m["from"] != metasim.DemoCustomer || c["wa_id"] != metasim.DemoCustomer || m["from_user_id"] != c["user_id"] {
		t.Errorf("payload = %s", p.body)
	}
	if m["text"].(map[string]any)["body"] != "Grüße / 🌱 <b>" || m["timestamp"] != "1795262400" {
		t.Errorf("message = %v", m)
	}
}

func TestIdentitySwitches(t *testing.T) {
	cases := []struct {
		reason       string
		change       func(*metasim.Switches)
		with, absent string
	}{
		{"a hidden phone number appears nowhere", func(s *metasim.Switches) { s.BSUIDOnly = true }, `"user_id":"US.`, metasim.DemoCustomer},
		{"the id may stand in from", func(s *metasim.Switches) { s.BSUIDInFrom = true }, `"from":"US.`, `"from":"1650`},
		{"the username may carry an at sign", func(s *metasim.Switches) { s.UsernameWithAt = true }, `"@ana.plants"`, `"ana.plants"`},
		{"timestamps may be milliseconds", func(s *metasim.Switches) { s.MillisecondTimestamps = true }, `"1795262400000"`, `"1795262400"`},
		{"slashes may stay as they are", func(s *metasim.Switches) { s.EscapeSlashes = false }, `hi/there`, `hi\/there`},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			rec := newReceiver(t)
			w.connectDirect(rec)
			w.flip(tc.change)
			w.write("hi/there")
			if p := rec.wait(1)[0]; !p.contains(tc.with) || p.contains(tc.absent) {
				t.Errorf("want %s and not %s in %s", tc.with, tc.absent, p.body)
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	subs := "/v25.0/" + metasim.DemoAppID + "/subscriptions"
	form := func(callback, token string) string {
		return url.Values{"object": {"whatsapp_business_account"}, "callback_url": {callback}, "verify_token": {token}, "fields": {"messages"}}.Encode()
	}
	w.refuse("wrong verify token", "POST", subs, w.appToken(), form(rec.srv.URL, "no"), 2200, 0)
	w.flip(func(s *metasim.Switches) { s.HandshakeErrorCode = 100 })
	w.refuse("another code", "POST", subs, w.appToken(), form(rec.srv.URL, "no"), 100, 0)
	w.refuse("never leaves the machine", "POST", subs, w.appToken(), form("https://192.0.2.1/", verifyToken), 100, 0)
	w.refuse("system token", "POST", subs, w.systemToken(), form(rec.srv.URL, verifyToken), 15, 0)
	if n := len(w.ok("GET", subs, w.appToken(), "").at("data").([]any)); n != 0 {
		t.Errorf("a failed handshake left %d subscriptions", n)
	}
	w.ok("POST", subs, w.appToken(), form(rec.srv.URL+"/hook", verifyToken))
	want := []any{map[string]any{
		"object": "whatsapp_business_account", "callback_url": rec.srv.URL + "/hook", "active": true,
		"fields": []any{map[string]any{"name": "messages", "version": "v25.0"}},
	}}
	if diff := cmp.Diff(want, w.ok("GET", subs, w.appToken(), "").at("data")); diff != "" {
		t.Errorf("subscription (-want +got):\n%s", diff)
	}
	w.ok("DELETE", subs+"?object=whatsapp_business_account", w.appToken(), "")
	if n := len(w.ok("GET", subs, w.appToken(), "").at("data").([]any)); n != 0 {
		t.Errorf("deleted, yet %d left", n)
	}
}

func TestCallbackPrecedence(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	tok, waba, phone := w.directToken(), "/v25.0/"+metasim.DemoDirectWABA+"/subscribed_apps", "/v25.0/"+metasim.DemoDirectPhone
	next := func(want string) {
		t.Helper()
		before := len(rec.wait(0))
		w.write("hi")
		if got := rec.wait(before + 1)[before].path; got != want {
			t.Errorf("delivered to %s, want %s", got, want)
		}
	}
	next("/app")
	w.ok("POST", waba, tok, `{"override_callback_uri":"`+rec.srv.URL+`/waba","verify_token":"`+verifyToken+`"}`)
	next("/waba")
	w.ok("POST", phone, tok, `{"webhook_configuration":{"override_callback_uri":"`+rec.srv.URL+`/phone","verify_token":"`+verifyToken+`"}}`)
	next("/phone")
	conf := w.ok("GET", phone+"?fields=webhook_configuration", tok, "")
	want := map[string]any{"phone_number": rec.srv.URL + "/phone", "whatsapp_business_account": rec.srv.URL + "/waba", "application": rec.srv.URL + "/app"}
	if diff := cmp.Diff(want, conf.at("webhook_configuration")); diff != "" {
		t.Errorf("webhook_configuration (-want +got):\n%s", diff)
	}
	before := len(rec.wait(0))
	if _, err := w.sim.Inject(metasim.WebhookInjection{WABAID: metasim.DemoDirectWABA, Field: "account_update", Value: json.RawMessage(`{"event":"ACCOUNT_DELETED"}`)}); err != nil {
		t.Fatal(err)
	}
	if p := rec.wait(before + 1)[before]; p.path != "/app" || !p.contains(`"time":1795262400`) {
		t.Errorf("account-level fields go to the app whatever is overridden: %s %s", p.path, p.body)
	}
	w.ok("POST", phone, tok, `{"webhook_configuration":{"override_callback_uri":""}}`)
	next("/waba")
	w.ok("POST", waba, tok, "")
	next("/app")
	w.ok("DELETE", waba, tok, "")
	if m := w.write("nobody hears"); len(m.Deliveries) != 0 {
		t.Errorf("an unsubscribed account was delivered: %v", m.Deliveries)
	}
}

func TestRoutePlaysTheIngress(t *testing.T) {
	rec := newReceiver(t)
	u, err := url.Parse(rec.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *metasim.Options) { o.Routes = map[string][]string{"hooks.example.com": {u.Host}} })
	sub := metasim.AppSubscription{CallbackURL: "https://hooks.example.com/meta", VerifyToken: verifyToken}
	if err := w.sim.ConfigureWebhook(t.Context(), metasim.DemoDirectAppID, sub); err != nil {
		t.Fatal(err)
	}
	w.ok("POST", "/v25.0/"+metasim.DemoDirectWABA+"/subscribed_apps", w.directToken(), "")
	w.write("hi")
	if p := rec.wait(1)[0]; p.host != "hooks.example.com" || p.path != "/meta" {
		t.Errorf("got host %s path %s", p.host, p.path)
	}
	if err := w.sim.AddRoute("x.example.com", "192.0.2.1:80"); err == nil {
		t.Error("a route must lead to a loopback address")
	}
	if _, err := metasim.New(metasim.Options{Routes: map[string][]string{"x": {"example.com:80"}}}); err == nil {
		t.Error("a route must be a literal address")
	}
}

func TestNonLoopbackCallbackIsRefused(t *testing.T) {
	world := metasim.DemoWorld()
	world.Apps[1].Subscription = &metasim.AppSubscription{CallbackURL: "https://192.0.2.1/hook?secret=1", Fields: []string{"messages"}}
	world.WABAs[1].SubscribedApps = []metasim.SubscribedApp{{AppID: metasim.DemoDirectAppID}}
	w := newWorld(t, func(o *metasim.Options) { o.World = world })
	m := w.write("hi")
	d, err := w.sim.AwaitDelivery(t.Context(), m.Deliveries[0])
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != "refused" || d.Attempts != 1 || strings.Contains(d.URL, "secret") || !strings.Contains(d.LastError, "loopback") {
		t.Errorf("delivery = %+v", d)
	}
}

func TestRetryUntil200(t *testing.T) {
	w := newWorld(t, func(o *metasim.Options) { o.TimeScale = 1e6 })
	rec := newReceiver(t)
	rec.answer = func(n int) int {
		if n < 3 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	w.connectDirect(rec)
	m := w.write("hi")
	d, err := w.sim.AwaitDelivery(t.Context(), m.Deliveries[0])
	if err != nil {
		t.Fatal(err)
	}
	posts := rec.wait(3)
	if d.Status != "delivered" || d.Attempts != 3 || string(posts[0].body) != string(posts[2].body) {
		t.Errorf("delivery = %+v", d)
	}
}

func TestRetryEndsAndMayDisableTheSubscription(t *testing.T) {
	w := newWorld(t, func(o *metasim.Options) { o.TimeScale = 1e9 })
	rec := newReceiver(t)
	rec.answer = func(int) int { return http.StatusInternalServerError }
	w.connectDirect(rec)
	w.flip(func(s *metasim.Switches) {
		s.DisableFailingSubscription, s.WebhookRetryHorizon = true, metasim.Duration(36*time.Hour)
	})
	m := w.write("hi")
	d, err := w.sim.AwaitDelivery(t.Context(), m.Deliveries[0])
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != "abandoned" || d.Attempts < 10 || d.LastStatus != http.StatusInternalServerError {
		t.Errorf("delivery = %+v", d)
	}
	subs := w.ok("GET", "/v25.0/"+metasim.DemoDirectAppID+"/subscriptions", w.directAppToken(), "")
	if subs.at("data").([]any)[0].(map[string]any)["active"] != false {
		t.Errorf("subscription = %s", subs.raw)
	}
}

func TestForgeriesAndReplay(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	m := w.write("genuine")
	genuine := rec.wait(1)[0]
	for _, how := range []string{"wrong", "none", "other-app", "tampered"} {
		d, err := w.sim.Forge(t.Context(), metasim.Forgery{
			InboundMessage: metasim.InboundMessage{From: metasim.DemoCustomer, PhoneNumberID: metasim.DemoDirectPhone, Text: "forged"},
			Signature:      how, AnotherApp: metasim.DemoAppID,
		})
		if err != nil {
			t.Fatal(err)
		}
		posts := rec.wait(1)
		p := posts[len(posts)-1]
		if d.LastStatus != http.StatusOK || d.Attempts != 1 || w.signed(metasim.DemoDirectAppID, p) || !p.contains("forged") {
			t.Errorf("%s: %+v %q", how, d, p.signature)
		}
		if (how == "none") != (p.signature == "") || (how == "other-app") != w.signed(metasim.DemoAppID, p) {
			t.Errorf("%s: signature %q", how, p.signature)
		}
	}
	if n := len(w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)); n != 1 {
		t.Errorf("the transcript has %d messages, want the genuine one", n)
	}
	if _, err := w.sim.Replay(t.Context(), m.Deliveries[0]); err != nil {
		t.Fatal(err)
	}
	posts := rec.wait(6)
	if diff := cmp.Diff(string(genuine.body)+genuine.signature, string(posts[5].body)+posts[5].signature); diff != "" {
		t.Errorf("a replay is the same bytes (-first +second):\n%s", diff)
	}
}

func TestDuplicatesAndBatches(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.flip(func(s *metasim.Switches) { s.DuplicateDeliveries, s.DuplicateInsidePost = true, true })
	w.write("twice")
	posts := rec.wait(2)
	if string(posts[0].body) != string(posts[1].body) || strings.Count(string(posts[0].body), `"twice"`) != 2 {
		t.Errorf("two equal posts with two entries each are wanted: %s", posts[0].body)
	}
	w.flip(func(s *metasim.Switches) { s.DuplicateDeliveries, s.DuplicateInsidePost = false, false })
	in := metasim.InboundMessage{From: "16505550001", PhoneNumberID: metasim.DemoDirectPhone, Text: "first"}
	other := in
	other.From, other.Text = "16505550002", "second"
	if _, err := w.sim.SendBatch([]metasim.InboundMessage{in, other}); err != nil {
		t.Fatal(err)
	}
	if p := rec.wait(3)[2]; !p.contains("first") || !p.contains("second") {
		t.Errorf("one post must hold both: %s", p.body)
	}
}

func TestPartnerAddedNamesThePortfolio(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.flip(func(s *metasim.Switches) { s.PartnerAddedWebhook = true })
	sub := metasim.AppSubscription{CallbackURL: rec.srv.URL, VerifyToken: verifyToken, Fields: []string{"account_update"}}
	if err := w.sim.ConfigureWebhook(t.Context(), metasim.DemoAppID, sub); err != nil {
		t.Fatal(err)
	}
	w.code()
	if p := rec.wait(1)[0]; !p.contains(`"id":"`+metasim.DemoCustomerBusiness+`"`) || !p.contains("PARTNER_ADDED") || !w.signed(metasim.DemoAppID, p) {
		t.Errorf("payload = %s", p.body)
	}
}

func TestCloseEndsPendingDeliveries(t *testing.T) {
	rec := newReceiver(t)
	rec.answer = func(int) int { return http.StatusServiceUnavailable }
	srv, err := metasim.Start("127.0.0.1:0", metasim.Options{World: metasim.DemoWorld(), TimeScale: 1})
	if err != nil {
		t.Fatal(err)
	}
	sub := metasim.AppSubscription{CallbackURL: rec.srv.URL, VerifyToken: verifyToken}
	if err := srv.ConfigureWebhook(t.Context(), metasim.DemoDirectAppID, sub); err != nil {
		t.Fatal(err)
	}
	if err := srv.UpdateWABA(metasim.DemoDirectWABA, func(w *metasim.WABA) {
		w.SubscribedApps = []metasim.SubscribedApp{{AppID: metasim.DemoDirectAppID}}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.SendText(metasim.DemoCustomer, metasim.DemoDirectPhone, "hi"); err != nil {
		t.Fatal(err)
	}
	rec.wait(1) // the next attempt is 30 seconds away
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := srv.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
