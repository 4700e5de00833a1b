package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// upstream is a provider that answers with a script, one step for each request and the last one for all further.
type upstream struct {
	*httptest.Server
	requests atomic.Int32
}

func newUpstream(t *testing.T, script ...http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(u.requests.Add(1))
		script[min(n, len(script))-1](w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) channel() *runtimeconfig.Channel {
	model := func() *runtimeconfig.Provider {
		return &runtimeconfig.Provider{Provider: "OpenAI", BaseURL: u.URL, Model: "m", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New(key)}
	}
	return &runtimeconfig.Channel{LineID: "line-a", Revision: "r1", Assistant: runtimeconfig.Assistant{Chat: model(), Transcription: model()}}
}

// send writes to a client that may have gone, on purpose.
func send(w io.Writer, body string) { _, _ = io.WriteString(w, body) }

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { send(w, body) }
}

func refuses(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(status)
		send(w, `{"error":{"message":"`+key+`"}}`)
	}
}

// breaks ends the connection in the middle of the answer.
func breaks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	send(w, answer[:20])
	panic(http.ErrAbortHandler)
}

// ledger is a Budget in memory, and what was reported.
type ledger struct {
	mu      sync.Mutex
	day     string
	used    map[string]int64
	err     error
	reports []string
}

func (l *ledger) ReserveTokens(_ context.Context, line, _ string, tokens int64, bound *int64) (day string, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || bound != nil && l.used[line]+tokens > *bound {
		return l.day, false, l.err
	}
	l.used[line] += tokens
	return l.day, true, nil
}

func (l *ledger) SettleTokens(_ context.Context, line, day string, difference int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if day == l.day {
		l.used[line] += difference
	}
	return l.err
}

func newPool(t *testing.T) (*Pool, *ledger, *[]time.Duration) {
	t.Helper()
	l := &ledger{day: "2026-03-01", used: map[string]int64{}}
	p, err := NewPool(PoolOptions{
		Client: loopback(), Budget: l, Metrics: prometheus.NewRegistry(),
		Report: func(_ context.Context, ch *runtimeconfig.Channel, c runtimeconfig.Capability, kind Kind) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.reports = append(l.reports, fmt.Sprintf("%s %s %q", ch.LineID, c, kind))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	var slept []time.Duration
	transport, ok := p.client.Transport.(*Transport)
	if !ok {
		t.Fatal("the pool has another transport")
	}
	transport.sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
	return p, l, &slept
}

func TestRetries(t *testing.T) {
	for _, tc := range []struct {
		reason   string
		script   []http.HandlerFunc
		requests int32
		want     Kind
		least    time.Duration // that the first pause lasts
	}{
		{"an answer at once", []http.HandlerFunc{says(answer)}, 1, "", 0},
		{"an error that passes", []http.HandlerFunc{refuses(500), says(answer)}, 2, "", 0},
		{"a connection that breaks before the answer", []http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, says(answer)}, 2, "", 0},
		{"a connection that breaks within the answer", []http.HandlerFunc{breaks, says(answer)}, 2, "", 0},
		{"throttled, with a time", []http.HandlerFunc{refuses(429, "Retry-After", "2"), says(answer)}, 2, "", 2 * time.Second},
		{"an overloaded Anthropic", []http.HandlerFunc{refuses(529), says(answer)}, 2, "", 0},
		{"a provider that stays down", []http.HandlerFunc{refuses(503)}, maxAttempts, Unavailable, 0},
		{"throttled for longer than a customer waits", []http.HandlerFunc{refuses(429, "Retry-After", "60")}, 1, RateLimited, 0},
		{"throttled for longer than the call may take", []http.HandlerFunc{refuses(429, "Retry-After", "9999")}, 1, RateLimited, 0},
		{"a refusal is for good", []http.HandlerFunc{refuses(401)}, 1, Unauthorized, 0},
		{"a bad request is for good", []http.HandlerFunc{refuses(400)}, 1, BadRequest, 0},
		{"an answer that is no JSON is for good", []http.HandlerFunc{says("Welcome!")}, 1, BadResponse, 0},
	} {
		u := newUpstream(t, tc.script...)
		p, _, slept := newPool(t)
		chat, err := p.Chat(u.channel())
		if err != nil {
			t.Fatal(err)
		}
		_, err = chat.Complete(t.Context(), question)
		if KindOf(err) != tc.want || u.requests.Load() != tc.requests {
			t.Errorf("%s: %v after %d requests, want %q after %d", tc.reason, err, u.requests.Load(), tc.want, tc.requests)
		}
		if len(*slept) > 0 && ((*slept)[0] < tc.least || (*slept)[0] > tc.least+firstBackoff) {
			t.Errorf("%s: waited %s, want %s and a little", tc.reason, (*slept)[0], tc.least)
		}
		if err != nil && strings.Contains(err.Error(), "sk-") {
			t.Errorf("%s: the error tells the key: %v", tc.reason, err)
		}
	}
}

func TestPlacesOfALine(t *testing.T) {
	release := make(chan struct{})
	var most, now atomic.Int32
	slow := func(w http.ResponseWriter, r *http.Request) {
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-release
		now.Add(-1)
		says(answer)(w, r)
	}
	u := newUpstream(t, slow)
	p, _, _ := newPool(t)
	busy, other := u.channel(), u.channel()
	other.LineID = "line-b"
	var calls sync.WaitGroup
	ask := func(ch *runtimeconfig.Channel) {
		calls.Go(func() {
			chat, err := p.Chat(ch)
			if err == nil {
				_, err = chat.Complete(t.Context(), question)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 * perLine {
		ask(busy)
	}
	for u.requests.Load() < perLine {
		<-time.After(time.Millisecond)
	}
	ask(other)
	for u.requests.Load() < perLine+1 { // the other line is served although this one's places are taken
		<-time.After(time.Millisecond)
	}
	close(release)
	calls.Wait()
	if most.Load() > perLine+1 {
		t.Errorf("%d calls at once, want %d and the other line's", most.Load(), perLine)
	}
	transport, ok := p.client.Transport.(*Transport)
	if !ok || len(transport.lanes) != 0 {
		t.Errorf("lanes of lines that are idle are kept: %v", transport.lanes)
	}
}

func TestPlacesAreGivenUpWithTheContext(t *testing.T) {
	transport, err := NewTransport(&http.Transport{}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for range perLine {
		if _, err := transport.enter(t.Context(), "line-a"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transport.enter(ctx, "line-a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTokenBudget(t *testing.T) {
	u := newUpstream(t, says(answer))
	p, l, _ := newPool(t)
	ch := u.channel()
	chat, err := p.Chat(ch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Complete(t.Context(), question); err != nil || l.used["line-a"] != 9 {
		t.Errorf("%v, counted %d tokens, the provider says 9", err, l.used["line-a"])
	}
	ch = u.channel()
	ch.Limits.TokensPerDay = new(int64(9 + 120)) // the question has a few tokens and may be answered with 99
	if chat, err = p.Chat(ch); err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Complete(t.Context(), question); err != nil {
		t.Errorf("there are tokens left: %v", err)
	}
	if l.used["line-a"] != 18 {
		t.Errorf("%d tokens are counted, want what the provider says of both calls", l.used["line-a"])
	}
	l.used["line-a"] = 100
	asked := u.requests.Load()
	if _, err := chat.Complete(t.Context(), question); KindOf(err) != BudgetUsedUp || l.used["line-a"] != 100 {
		t.Errorf("used up: %v, %d tokens", err, l.used["line-a"])
	}
	if n := testutil.ToFloat64(p.meter.refused.WithLabelValues("chat")); n != 1 {
		t.Errorf("%v refusals are measured", n)
	}
	short := question
	short.MaxTokens = 1
	if _, err := chat.Complete(t.Context(), short); err != nil {
		t.Errorf("a call that fits: %v", err)
	}
	l.err = errors.New("the store is away")
	if _, err := chat.Complete(t.Context(), question); KindOf(err) != BudgetUnknown || u.requests.Load() != asked+1 {
		t.Errorf("nobody knows: %v, asked %d times", err, u.requests.Load()-asked)
	}
	l.err, l.day, l.used["line-a"] = nil, "2026-03-02", 0
	if _, err := chat.Complete(t.Context(), question); err != nil {
		t.Errorf("the next day: %v", err)
	}
	want := []string{`line-a chat ""`, `line-a chat "TokenBudgetUsedUp"`, `line-a chat ""`} // the last one is the next day's
	if diff := cmp.Diff(want, l.reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// TestTokensOfCallsAtTheSameTime lets calls meet while their answers are on the way: none may spend what another one has reserved.
func TestTokensOfCallsAtTheSameTime(t *testing.T) {
	const callers, fit = 6, 2
	arrived, release := make(chan struct{}, callers), make(chan struct{})
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		says(answer)(w, r)
	})
	p, l, _ := newPool(t)
	ch := u.channel()
	ch.Limits.TokensPerDay = new(int64(2*101 + 50)) // each question is estimated at 99 tokens and a few of its own
	var group sync.WaitGroup
	kinds := make([]Kind, callers)
	refused := make(chan struct{}, callers)
	for i := range callers {
		group.Go(func() {
			chat, err := p.Chat(ch)
			if err == nil {
				_, err = chat.Complete(t.Context(), question)
			}
			if kinds[i] = KindOf(err); err != nil {
				refused <- struct{}{}
			}
		})
	}
	for range fit {
		<-arrived
	}
	for range callers - fit {
		<-refused
	}
	close(release)
	group.Wait()
	answered := 0
	for _, kind := range kinds {
		switch kind {
		case "":
			answered++
		case BudgetUsedUp:
		default:
			t.Errorf("got %s", kind)
		}
	}
	if answered != fit || l.used["line-a"] != fit*9 {
		t.Errorf("%d were answered, %d tokens counted", answered, l.used["line-a"])
	}
}

// TestTroubleThatComesAndGoes must not be news with every call.
func TestTroubleThatComesAndGoes(t *testing.T) {
	p, _, _ := newPool(t)
	at, now := slot{"line-a", runtimeconfig.CapabilityChat}, time.Now()
	var told []string
	for _, step := range []struct {
		after time.Duration
		kind  Kind
	}{
		{0, Unavailable}, {time.Second, RateLimited}, {time.Second, ""}, {time.Second, Unavailable}, {time.Second, ""},
		{time.Second, Unauthorized}, {time.Second, ""}, {time.Minute, Unavailable}, {time.Hour, Unavailable}, {time.Second, ""},
	} {
		if now = now.Add(step.after); p.news(at, health{revision: "r1", kind: step.kind}, now) {
			told = append(told, string(step.kind))
		}
	}
	want := []string{"ProviderUnavailable", "", "ProviderUnauthorized", "", "ProviderUnavailable", ""}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUncountedTokensAreTold(t *testing.T) {
	u := newUpstream(t, says(answer))
	p, l, _ := newPool(t)
	l.err = errors.New("the store is away")
	chat, err := p.Chat(u.channel())
	if err != nil {
		t.Fatal(err)
	}
	if res, err := chat.Complete(t.Context(), question); err != nil || res.Text != "Yes." {
		t.Errorf("the customer has to be answered: %+v, %v", res, err)
	}
	if n := testutil.ToFloat64(p.meter.uncounted); n != 9 {
		t.Errorf("%v uncounted tokens", n)
	}
}

func TestHealthIsReportedOnce(t *testing.T) {
	script := []http.HandlerFunc{refuses(401), refuses(401), says(answer), refuses(400), says(answer), says(answer)}
	u := newUpstream(t, script...)
	p, l, _ := newPool(t)
	ch := u.channel()
	for range 5 {
		chat, err := p.Chat(ch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chat.Complete(t.Context(), question); err != nil && KindOf(err) == "" {
			t.Error(err)
		}
	}
	changed := u.channel()
	changed.Revision = "r2"
	chat, err := p.Chat(changed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Complete(t.Context(), question); err != nil {
		t.Error(err)
	}
	want := []string{`line-a chat "ProviderUnauthorized"`, `line-a chat ""`, `line-a chat ""`} // the last one is the changed channel's
	if diff := cmp.Diff(want, l.reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func TestCallerThatLeavesSaysNothingOfTheModel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil { // a server looks whether the client has gone once it has read all
			t.Error(err)
		}
		cancel()
		<-r.Context().Done()
	})
	p, l, _ := newPool(t)
	chat, err := p.Chat(u.channel())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Complete(ctx, question); !errors.Is(err, context.Canceled) || len(l.reports) > 0 {
		t.Errorf("got %v, reports %q", err, l.reports)
	}
}

func TestPoolMeasures(t *testing.T) {
	u := newUpstream(t, refuses(500), says(answer), says(`{"text":"hello","duration":2.5}`))
	p, _, _ := newPool(t)
	chat, err1 := p.Chat(u.channel())
	speech, err2 := p.Transcriber(u.channel())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	_, err1 = chat.Complete(t.Context(), question)
	_, err2 = speech.Transcribe(t.Context(), Audio{Data: []byte("OggS")})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for want, labels := range map[float64][]string{
		7: {"OpenAI", "chat", "prompt_tokens"}, 2: {"OpenAI", "chat", "completion_tokens"}, 2.5: {"OpenAI", "transcription", "audio_seconds"},
	} {
		if got := testutil.ToFloat64(p.meter.usage.WithLabelValues(labels...)); got != want {
			t.Errorf("%q: %v, want %v", labels, got, want)
		}
	}
	if n := testutil.CollectAndCount(p.meter.seconds); n != 2 {
		t.Errorf("%d histograms, want one for each capability", n)
	}
}

func TestNotConfigured(t *testing.T) {
	p, l, _ := newPool(t)
	ch := &runtimeconfig.Channel{LineID: "line-a", Assistant: runtimeconfig.Assistant{Images: &runtimeconfig.Provider{Provider: "Anthropic"}}}
	_, err1 := p.Chat(ch)
	_, err2 := p.Vision(ch)
	_, err3 := p.Transcriber(ch)
	_, err4 := p.Embedder(ch)
	_, err5 := p.ImageGenerator(ch)
	for i, want := range []Kind{NotConfigured, NotConfigured, NotConfigured, NotConfigured, Unsupported} {
		if err := []error{err1, err2, err3, err4, err5}[i]; KindOf(err) != want {
			t.Errorf("%d: %v, want %s", i, err, want)
		}
	}
	if len(l.reports) > 0 {
		t.Errorf("reports %q", l.reports)
	}
}

func TestImagesGoInTheRequest(t *testing.T) {
	var body strings.Builder
	chat := dial(t, New, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if err := r.Write(&body); err != nil {
			t.Error(err)
		}
		write(t, w, answer)
	})
	req := Request{Messages: []Message{{Role: RoleUser, Text: "What is this?", Images: []Image{{MIMEType: "image/png", Data: png}}}}}
	if _, err := chat.Complete(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(body.String(), `{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBOR`) || !strings.Contains(body.String(), `{"type":"text","text":"What is this?"}`) {
		t.Errorf("sent %s", body.String())
	}
}
