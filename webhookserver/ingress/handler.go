package ingress

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Path is where Meta delivers, for all apps and channels.
const Path = "/webhooks/whatsapp"

// Store is what the ingress needs of the store.
type Store interface {
	store.Ingester
	store.Reports
}

// Options make a Handler. All but Received and Tracer are required.
type Options struct {
	View    *source.View
	Store   Store
	Metrics prometheus.Registerer
	Log     logr.Logger
	// Now is the clock, time.Now outside tests.
	Now func() time.Time
	// Received is told how many messages were stored for a number, which count against its rate at Meta. It must not block.
	Received func(phoneNumberID string, n int)
	// Tracer records customers' messages; nil if it is off.
	Tracer *tracing.Tracer
}

// Handler answers Meta on Path. Its Run must run beside it.
type Handler struct {
	view     *source.View
	store    Store
	metrics  *metrics
	log      logr.Logger
	now      func() time.Time
	received func(phoneNumberID string, n int)
	tracer   *tracing.Tracer
	budget   budget
	observer *observer
	refused  *rate.Limiter
	keeper   *keeper
	// pending tells that there are changes to be projected.
	pending chan struct{}

	limitersMu sync.Mutex
	limiters   map[string]*rate.Limiter // by what they limit and whose
}

// New makes a Handler. It fails if the metrics are registered already.
func New(o Options) (*Handler, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	if o.Received == nil {
		o.Received = func(string, int) {}
	}
	return &Handler{
		view: o.View, store: o.Store, metrics: m, log: o.Log, now: o.Now, received: o.Received, tracer: o.Tracer,
		budget: newBudget(MaxInFlight), observer: newObserver(),
		refused: rate.NewLimiter(mismatchesPerSecond, mismatchBurst),
		keeper:  newKeeper(), pending: make(chan struct{}, 1), limiters: map[string]*rate.Limiter{},
	}, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	within, known := scopeOf(r.URL.Path)
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	switch r.Method {
	case http.MethodGet:
		h.handshake(w, r, within)
	case http.MethodPost:
		start := h.now()
		status, result := h.guarded(r, within)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		h.metrics.post(result, h.now().Sub(start))
	default:
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

var errPanicked = errors.New("ingress: a webhook was too much for the program")

// guarded is post, but tells of a panic, which net/http would keep to those who debug. That is a mistake of ours, so the webhook comes again.
func (h *Handler) guarded(r *http.Request, within scope) (status int, how result) {
	defer func() {
		if recover() != nil { // its text might quote the webhook, the stack doesn't
			h.log.Error(errPanicked, "Please report this; Meta will deliver the webhook again", "stack", string(debug.Stack()))
			status, how = http.StatusServiceUnavailable, resultPanicked
		}
	}()
	return h.post(r, within)
}

// post receives a webhook and returns the status to answer.
func (h *Handler) post(r *http.Request, within scope) (status int, how result) {
	// What somebody on the way has compressed is not what was signed; refused, it comes again when that is mended.
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if encoding := r.Header.Get("Content-Encoding"); err != nil || media != "application/json" || encoding != "" && encoding != "identity" {
		return http.StatusUnsupportedMediaType, resultMediaType
	}
	loaded := h.view.Load()
	if !loaded.Synced {
		return http.StatusServiceUnavailable, resultUnsynced
	}
	body, done, err := h.budget.read(r.Body, r.ContentLength)
	defer done()
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, resultTooLarge
	case errors.Is(err, errOverloaded):
		return http.StatusServiceUnavailable, resultOverloaded
	case err != nil:
		return http.StatusRequestTimeout, resultAborted
	}
	// The first header counts: proxies in front must not be able to disagree with us about a second one.
	signature := r.Header.Get(webhook.SignatureHeader)
	v := judge(loaded, within, body, signature, h.now())
	h.untrusted(v.events)
	return h.settle(r.Context(), loaded, &v, store.QuarantineEntry{Signature: signature, Path: r.URL.Path, Body: body})
}

func (h *Handler) untrusted(events []event) {
	h.observer.untrusted(events)
	for _, e := range events {
		h.metrics.security.WithLabelValues(string(e.reason)).Inc()
	}
}

// settle makes a verdict durable. Only when all of it is, the answer is 200.
func (h *Handler) settle(ctx context.Context, loaded *source.Loaded, v *verdict, body store.QuarantineEntry) (status int, how result) {
	how = resultIgnored
	if v.verified {
		how = resultNothing
	}
	if v.delivery != nil {
		if !h.withinQuota(v.delivery) {
			return http.StatusServiceUnavailable, resultLimited
		}
		if err := h.ingest(ctx, v, body.Body); err != nil {
			return h.storeFailed(err)
		}
		how = resultStored
	}
	for _, o := range v.quarantine {
		if !h.mayQuarantine(o) {
			return http.StatusServiceUnavailable, resultOverloaded
		}
		body.App = o.key
		if err := h.store.Quarantine(ctx, &body); err != nil {
			return h.storeFailed(err)
		}
		if h.view.Load() != loaded {
			h.keeper.recheck(o.key) // its secret may have come while the body was on its way into the store
		}
		how = resultQuarantined
	}
	if v.retry {
		return http.StatusServiceUnavailable, resultRetry
	}
	return http.StatusOK, how
}

func (h *Handler) storeFailed(err error) (status int, how result) {
	switch {
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrQuarantineFull):
		return http.StatusServiceUnavailable, resultOverloaded
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, resultAborted
	default:
		h.log.Error(err, "A webhook could not be stored; Meta will deliver it again")
		return http.StatusServiceUnavailable, resultStoreFailed
	}
}

// ingest stores what a verdict holds.
func (h *Handler) ingest(ctx context.Context, v *verdict, body []byte) error {
	if strings.HasPrefix(v.delivery.App, lineOwner) {
		h.limitAccountReports(v.delivery)
	}
	writing := h.now()
	receipt, err := h.store.Ingest(ctx, v.delivery)
	if errors.Is(err, store.ErrInvalid) {
		// It will never be storable, and Meta must not deliver it for days: a person has to look.
		letter := store.DeadLetter{App: v.delivery.App, Kind: kindBody, Reason: "the store refuses the delivery as invalid", Raw: body}
		receipt, err = h.store.Ingest(ctx, &store.Delivery{App: v.delivery.App, DeadLetters: []store.DeadLetter{letter}})
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(v.delivery.Raw, func(c store.RawChange) bool { return c.Pending }) {
		select {
		case h.pending <- struct{}{}:
		default:
		}
	}
	for label, n := range map[string]int{
		"new": receipt.New, "duplicate": receipt.Duplicates, "upgraded": receipt.Upgraded,
		"dead_letter": receipt.DeadLettered + len(v.delivery.DeadLetters), "undated": v.undated,
	} {
		if n > 0 {
			h.metrics.rows.WithLabelValues(label).Add(float64(n))
		}
	}
	if receipt.New > 0 {
		h.trace(ctx, v, writing)
	}
	h.observer.genuine(v.lines, v.app, h.now())
	for _, c := range v.lines {
		n := 0
		for i := range v.delivery.Messages {
			if v.delivery.Messages[i].PhoneNumberID == c.PhoneNumberID {
				n++
			}
		}
		if n > 0 {
			h.received(c.PhoneNumberID, n)
		}
	}
	return nil
}

// trace records the messages that customers have sent. A body of copies alone is none; one that has both records its copies again, as
// the store doesn't tell which they are.
func (h *Handler) trace(ctx context.Context, v *verdict, writing time.Time) {
	if !h.tracer.On() {
		return
	}
	done := h.now()
	for i := range v.delivery.Messages {
		if m := &v.delivery.Messages[i]; !m.ByBusiness {
			h.tracer.Received(ctx, m.Line, m.WAMID, v.came, writing, done, tracing.TypeKey.String(m.Type), tracing.SourceKey.String(string(m.Source)))
		}
	}
}

// mayQuarantine limits the rate of unverified bodies per owner.
func (h *Handler) mayQuarantine(o owner) bool {
	return h.allow("quarantine "+o.key, quarantinePerSecond, quarantineBurst)
}

// limitAccountReports leaves out what a tenant's own app announces faster than Meta would.
func (h *Handler) limitAccountReports(d *store.Delivery) {
	for i := range d.Raw {
		if d.Raw[i].Report != nil && !h.allow("account "+d.App, accountReportsPerSecond, accountReportBurst) {
			d.Raw[i].Report = nil
		}
	}
}

// withinQuota holds a tenant's own app, which signs whatever he likes, to what Meta would send at most, so that he costs his
// neighbours neither time nor room. What is too much comes again. The app of a platform is Meta's alone to use.
func (h *Handler) withinQuota(d *store.Delivery) bool {
	if !strings.HasPrefix(d.App, lineOwner) {
		return true
	}
	items, bytes, junk := weigh(d)
	return h.allowN("items "+d.App, directPerSecond, directBurst, items) &&
		h.allowN("bytes "+d.App, directBytesPerSecond, directBytesBurst, bytes) &&
		h.allowN("junk "+d.App, junkBytesPerSecond, junkBytesBurst, junk)
}

// weigh counts what a delivery costs: its items, their bytes, and those of them that are kept without being understood.
func weigh(d *store.Delivery) (items, bytes, junk int) {
	for i := range d.Messages {
		bytes += len(d.Messages[i].Raw)
	}
	for i := range d.Statuses {
		bytes += len(d.Statuses[i].Raw)
	}
	for i := range d.Raw {
		bytes += len(d.Raw[i].Raw)
		if !d.Raw[i].Pending {
			junk += len(d.Raw[i].Raw)
		}
	}
	for i := range d.DeadLetters {
		bytes, junk = bytes+len(d.DeadLetters[i].Raw), junk+len(d.DeadLetters[i].Raw)
	}
	items = len(d.Messages) + len(d.Statuses) + len(d.IdentityMoves) + len(d.Handovers) + len(d.Raw) + len(d.DeadLetters)
	return items, bytes, junk
}

func (h *Handler) allow(what string, perSecond rate.Limit, burst int) bool {
	return h.allowN(what, perSecond, burst, 1)
}

// allowN takes some from a limiter. What is limited is named by what we serve, so there are not many.
func (h *Handler) allowN(what string, perSecond rate.Limit, burst, n int) bool {
	h.limitersMu.Lock()
	defer h.limitersMu.Unlock()
	limiter, ok := h.limiters[what]
	if !ok {
		limiter = rate.NewLimiter(perSecond, burst)
		h.limiters[what] = limiter
	}
	return limiter.AllowN(h.now(), min(n, burst))
}

// Run does what goes on beside requests until ctx is done: it writes what was observed, and replays what had to wait.
func (h *Handler) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { h.observe(ctx) })
	group.Go(func() { h.reverify(ctx) })
	group.Go(func() { h.sweep(ctx) })
	group.Go(func() { h.projectPending(ctx) })
	group.Wait()
	// What was observed last is written although ctx is done: the store closes only after Run has returned. There is no later, so
	// nothing is put off.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := h.observer.flush(last, h.store, h.now().Add(handshakeReportEvery)); err != nil {
		return fmt.Errorf("write the last observations: %w", err)
	}
	return nil
}

// observe writes the observations every flushEvery.
func (h *Handler) observe(ctx context.Context) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := h.observer.flush(ctx, h.store, h.now()); err != nil && ctx.Err() == nil {
			h.log.Error(err, "Reports could not be written; they are kept")
		}
	}
}
