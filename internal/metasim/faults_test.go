package metasim_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

func TestLostAnswers(t *testing.T) {
	cases := []struct {
		action  string
		applied bool
	}{
		{metasim.ActionResetBefore, false}, {metasim.ActionResetAfter, true},
		{metasim.ActionTimeoutBefore, false}, {metasim.ActionTimeoutAfter, true},
	}
	for _, tc := range cases {
		t.Run(tc.action, func(t *testing.T) {
			w := newWorld(t)
			c := w.code()
			w.fault(metasim.Fault{Call: "exchange", Action: tc.action, Latency: metasim.Duration(10 * time.Millisecond)})
			if r, err := w.try("GET", w.exchangePath(c.Code), "", ""); err == nil {
				t.Fatalf("an answer came: %d %s", r.status, r.raw)
			}
			r := w.do("GET", w.exchangePath(c.Code), "", "")
			if (r.subcode() == 36009) != tc.applied {
				t.Errorf("the code was spent = %v, want %v: %s", r.subcode() == 36009, tc.applied, r.raw)
			}
			if n := w.sim.Counters().CodeSends[c.ID]; n != 2 {
				t.Errorf("counted %d sends of the code, want 2", n)
			}
		})
	}
}

func TestReplacedAnswers(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	path := wabaPath + "/subscribed_apps"
	w.fault(metasim.Fault{Call: "subscribe", Action: metasim.ActionHTTPStatus, Status: 503})
	if r := w.do("POST", path, biz, ""); r.status != 503 || !strings.Contains(string(r.raw), "<html>") {
		t.Errorf("%d %s", r.status, r.raw)
	}
	w.fault(metasim.Fault{Call: "subscribe", Action: metasim.ActionMalformedJSON})
	if r := w.do("POST", path, biz, ""); r.status != 200 || json.Valid(r.raw) {
		t.Errorf("%d %s", r.status, r.raw)
	}
	w.fault(metasim.Fault{Call: "subscribe", Action: metasim.ActionHugeBody, Size: 1 << 20})
	if r := w.do("POST", path, biz, ""); len(r.raw) < 1<<20 {
		t.Errorf("only %d bytes", len(r.raw))
	}
	if n := len(w.ok("GET", path, biz, "").at("data").([]any)); n != 0 {
		t.Fatalf("a replaced answer changed the state: %d subscriptions", n)
	}
	w.fault(metasim.Fault{Call: "subscribe", Action: metasim.ActionGraphError, ApplyFirst: true, Error: &metasim.FaultError{
		HTTP: 500, Code: 2, Message: "Service temporarily unavailable", Transient: true, Headers: map[string]string{"Retry-After": "1"},
	}})
	r := w.refuse("scripted", "POST", path, biz, "", 2, 0)
	if r.status != 500 || r.header.Get("Retry-After") != "1" || r.at("error", "is_transient") != true {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if n := len(w.ok("GET", path, biz, "").at("data").([]any)); n != 1 {
		t.Errorf("applyFirst did not apply: %d subscriptions", n)
	}
}

func TestFaultMatching(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	fail := &metasim.FaultError{Code: 131000}
	w.fault(metasim.Fault{Path: "/*/phone_numbers", Method: "get", Skip: 1, Count: 2, Action: metasim.ActionGraphError, Error: fail})
	w.fault(metasim.Fault{ObjectID: metasim.DemoPhoneNumber, TokenSuffix: biz[len(biz)-6:], Count: -1, Action: metasim.ActionGraphError, Error: fail})
	var codes []int
	for range 4 {
		codes = append(codes, w.do("GET", wabaPath+"/phone_numbers", biz, "").code())
	}
	if diff := cmp.Diff([]int{0, 131000, 131000, 0}, codes); diff != "" {
		t.Errorf("skip one, break two (-want +got):\n%s", diff)
	}
	for range 3 {
		w.refuse("always", "GET", phonePath, biz, "", 131000, 0)
	}
	w.ok("GET", phonePath, w.systemToken(), "")
	w.sim.ClearFaults(0)
	w.ok("GET", phonePath, biz, "")
	if _, err := w.sim.AddFault(metasim.Fault{Action: "explode"}); err == nil {
		t.Error("an unknown action must be refused")
	}
	if _, err := w.sim.AddFault(metasim.Fault{Action: metasim.ActionResetBefore, Rate: 1.5}); err == nil {
		t.Error("a rate above 1 must be refused")
	}
	w.fault(metasim.Fault{ObjectID: metasim.DemoPhoneNumber, Rate: 0.5, Count: 10, Action: metasim.ActionGraphError, Error: fail})
	broken := 0
	for range 100 {
		if w.do("GET", phonePath, biz, "").code() != 0 {
			broken++
		}
	}
	if broken != 10 {
		t.Errorf("%d calls of 100 were broken, want the 10 of the count", broken)
	}
}

func TestHangEndsWithTheClient(t *testing.T) {
	w := newWorld(t)
	w.fault(metasim.Fault{Call: "me", Action: metasim.ActionTimeoutBefore}) // an hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.client.Do(req)
	if err == nil {
		if cerr := res.Body.Close(); cerr != nil {
			t.Error(cerr)
		}
		t.Fatal("an answer came")
	}
	var nerr net.Error
	if !errors.As(err, &nerr) || !nerr.Timeout() {
		t.Errorf("err = %v, want a timeout", err)
	}
}

func TestWebhookFaults(t *testing.T) {
	w := newWorld(t, func(o *metasim.Options) { o.TimeScale = 1e6 })
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.fault(metasim.Fault{Call: "webhook", Action: metasim.ActionDrop, Count: 2})
	m := w.write("dropped twice")
	d, err := w.sim.AwaitDelivery(t.Context(), m.Deliveries[0])
	if err != nil {
		t.Fatal(err)
	}
	if d.Attempts != 3 || len(rec.wait(1)) != 1 {
		t.Errorf("delivery = %+v", d)
	}
	w.fault(metasim.Fault{Call: "webhook", Action: metasim.ActionForge})
	w.write("forged")
	if p := rec.wait(2)[1]; w.signed(metasim.DemoDirectAppID, p) {
		t.Error("the signature is right")
	}
}

func TestJournalHoldsNoSecret(t *testing.T) {
	w := newWorld(t)
	c := w.code()
	biz := w.ok("GET", w.exchangePath(c.Code), "", "").text("access_token")
	w.ok("GET", "/debug_token?input_token="+biz, w.appToken(), "")
	w.ok("POST", phonePath+"/register", biz, register)
	entries := w.sim.Journal("", 0)
	text, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"code": c.Code, "token": biz, "app secret": w.sim.AppSecret(metasim.DemoAppID), "PIN": "581063"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the journal holds the %s", name)
		}
	}
	var calls []string
	for _, e := range entries {
		calls = append(calls, e.Call)
	}
	if diff := cmp.Diff([]string{"exchange", "debug_token", "register"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if e := w.sim.Journal("exchange", 0)[0]; e.CodeID != c.ID || e.Params["code"] != "***" || e.Params["client_id"] != metasim.DemoAppID {
		t.Errorf("entry = %+v", e)
	}
	if got := w.sim.Journal("", entries[1].Seq); len(got) != 1 {
		t.Errorf("after: %d entries", len(got))
	}
}

func TestLatencySwitchAndFaultsOfEveryCall(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.fault(metasim.Fault{Count: -1, Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 2}})
	w.refuse("a fault without name breaks every Graph call", "GET", "/me", w.directToken(), "", 2, 0)
	w.write("but no webhook")
	rec.wait(1)
	w.sim.ClearFaults(0)
	const latency = 30 * time.Millisecond
	w.flip(func(s *metasim.Switches) { s.GraphLatency = metasim.Duration(latency) })
	start := time.Now()
	r := w.ok("GET", "/me", w.directToken(), "")
	if took := time.Since(start); took < latency || r.header.Get("X-App-Usage") == "" {
		t.Errorf("answered after %v with headers %v", took, r.header)
	}
	if r := w.do("GET", "/me", "", ""); r.header.Get("X-App-Usage") == "" {
		t.Error("refused callers must get the usage header too")
	}
}
