package metasim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

func TestExchangeRefuses(t *testing.T) {
	cases := []struct {
		reason        string
		prepare       func(w *world, code string)
		params        []string
		code, subcode int
	}{
		{"an unknown app is told first", nil, []string{"client_id", "999"}, 101, 0},
		{"a wrong app secret is code 1", nil, []string{"client_secret", "wrong"}, 1, 0},
		{"a malformed code has no subcode", nil, []string{"code", "nonsense"}, 100, 0},
		{"a code works once", func(w *world, code string) { w.ok("GET", w.exchangePath(code), "", "") }, nil, 100, 36009},
		{"a code lives 30 seconds", func(w *world, _ string) { w.clock.Step(30 * time.Second) }, nil, 100, 36007},
		{
			"absent policy refuses a redirect_uri",
			func(w *world, _ string) { w.flip(func(s *metasim.Switches) { s.RedirectURIPolicy = "absent" }) },
			[]string{"redirect_uri", ""}, 100, 36008,
		},
		{
			"empty policy refuses its absence",
			func(w *world, _ string) { w.flip(func(s *metasim.Switches) { s.RedirectURIPolicy = "empty" }) }, nil, 100, 36008,
		},
		{
			"exact policy refuses another URI",
			func(w *world, _ string) { w.flip(func(s *metasim.Switches) { s.RedirectURIPolicy = "exact" }) },
			[]string{"redirect_uri", "https://x"}, 100, 36008,
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			code := w.code().Code
			if tc.prepare != nil {
				tc.prepare(w, code)
			}
			w.refuse(tc.reason, "GET", w.exchangePath(code, tc.params...), "", "", tc.code, tc.subcode)
		})
	}
}

func TestExchangeRedirectMismatchDoesNotSpendTheCode(t *testing.T) {
	w := newWorld(t)
	w.flip(func(s *metasim.Switches) { s.RedirectURIPolicy = "empty" })
	c := w.code()
	w.refuse("first policy", "GET", w.exchangePath(c.Code), "", "", 100, 36008)
	w.ok("GET", w.exchangePath(c.Code, "redirect_uri", ""), "", "")
	if got := w.sim.Counters().CodeSends[c.ID]; got != 2 {
		t.Errorf("the code was sent twice, counted %d", got)
	}
}

func TestExchangeExpiresIn(t *testing.T) {
	cases := []struct {
		reason    string
		change    func(*metasim.Switches)
		expiresIn int
		expires   bool
	}{
		{"sixty days by default", func(*metasim.Switches) {}, 5184000, true},
		{"a token for ever has no expires_in", func(s *metasim.Switches) { s.BusinessTokenLifetime = 0 }, 0, false},
		{"an answer may hide that the token expires", func(s *metasim.Switches) { s.ExchangeOmitsExpiresIn = true }, 0, true},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.flip(tc.change)
			r := w.ok("GET", w.exchangePath(w.code().Code), "", "")
			if got := r.number("expires_in"); got != tc.expiresIn {
				t.Errorf("expires_in = %d, want %d", got, tc.expiresIn)
			}
			d := w.ok("GET", "/debug_token?input_token="+r.text("access_token"), w.appToken(), "")
			if got := d.number("data", "expires_at") != 0; got != tc.expires {
				t.Errorf("expires_at set = %v, want %v", got, tc.expires)
			}
		})
	}
}

func TestDebugTokenProvesWhatWasGranted(t *testing.T) {
	w := newWorld(t)
	tok := w.businessToken()
	path := "/v25.0/debug_token?input_token=" + tok
	for caller, token := range map[string]string{"app": w.appToken(), "system": w.systemToken()} {
		r := w.ok("GET", path, token, "")
		granular := r.at("data", "granular_scopes").([]any)[0].(map[string]any)
		if diff := cmp.Diff(map[string]any{"scope": "whatsapp_business_management", "target_ids": []any{metasim.DemoWABA}}, granular); diff != "" {
			t.Errorf("granular scope for the %s token (-want +got):\n%s", caller, diff)
		}
		if r.at("data", "is_valid") != true || r.text("data", "app_id") != metasim.DemoAppID || r.text("data", "type") != "SYSTEM_USER" {
			t.Errorf("data = %v", r.at("data"))
		}
	}
	w.refuse("another app may not ask", "GET", path, w.directAppToken(), "", 100, 0)
	w.flip(func(s *metasim.Switches) { s.GranularTargets = "absent" })
	if strings.Contains(string(w.ok("GET", path, w.appToken(), "").raw), "target_ids") {
		t.Error("target_ids are there although the switch hides them")
	}
	w.clock.Step(61 * 24 * time.Hour)
	r := w.ok("GET", path, w.appToken(), "")
	if r.at("data", "is_valid") != false || r.number("data", "error", "subcode") != 463 {
		t.Errorf("an expired token must be invalid with subcode 463: %s", r.raw)
	}
	w.refuse("an expired token is refused", "GET", "/me", tok, "", 190, 463)
	if r := w.ok("GET", "/debug_token?input_token=EAAGnonsense", w.appToken(), ""); r.at("data", "is_valid") != false {
		t.Errorf("an unknown token must be invalid: %s", r.raw)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	waba := "/v25.0/" + metasim.DemoWABA
	w.refuse("no token", "GET", waba, "", "", 104, 0)
	w.refuse("unknown token", "GET", waba, "EAAGx", "", 190, 0)
	w.refuse("app token with a wrong secret", "GET", "/v25.0/debug_token?input_token=x", metasim.DemoAppID+"|wrong", "", 190, 0)
	w.refuse("an account that was not granted", "GET", "/v25.0/"+metasim.DemoDirectWABA, biz, "", 100, 33)
	for invisible, code := range map[string]int{"803": 803, "10": 10, "200": 200} {
		w.flip(func(s *metasim.Switches) { s.Invisible = invisible })
		w.refuse("invisible as "+invisible, "GET", "/v25.0/"+metasim.DemoDirectWABA, biz, "", code, 0)
	}
	w.refuse("credit needs business_management", "GET", "/v25.0/"+metasim.DemoPartnerBusiness+"/extendedcredits", biz, "", 200, 0)
	w.refuse("unknown path", "GET", "/v25.0/a/b/c", biz, "", 2500, 0)
	if err := w.sim.RevokeToken(biz); err != nil {
		t.Fatal(err)
	}
	w.refuse("revoked token", "GET", waba, biz, "", 190, 460)
}

func TestTokenAsParameterAndAnyVersion(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	for _, prefix := range []string{"", "/v21.0", "/v26.0"} {
		r := w.ok("GET", prefix+"/me?fields=id,client_business_id&access_token="+url.QueryEscape(biz), "", "")
		if r.text("client_business_id") != metasim.DemoCustomerBusiness {
			t.Errorf("%s/me = %s", prefix, r.raw)
		}
	}
}

func TestAppSecretProof(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	mac := hmac.New(sha256.New, []byte(w.sim.AppSecret(metasim.DemoAppID)))
	mac.Write([]byte(biz))
	good := "/me?appsecret_proof=" + hex.EncodeToString(mac.Sum(nil))
	w.ok("GET", good, biz, "")
	w.refuse("a wrong proof is checked even when none is required", "GET", "/me?appsecret_proof=00", biz, "", 100, 0)
	w.flip(func(s *metasim.Switches) { s.RequireAppSecretProof = true })
	w.ok("GET", good, biz, "")
	w.refuse("required", "GET", "/me", biz, "", 100, 0)
	if err := w.sim.SetAppSecret(metasim.DemoAppID, "rotated"); err != nil {
		t.Fatal(err)
	}
	w.refuse("rotation ends proofs", "GET", good, biz, "", 100, 0)
}

func TestRescue(t *testing.T) {
	w := newWorld(t)
	path := "/v25.0/" + metasim.DemoCustomerBusiness + "/system_user_access_tokens"
	w.refuse("not possible unless the switch says so", "POST", path, w.systemToken(), "fetch_only=true", 200, 0)
	w.flip(func(s *metasim.Switches) { s.Rescue = "works" })
	w.refuse("nothing shared yet", "POST", path, w.systemToken(), "fetch_only=true", 100, 33)
	w.code()
	tok := w.ok("POST", path, w.systemToken(), "fetch_only=true").text("access_token")
	w.ok("GET", "/v25.0/"+metasim.DemoWABA, tok, "")
}
