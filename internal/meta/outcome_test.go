package meta

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// verdictOf is the part of an error that callers decide on.
type verdictOf struct {
	Outcome    Outcome
	Class      Class
	RetryAfter time.Duration
	Temporary  bool
}

func verdictFrom(e *Error) verdictOf {
	return verdictOf{e.Outcome, e.Class, e.RetryAfter, e.Temporary()}
}

// callsWithSecrets are calls that carry every kind of secret.
func callsWithSecrets() map[string]func(context.Context, *Client) error {
	return map[string]func(context.Context, *Client) error{
		"ExchangeCode": func(ctx context.Context, c *Client) error {
			_, err := c.ExchangeCode(ctx, exchangeRequest())
			return err
		},
		"RegisterPhone": func(ctx context.Context, c *Client) error {
			return c.RegisterPhone(ctx, cred, "106", Registration{PIN: testPIN})
		},
		"DebugToken": func(ctx context.Context, c *Client) error {
			_, err := c.DebugToken(ctx, cred, redact.New(testInputToken))
			return err
		},
		"SubscribeApp": func(ctx context.Context, c *Client) error {
			return c.SubscribeApp(ctx, cred, "102", &CallbackOverride{testRedirect, redact.New(testVerifyToken)})
		},
	}
}

// TestOutcomeOfAnswers sends each kind of bad answer to each kind of call.
func TestOutcomeOfAnswers(t *testing.T) {
	usage := http.Header{"X-Business-Use-Case-Usage": {`{"1":[{"type":"x","call_count":100,"estimated_time_to_regain_access":7}]}`}}
	for _, tc := range []struct {
		reason string
		status int
		header http.Header
		body   string
		want   verdictOf
	}{
		{"an HTML error page", 500, nil, "<html>" + testToken, verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"an empty 502", 502, nil, "", verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"JSON that is cut", 200, nil, `{"access_token":"EAAGsecr`, verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"JSON without what was asked for", 200, nil, `{"data":{}}`, verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"an answer that is no object", 200, nil, `"ok"`, verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"a huge answer", 200, nil, `{"x":"` + strings.Repeat("x", maxAnswer) + `"}`, verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"a redirect", 302, http.Header{"Location": {testRedirect}}, "", verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"a timeout of a proxy", 408, nil, "", verdictOf{Unknown, ClassBadResponse, 0, true}},
		{"throttling as 400, with a hint", 400, usage, envelope(4, 0, ""), verdictOf{Throttled, ClassRateLimited, 7 * time.Minute, true}},
		{"too many messages of a number, while there are no calls left", 400, usage, envelope(130429, 0, ""), verdictOf{Throttled, ClassRateLimited, 0, true}},
		{"too many messages to a user, likewise", 400, usage, envelope(131056, 0, ""), verdictOf{Throttled, ClassPairRateLimit, 0, true}},
		{"maintenance, likewise", 500, usage, envelope(131057, 0, ""), verdictOf{Throttled, ClassMaintenance, waitMaintenance, true}},
		{"too many messages of a number, with a time", 429, http.Header{"Retry-After": {"9"}}, envelope(130429, 0, ""), verdictOf{Throttled, ClassRateLimited, 9 * time.Second, true}},
		{"throttling as 403", 403, nil, envelope(613, 0, ""), verdictOf{Throttled, ClassRateLimited, 0, true}},
		{"throttling as 429 with a foreign code", 429, http.Header{"Retry-After": {"30"}}, envelope(999999, 0, ""), verdictOf{Throttled, ClassRateLimited, 30 * time.Second, true}},
		{"throttling as 429 without a Graph error", 429, http.Header{"Retry-After": {"5"}}, "slow down", verdictOf{Throttled, ClassRateLimited, 5 * time.Second, true}},
		{"an absurd hint is cut", 429, http.Header{"Retry-After": {"99999999"}}, "", verdictOf{Throttled, ClassRateLimited, maxRetryAfter, true}},
		{"a dead token", 401, nil, envelope(190, 463, ""), verdictOf{Rejected, ClassTokenInvalid, 0, false}},
		{"a dead token in an answer of success", 200, nil, envelope(190, 463, ""), verdictOf{Rejected, ClassTokenInvalid, 0, false}},
		{"an overloaded service", 503, nil, envelope(2, 0, ""), verdictOf{Unknown, ClassAmbiguous, 0, true}},
		{"a foreign code that is transient", 400, nil, envelope(999999, 0, `,"is_transient":true`), verdictOf{Unknown, ClassAmbiguous, 0, true}},
		{"a foreign code of a failing server", 500, nil, envelope(999999, 0, ""), verdictOf{Unknown, ClassAmbiguous, 0, true}},
		{"a foreign code", 400, nil, envelope(999999, 0, ""), verdictOf{Rejected, ClassUnclassified, 0, false}},
	} {
		for name, call := range callsWithSecrets() {
			t.Run(tc.reason+"/"+name, func(t *testing.T) {
				body := tc.body
				if name == "RegisterPhone" && body == `{"data":{}}` {
					// Any object is a success here: the answer for a registered number is not published.
					body = `[]`
				}
				s := serve(t, answering(tc.status, tc.header, body))
				e := mustError(t, call(testContext(t), newClient(t, s.URL)))
				if diff := cmp.Diff(tc.want, verdictFrom(e)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", e, diff)
				}
				if strings.Contains(tc.body, testTraceID) && e.TraceID() != testTraceID {
					t.Errorf("TraceID() = %q, want it for the log", e.TraceID())
				}
			})
		}
	}
}

// TestRefusalWithoutGraphError: a page that is not Graph's proves that a request was kept from Meta, which somebody mends, but not that a
// code lives, or that no credit was given.
func TestRefusalWithoutGraphError(t *testing.T) {
	s := serve(t, answering(403, nil, "<html>blocked by the proxy"))
	c := newClient(t, s.URL)
	e := mustError(t, c.UnsubscribeApp(testContext(t), cred, "102"))
	if e.Outcome != NotSent || e.Class != ClassBadResponse || !e.Temporary() {
		t.Errorf("unsubscribe: %s", e)
	}
	_, exchange := c.ExchangeCode(testContext(t), exchangeRequest())
	_, share := c.ShareCredit(testContext(t), cred, "102", "103")
	_, attach := c.AttachCredit(testContext(t), cred, "102", "104", "USD")
	_, both := c.ShareAndAttachCredit(testContext(t), cred, "102", "104", "USD")
	for _, err := range []error{exchange, share, attach, both} {
		if e := mustError(t, err); e.Outcome != Unknown {
			t.Errorf("%s, want an unknown outcome", e)
		}
	}
}

func TestSuccessFalseIsRejected(t *testing.T) {
	s := serve(t, answering(200, nil, `{"success":"false","allocation_config_id":"1"}`))
	c := newClient(t, s.URL)
	ctx := testContext(t)
	_, attachErr := c.AttachCredit(ctx, cred, "1", "2", "USD")
	for _, err := range []error{
		c.UnsubscribeApp(ctx, cred, "102"), c.RegisterPhone(ctx, cred, "106", Registration{PIN: testPIN}), attachErr,
	} {
		if e := mustError(t, err); e.Outcome != Rejected {
			t.Errorf("%s, want rejected", e)
		}
	}
}

// rawServer accepts connections and hands each to a function that may do to it what no http.Server does.
func rawServer(t *testing.T, handle func(conn *net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn.(*net.TCPConn))
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return "http://" + l.Addr().String()
}

// reset closes a connection so that the peer sees a reset.
func reset(conn *net.TCPConn) {
	if conn.SetLinger(0) == nil {
		_ = conn.Close()
	}
}

func TestOutcomeOfNetwork(t *testing.T) {
	read := func(t *testing.T, conn *net.TCPConn) {
		t.Helper()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Errorf("the request did not arrive: %v", err)
		}
	}
	after := rawServer(t, func(conn *net.TCPConn) { read(t, conn); reset(conn) })
	half := rawServer(t, func(conn *net.TCPConn) {
		read(t, conn)
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	untrusted := httptest.NewUnstartedServer(answering(200, nil, success))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	outdated := httptest.NewUnstartedServer(answering(200, nil, success))
	outdated.Config.ErrorLog = log.New(io.Discard, "", 0)
	outdated.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	outdated.StartTLS()
	t.Cleanup(outdated.Close)
	plain := serve(t, answering(200, nil, success))
	nobody := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return "http://" + l.Addr().String()
	}()
	noName := func(cfg *Config) {
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "graph.example", IsNotFound: true}}
		}
	}
	for _, tc := range []struct {
		reason, url string
		change      func(*Config)
		outcome     Outcome
		meaning     string
	}{
		{"nobody listens", nobody, nil, NotSent, "could not be reached"},
		{"the name is unknown", "https://graph.example", noName, NotSent, "could not be resolved"},
		{"the certificate is not trusted", untrusted.URL, nil, NotSent, "not trusted"},
		{"the server speaks no TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, NotSent, "TLS handshake"},
		{"the server refuses our version of TLS", outdated.URL, nil, NotSent, "TLS handshake"},
		{"reset after the request was read", after, nil, Unknown, "broke before the answer"},
		{"the answer is cut", half, nil, Unknown, "broke before the answer"},
	} {
		for name, call := range callsWithSecrets() {
			t.Run(tc.reason+"/"+name, func(t *testing.T) {
				var change []func(*Config)
				if tc.change != nil {
					change = append(change, tc.change)
				}
				e := mustError(t, call(testContext(t), newClient(t, tc.url, change...)))
				if e.Outcome != tc.outcome || e.Class != ClassNetwork || !e.Temporary() || !strings.Contains(e.Error(), tc.meaning) {
					t.Errorf("got %s (%s, %s), want %s because %s", e, e.Outcome, e.Class, tc.outcome, tc.meaning)
				}
			})
		}
	}
}

// TestSlowSendIsAwaited: Meta fetches the image of a link before it answers.
func TestSlowSendIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			request, err := http.ReadRequest(bufio.NewReader(theirs))
			if err == nil {
				_, err = io.Copy(io.Discard, request.Body)
			}
			<-time.After(15 * time.Second)
			if err == nil {
				_, err = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+`{"messages":[{"id":"wamid.1"}]}`)
			}
			if err = errors.Join(err, theirs.Close()); err != nil {
				t.Error(err)
			}
		}()
		c := newClient(t, "http://graph.example", func(cfg *Config) {
			cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
		})
		m := Message{To: Recipient{Phone: "1650"}, Image: &Image{Link: "https://shop.example/fern.jpg"}}
		if sent, err := c.SendMessage(t.Context(), cred, "1", m); err != nil || sent.MessageID != "wamid.1" {
			t.Errorf("got %+v, %v", sent, err)
		}
	})
}

// lapsing is a context whose deadline passes when the test says so.
type lapsing struct {
	context.Context //nolint:containedctx // it is a context, made of another one
	done            chan struct{}
}

func (l lapsing) Done() <-chan struct{} { return l.done }

func (l lapsing) Err() error {
	select {
	case <-l.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestOutcomeOfContext(t *testing.T) {
	t.Run("cancelled before the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := serve(t, answering(200, nil, success))
		e := mustError(t, newClient(t, s.URL).UnsubscribeApp(ctx, cred, "102"))
		if e.Outcome != NotSent || !errors.Is(e, context.Canceled) {
			t.Errorf("got %s wrapping %v", e, e.Unwrap())
		}
	})
	t.Run("cancelled while dialling", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, "http://127.0.0.1:1", func(cfg *Config) {
			cfg.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		e := mustError(t, c.UnsubscribeApp(ctx, cred, "102"))
		if e.Outcome != NotSent || !errors.Is(e, context.Canceled) {
			t.Errorf("got %s wrapping %v", e, e.Unwrap())
		}
	})
	for name, call := range callsWithSecrets() {
		t.Run("cancelled after the request arrived/"+name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			e := mustError(t, call(ctx, newClient(t, s.URL)))
			if e.Outcome != Unknown || !errors.Is(e, context.Canceled) {
				t.Errorf("got %s wrapping %v", e, e.Unwrap())
			}
		})
		t.Run("deadline after the request arrived/"+name, func(t *testing.T) {
			ctx := lapsing{t.Context(), make(chan struct{})}
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				close(ctx.done)
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			e := mustError(t, call(ctx, newClient(t, s.URL)))
			if e.Outcome != Unknown || !errors.Is(e, context.DeadlineExceeded) || !strings.Contains(e.Error(), "timed out") {
				t.Errorf("got %s wrapping %v", e, e.Unwrap())
			}
		})
	}
}

// trap is a server that makes net/http repeat requests: it answers a warm-up, then reads the next request of the same
// connection whole, counts it, and resets the connection.
func trap(t *testing.T, count *atomic.Int32) string {
	t.Helper()
	return rawServer(t, func(conn *net.TCPConn) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				_ = conn.Close()
				return
			}
			_, err = io.Copy(io.Discard, req.Body)
			warmUp := strings.HasSuffix(req.URL.Path, "/me") || req.URL.Query().Get("code") == "warm-up"
			if err != nil || !warmUp {
				count.Add(1)
				reset(conn)
				return
			}
			_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{\"id\":\"1\",\"access_token\":\"EAAG\"}")
			if err != nil || req.Close {
				_ = conn.Close()
				return
			}
		}
	})
}

// TestNothingIsSentTwice shows first that the trap works on a plain client, then that ours does not fall into it.
func TestNothingIsSentTwice(t *testing.T) {
	t.Run("a plain client falls into the trap", func(t *testing.T) {
		var count atomic.Int32
		url := trap(t, &count)
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(url + "/me")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Get(url + "/oauth/access_token"); err == nil {
			_ = resp.Body.Close()
			t.Fatal("the trap answered")
		}
		if got := count.Load(); got != 2 {
			t.Errorf("the request was sent %d times, want 2, else this test proves nothing", got)
		}
	})
	calls := callsWithSecrets()
	delete(calls, "DebugToken") // a read, which may be repeated
	calls["UnsubscribeApp"] = func(ctx context.Context, c *Client) error { return c.UnsubscribeApp(ctx, cred, "102") }
	calls["DeregisterPhone"] = func(ctx context.Context, c *Client) error { return c.DeregisterPhone(ctx, cred, "106") }
	calls["SendMessage"] = func(ctx context.Context, c *Client) error {
		_, err := c.SendMessage(ctx, cred, "106", Message{To: Recipient{Phone: "1"}, Text: &Text{Body: "x"}})
		return err
	}
	calls["UploadMedia"] = func(ctx context.Context, c *Client) error {
		_, err := c.UploadMedia(ctx, cred, "106", MediaUpload{MIMEType: "image/png", Content: []byte("x")})
		return err
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			c := newClient(t, trap(t, &count))
			if err := warmUp(testContext(t), c, name); err != nil {
				t.Fatalf("warm-up: %v", err)
			}
			e := mustError(t, call(testContext(t), c))
			if got := count.Load(); got != 1 || e.Outcome != Unknown {
				t.Errorf("sent %d times with %s, want once with an unknown outcome", got, e)
			}
		})
	}
}

// warmUp makes a call that succeeds, on the transport that the call by that name uses.
func warmUp(ctx context.Context, c *Client, name string) error {
	if name == actionExchangeCode {
		_, err := c.ExchangeCode(ctx, ExchangeRequest{Code: redact.New("warm-up")})
		return err
	}
	_, err := c.Me(ctx, cred)
	return err
}

func TestExchangeNeverReusesAConnection(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(answering(200, nil, `{"access_token":"EAAGx"}`))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := newClient(t, s.URL)
	for range 3 {
		if _, err := c.ExchangeCode(testContext(t), exchangeRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if got := conns.Load(); got != 3 {
		t.Errorf("three exchanges used %d connections", got)
	}
}

// TestNoHTTP2 offers HTTP/2, which the client must not take.
func TestNoHTTP2(t *testing.T) {
	protocols := make(chan string, 2)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		_, _ = io.WriteString(w, `{"access_token":"EAAGx","id":"1"}`)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	tlsConfig := s.Client().Transport.(*http.Transport).TLSClientConfig
	c := newClient(t, s.URL, func(cfg *Config) { cfg.TLS = tlsConfig })
	if _, err := c.ExchangeCode(testContext(t), exchangeRequest()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Me(testContext(t), cred); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := <-protocols; got != "HTTP/1.1" {
			t.Errorf("spoke %s", got)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var foreign atomic.Int32
	thief := serve(t, func(http.ResponseWriter, *http.Request) { foreign.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, answering(status, http.Header{"Location": {thief.URL}}, ""))
		for _, call := range callsWithSecrets() {
			if e := mustError(t, call(testContext(t), newClient(t, s.URL))); e.Outcome != Unknown {
				t.Errorf("HTTP %d: %s", status, e)
			}
		}
	}
	if foreign.Load() != 0 {
		t.Errorf("the foreign server was called %d times", foreign.Load())
	}
}

func TestLimitAndObserve(t *testing.T) {
	s := serve(t, answering(200, http.Header{"X-App-Usage": {`{"call_count":28,"total_time":83,"total_cputime":25}`}}, `{"id":"1","access_token":"EAAGx"}`))
	var seen []Call
	var asked []string
	c := newClient(t, s.URL, func(cfg *Config) {
		cfg.Observe = func(call Call) { seen = append(seen, call) }
		cfg.Limit = func(action, object string) (time.Duration, bool) {
			asked = append(asked, action+" "+object)
			return 3 * time.Second, object == "1"
		}
	})
	ctx := testContext(t)
	if _, err := c.PhoneNumber(ctx, cred, "1"); err != nil {
		t.Fatal(err)
	}
	_, err := c.PhoneNumber(ctx, cred, "2")
	e := mustError(t, err)
	if diff := cmp.Diff(verdictOf{Throttled, ClassRateLimited, 3 * time.Second, true}, verdictFrom(e)); diff != "" {
		t.Errorf("held back (-want +got):\n%s", diff)
	}
	if _, err := c.ExchangeCode(ctx, exchangeRequest()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ReadPhoneNumber 1", "ReadPhoneNumber 2"}, asked); diff != "" {
		t.Errorf("asked the limit (-want +got):\n%s", diff)
	}
	for i := range seen {
		if seen[i].Duration < 0 {
			t.Errorf("duration %v", seen[i].Duration)
		}
		seen[i].Duration = 0
	}
	want := []Call{
		{Action: "ReadPhoneNumber", Outcome: Succeeded, UsagePercent: 83},
		{Action: "ReadPhoneNumber", Outcome: Throttled, Class: ClassRateLimited},
		{Action: "ExchangeCode", Outcome: Succeeded, UsagePercent: 83},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}
