package metasim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// world is a simulator behind a real listener, with a clock that stands still.
type world struct {
	t     *testing.T
	sim   *metasim.Simulator
	url   string
	clock *clocktesting.FakeClock
	// client shows redirects as they are.
	client *http.Client
}

func newWorld(t *testing.T, change ...func(*metasim.Options)) *world {
	t.Helper()
	clk := clocktesting.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	sw := metasim.DefaultSwitches()
	sw.SentDelay, sw.DeliveredDelay, sw.ReadDelay = 0, metasim.Duration(time.Millisecond), metasim.Duration(2*time.Millisecond)
	sw.PartnerAddedWebhook = false
	o := metasim.Options{World: metasim.DemoWorld(), Clock: clk, Switches: &sw, Seed: 7}
	for _, c := range change {
		c(&o)
	}
	sim, err := metasim.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		if err := sim.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		srv.Close()
	})
	client := &http.Client{
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &world{t: t, sim: sim, url: srv.URL, clock: clk, client: client}
}

// reply is an answer of the Graph API.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    []byte
}

func (r reply) code() int    { return r.number("error", "code") }
func (r reply) subcode() int { return r.number("error", "error_subcode") }

func (r reply) at(path ...string) any {
	var v any = r.body
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (r reply) number(path ...string) int {
	f, ok := r.at(path...).(float64)
	if !ok {
		return 0
	}
	return int(f)
}

func (r reply) text(path ...string) string {
	s, ok := r.at(path...).(string)
	if !ok {
		return ""
	}
	return s
}

// do performs one call. A body that starts with "{" is sent as JSON, another one as a form.
func (w *world) do(method, path, token, body string) reply {
	w.t.Helper()
	r, err := w.try(method, path, token, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (w *world) try(method, path, token, body string) (reply, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() {
		if err := res.Body.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	}()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	out := reply{status: res.StatusCode, header: res.Header, raw: raw}
	if json.Unmarshal(raw, &out.body) != nil {
		out.body = nil
	}
	return out, nil
}

// ok performs a call that must succeed.
func (w *world) ok(method, path, token, body string) reply {
	w.t.Helper()
	r := w.do(method, path, token, body)
	if r.status != http.StatusOK {
		w.t.Fatalf("%s %s = %d %s", method, path, r.status, r.raw)
	}
	return r
}

// refuse performs a call that must fail with a code and subcode.
func (w *world) refuse(reason, method, path, token, body string, code, subcode int) reply {
	w.t.Helper()
	r := w.do(method, path, token, body)
	if r.status < 400 || r.code() != code || r.subcode() != subcode {
		w.t.Errorf("%s: %s %s = %d code %d/%d, want code %d/%d: %s", reason, method, path, r.status, r.code(), r.subcode(), code, subcode, r.raw)
	}
	if r.text("error", "fbtrace_id") == "" {
		w.t.Errorf("%s: the error has no fbtrace_id", reason)
	}
	return r
}

func (w *world) appToken() string {
	return metasim.DemoAppID + "|" + w.sim.AppSecret(metasim.DemoAppID)
}
func (w *world) directAppToken() string {
	return metasim.DemoDirectAppID + "|" + w.sim.AppSecret(metasim.DemoDirectAppID)
}
func (w *world) systemToken() string { return w.sim.SystemToken(metasim.DemoSystemUser) }
func (w *world) directToken() string { return w.sim.SystemToken(metasim.DemoDirectSystemUser) }

func (w *world) code() metasim.IssuedCode {
	w.t.Helper()
	c, err := w.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{metasim.DemoWABA}})
	if err != nil {
		w.t.Fatalf("IssueCode: %v", err)
	}
	return c
}

func (w *world) exchangePath(code string, extra ...string) string {
	q := url.Values{"client_id": {metasim.DemoAppID}, "client_secret": {w.sim.AppSecret(metasim.DemoAppID)}, "code": {code}}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return "/v25.0/oauth/access_token?" + q.Encode()
}

// businessToken signs up the demo customer.
func (w *world) businessToken() string {
	w.t.Helper()
	return w.ok("GET", w.exchangePath(w.code().Code), "", "").text("access_token")
}

func (w *world) flip(change func(*metasim.Switches)) {
	w.t.Helper()
	if err := w.sim.Switch(change); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fault(f metasim.Fault) {
	w.t.Helper()
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// post is one webhook POST that a receiver got.
type post struct {
	path      string
	host      string
	signature string
	body      []byte
}

func (p post) contains(s string) bool { return bytes.Contains(p.body, []byte(s)) }

// receiver is a webhook endpoint that knows its verify token.
type receiver struct {
	t   *testing.T
	srv *httptest.Server

	mu     sync.Mutex
	posts  []post
	answer func(n int) int // status of the n-th POST, from 1
	got    chan struct{}
}

const verifyToken = "pv_for_tests"

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, got: make(chan struct{}, 10_000), answer: func(int) int { return http.StatusOK }}
	r.srv = httptest.NewServer(r)
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		q := req.URL.Query()
		if q.Get("hub.mode") != "subscribe" || q.Get("hub.verify_token") != verifyToken {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if _, err := io.WriteString(w, q.Get("hub.challenge")); err != nil {
			r.t.Errorf("challenge: %v", err)
		}
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Errorf("webhook body: %v", err)
	}
	r.mu.Lock()
	r.posts = append(r.posts, post{req.URL.Path, req.Host, req.Header.Get("X-Hub-Signature-256"), body})
	status := r.answer(len(r.posts))
	r.mu.Unlock()
	w.WriteHeader(status)
	r.got <- struct{}{}
}

// wait returns the first n POSTs once they are there.
func (r *receiver) wait(n int) []post {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		r.mu.Lock()
		posts := append([]post(nil), r.posts...)
		r.mu.Unlock()
		if len(posts) >= n {
			return posts
		}
		select {
		case <-r.got:
		case <-deadline:
			r.t.Fatalf("only %d of %d webhooks came", len(posts), n)
		}
	}
}

// waitFor returns once a POST that contains the text is there.
func (r *receiver) waitFor(text string) {
	r.t.Helper()
	for n := 1; !anyContains(r.wait(n), text); n = len(r.wait(n)) + 1 {
	}
}

// connectDirect registers the direct app's webhook at the receiver and subscribes it to its account.
func (w *world) connectDirect(r *receiver) {
	w.t.Helper()
	form := url.Values{"object": {"whatsapp_business_account"}, "callback_url": {r.srv.URL + "/app"}, "verify_token": {verifyToken}, "fields": {"messages,account_update,standby,messaging_handovers,smb_message_echoes,history,smb_app_state_sync"}}
	w.ok("POST", "/v25.0/"+metasim.DemoDirectAppID+"/subscriptions", w.directAppToken(), form.Encode())
	w.ok("POST", "/v25.0/"+metasim.DemoDirectWABA+"/subscribed_apps", w.directToken(), "")
}

func (w *world) write(text string) metasim.SentMessage {
	w.t.Helper()
	m, err := w.sim.SendText(metasim.DemoCustomer, metasim.DemoDirectPhone, text)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func textMessage(to, body string) string {
	b, err := json.Marshal(map[string]any{
		"messaging_product": "whatsapp", "to": to, "type": "text", "text": map[string]any{"body": body}, "biz_opaque_callback_data": "row-1",
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}
