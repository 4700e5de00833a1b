package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/dispatch"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// callTimeout is how long a shop has to answer; lease outlives it, and the write after it.
	callTimeout = 15 * time.Second
	lease       = time.Minute
	// writeTimeout bounds writing an outcome down, also during a shutdown.
	writeTimeout = 10 * time.Second
	// workers tell shops at a time.
	workers = 8
	// defaultPoll is how often the store is asked for orders without a hint.
	defaultPoll = 5 * time.Second
	// MaxResponseBytes is what the http.Client should cap answers at: only the status counts.
	MaxResponseBytes = 64 << 10
)

// pauses come after the first, the second and further attempts; after as many attempts more than these it is given up. About a day.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// Reasons why a shop was not told.
const (
	reasonNotConfigured  = "NotConfigured"
	reasonAddressRefused = "AddressRefused"
	reasonUnreachable    = "Unreachable"
)

// Options make a Notifier.
type Options struct {
	// Store holds the orders. Required.
	Store store.Orders
	// Snapshot returns what is served now. Required.
	Snapshot func() *runtimeconfig.Snapshot
	// Client makes the calls; it decides about addresses. Required.
	Client *http.Client
	// Owner names this process in leases.
	Owner string
	// Poll is how often the store is asked; 0 for five seconds.
	Poll time.Duration
	// Log gets failures. Required.
	Log logr.Logger
	// Metrics is where metrics are registered. Required.
	Metrics prometheus.Registerer
}

// Notifier tells shops. Use New.
type Notifier struct {
	opts  Options
	loop  *dispatch.Loop
	calls *prometheus.CounterVec
}

// New makes a Notifier and registers its metrics.
func New(o Options) (*Notifier, error) {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	n := &Notifier{opts: o, calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "whatsapp_order_notices_total",
		Help: "Attempts to tell shops of orders by result: sent, retry or dead.",
	}, []string{"result"})}
	if err := o.Metrics.Register(n.calls); err != nil {
		return nil, err
	}
	n.loop = dispatch.New(workers, 1, o.Poll, dispatch.One(n.claim), func(err error) { o.Log.Error(err, "No order could be claimed") })
	return n, nil
}

// Hint says that an order may have been confirmed. It never blocks.
func (n *Notifier) Hint() { n.loop.Hint() }

// Run tells shops until ctx is done, and until the calls under way have ended.
func (n *Notifier) Run(ctx context.Context) error {
	n.loop.Run(ctx)
	return nil
}

func (n *Notifier) claim(ctx context.Context) (func(), error) {
	claiming, cancel := detached(ctx)
	defer cancel()
	notice, err := n.opts.Store.ClaimOrderNotice(claiming, n.opts.Owner, lease)
	if errors.Is(err, store.ErrNothingDue) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return func() {
		n.tell(ctx, notice)
		n.loop.Hint() // the next one of its line may have waited for it
	}, nil
}

// tell makes one attempt and writes down what became of it.
func (n *Notifier) tell(ctx context.Context, notice *store.OrderNotice) {
	state, after := store.NoticeSent, time.Duration(0)
	reason := n.attempt(ctx, &notice.Order)
	if reason != "" {
		state = store.NoticeDead
		if i := notice.Attempt - 1; i < len(pauses) {
			state, after = store.NoticePending, pauses[i]
		}
	}
	writing, cancel := detached(ctx)
	defer cancel()
	err := n.opts.Store.EndOrderNotice(writing, notice, state, after, reason)
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		n.opts.Log.Error(err, "It could not be written down whether a shop was told of an order", "line", notice.Order.Line)
	}
	n.calls.WithLabelValues(map[store.NoticeState]string{store.NoticeSent: "sent", store.NoticePending: "retry", store.NoticeDead: "dead"}[state]).Inc()
	if reason != "" {
		n.opts.Log.Info("A shop could not be told of an order", "line", notice.Order.Line, "attempt", notice.Attempt, "reason", reason)
	}
}

// Event is the body of a callback.
type Event struct {
	// Type is order.confirmed.
	Type string `json:"type"`
	// Timestamp is when the customer confirmed.
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is the order.
type Data struct {
	OrderID       string          `json:"orderID"`
	PhoneNumberID string          `json:"phoneNumberID"`
	Customer      Customer        `json:"customer"`
	Items         json.RawMessage `json:"items"`
	Total         string          `json:"total"`
	Note          string          `json:"note,omitempty"`
}

// Customer is who ordered. At least one of UserID and Phone is set.
type Customer struct {
	// UserID is the business-scoped user id.
	UserID string `json:"userID,omitempty"`
	// Phone as digits without +.
	Phone string `json:"phone,omitempty"`
	Name  string `json:"name,omitempty"`
}

// attempt tells the shop once and returns why it did not work, empty if it did.
func (n *Notifier) attempt(ctx context.Context, o *store.Order) string {
	ch, ok := n.opts.Snapshot().Channel(o.PhoneNumberID)
	if !ok || ch.LineID != o.Line || ch.Orders.Notify == nil {
		return reasonNotConfigured
	}
	body, err := json.Marshal(Event{Type: "order.confirmed", Timestamp: o.DecidedAt, Data: Data{
		OrderID: o.ID, PhoneNumberID: o.PhoneNumberID, Items: o.Items, Total: o.Total, Note: o.Note,
		Customer: Customer{UserID: o.Contact.BSUID, Phone: o.Contact.Phone, Name: o.Contact.Name},
	}})
	if err != nil {
		n.opts.Log.Error(err, "An order could not be encoded", "line", o.Line)
		return "Unreadable"
	}
	// Detached: a call under way is finished on a shutdown, since a shop that was not let answer would count as one that failed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ch.Orders.Notify.URL, bytes.NewReader(body))
	if err != nil {
		return reasonNotConfigured
	}
	req.Header.Set("Content-Type", "application/json")
	sign(req.Header, ch.Orders.Notify.SigningKey, o.ID, time.Now(), body)
	res, err := n.opts.Client.Do(req)
	switch {
	case errors.Is(err, egress.ErrAddressRefused), errors.Is(err, egress.ErrRedirectRefused):
		return reasonAddressRefused
	case err != nil:
		return reasonUnreachable
	}
	_ = res.Body.Close() // only the status counts
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Sprintf("HTTP%d", res.StatusCode)
	}
	return ""
}

// detached outlives a shutdown for as long as one write takes.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}
