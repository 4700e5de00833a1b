package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// maxAttempts of one call, the first included. A customer waits meanwhile, and the retrieval assistant can answer.
	maxAttempts = 3
	// firstBackoff is the longest pause before the second attempt; it doubles with each.
	firstBackoff = 400 * time.Millisecond
	// maxWait is the longest pause that a provider may ask for and still be asked again.
	maxWait = 10 * time.Second
	// perLine is how many calls of one line may be under way on a replica, so that one shop whose provider hangs doesn't take
	// all connections and memory.
	perLine = 8
)

// bodyLimits cap answers by capability, in bytes; MaxResponseBytes for those that are not named.
var bodyLimits = map[runtimeconfig.Capability]int64{
	runtimeconfig.CapabilityImages:     16 << 20, // an image of 5 MB and more, in base64
	runtimeconfig.CapabilityEmbeddings: 16 << 20, // MaxEmbeddingTexts vectors of 3,072 numbers, in decimal
}

// MaxBodyBytes is what the http.Client should cap answers at; a Transport has lower limits for most.
const MaxBodyBytes = 16 << 20

// purpose says for whom and for what a call is made. It travels in the context, from a Pool to the Transport.
type purpose struct {
	line       string
	capability runtimeconfig.Capability
	provider   string
}

type purposeKey struct{}

func withPurpose(ctx context.Context, p purpose) context.Context {
	return context.WithValue(ctx, purposeKey{}, p)
}

// Transport is the way of all calls of models. It reads each answer as a whole, so that one that breaks off counts as a
// failed attempt; repeats attempts that may succeed later, as soon as the provider allows but with jitter; and bounds the
// calls of one line. It is safe for concurrent use.
type Transport struct {
	next    http.RoundTripper
	retries *prometheus.CounterVec
	// sleep is time.Sleep that ends with the context, but in tests.
	sleep func(context.Context, time.Duration) error

	mu    sync.Mutex
	lanes map[string]*lane // by line id; only those in use
}

// lane holds the places of one line.
type lane struct {
	places chan struct{}
	users  int
}

// NewTransport makes a Transport on top of next, which decides about addresses, and registers its metrics.
func NewTransport(next http.RoundTripper, metrics prometheus.Registerer) (*Transport, error) {
	t := &Transport{
		next: next, lanes: map[string]*lane{}, sleep: sleep,
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_model_retries_total",
			Help: "Repeated attempts of calls of models, by provider and capability.",
		}, []string{"provider", "capability"}),
	}
	return t, metrics.Register(t.retries)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	p, _ := req.Context().Value(purposeKey{}).(purpose)
	leave, err := t.enter(req.Context(), p.line)
	if err != nil {
		return nil, err
	}
	defer leave()
	for attempt := 1; ; attempt++ {
		res, err := t.attempt(req, p)
		wait, again := pause(req, res, err, attempt)
		if !again {
			return res, err
		}
		t.retries.WithLabelValues(p.provider, string(p.capability)).Inc()
		if t.sleep(req.Context(), wait) != nil {
			return res, err // what the provider said is worth more than that there was no time left
		}
	}
}

// attempt sends the request once and reads the answer.
func (t *Transport) attempt(req *http.Request, p purpose) (*http.Response, error) {
	once := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		once.Body = body
	}
	res, err := t.next.RoundTrip(once)
	if err != nil {
		return nil, err
	}
	limit := bodyLimits[p.capability]
	if limit == 0 {
		limit = MaxResponseBytes
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if closeErr := res.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && int64(len(body)) > limit {
		err = egress.ErrBodyTooLarge
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// pause says whether to try again and after which time. What a provider refuses for good is not repeated, nor is what would
// end after the request's deadline.
func pause(req *http.Request, res *http.Response, err error, attempt int) (time.Duration, bool) {
	if attempt >= maxAttempts || req.Context().Err() != nil || (req.Body != nil && req.GetBody == nil) {
		return 0, false
	}
	wait := time.Duration(rand.Int64N(int64(firstBackoff << (attempt - 1)))) //nolint:gosec // jitter is no secret
	switch {
	case err != nil:
		if errors.Is(err, egress.ErrAddressRefused) || errors.Is(err, egress.ErrRedirectRefused) || errors.Is(err, egress.ErrBodyTooLarge) {
			return 0, false
		}
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusNotImplemented:
		// All who were told the same time would come at once without the jitter.
		wait += retryAfter(res.Header)
	default:
		return 0, false
	}
	if deadline, ok := req.Context().Deadline(); wait > maxWait || (ok && time.Until(deadline) <= wait) {
		return 0, false
	}
	return wait, true
}

// enter takes one of the line's places and returns the function that gives it back. Calls without a line have no bound.
func (t *Transport) enter(ctx context.Context, line string) (leave func(), err error) {
	if line == "" {
		return func() {}, nil
	}
	t.mu.Lock()
	l := t.lanes[line]
	if l == nil {
		l = &lane{places: make(chan struct{}, perLine)}
		t.lanes[line] = l
	}
	l.users++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		l.users--
		if l.users == 0 {
			delete(t.lanes, line)
		}
	}
	select {
	case l.places <- struct{}{}:
		return func() { <-l.places; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the connections.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
