package metasim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	keptDeliveries = 2_000
	// Before compression by the time scale: the first retry is immediate in practice, later ones thin out.
	firstRetry = 30 * time.Second
	maxRetry   = 6 * time.Hour
	// Enough to be concurrent as Meta is, and to leave file descriptors for the rest of the machine.
	maxIdleWebhooks = 128
	dialTimeout     = 2 * time.Second
	// An answer to a webhook is empty; more than this is not read.
	maxWebhookAnswer = 64 << 10
)

var errNotLoopback = errors.New("the simulator calls loopback addresses only; add a route for this host")

// event is something that happened and that subscribed apps will hear of.
type event struct {
	waba    *wabaState
	phone   *phoneState // nil for account-level fields
	field   string
	value   any
	entryID string   // instead of the account's id
	timed   bool     // account-level entries carry a time
	apps    []string // instead of the account's subscribed apps
}

// Delivery is one webhook POST with its retries. It never holds a secret or the callback's query.
type Delivery struct {
	ID            int       `json:"id"`
	Kind          string    `json:"kind"` // event, replay, forged
	AppID         string    `json:"appID"`
	URL           string    `json:"url"`
	Field         string    `json:"field"`
	PhoneNumberID string    `json:"phoneNumberID,omitempty"`
	Created       time.Time `json:"created"`
	Status        string    `json:"status"` // pending, delivered, abandoned, refused
	Attempts      int       `json:"attempts"`
	LastStatus    int       `json:"lastStatus,omitempty"`
	LastError     string    `json:"lastError,omitempty"`

	callback  string
	body      []byte
	signature string        // fixed instead of computed; "none" leaves the header out
	done      chan struct{} // closed when no attempt will follow
}

// Body is the exact payload of the delivery.
func (d Delivery) Body() []byte { return slices.Clone(d.body) }

// publish delivers an event to every app that is to hear of it. Requires mu.
func (s *Simulator) publish(ev event) []int { return s.publishBatch([]event{ev}) }

// publishBatch delivers several events; what goes to the same app and callback travels in one POST. Requires mu.
func (s *Simulator) publishBatch(events []event) []int {
	var posts []*Delivery
	content := map[*Delivery][]event{}
	for _, ev := range events {
		for _, target := range s.targetsOf(ev) {
			i := slices.IndexFunc(posts, func(d *Delivery) bool { return d.AppID == target.AppID && d.callback == target.callback })
			if i < 0 {
				posts = append(posts, target)
				i = len(posts) - 1
			}
			content[posts[i]] = append(content[posts[i]], ev)
		}
	}
	var ids []int
	for _, d := range posts {
		body, err := encodeWebhook(s.payload(content[d]), s.sw.EscapeSlashes)
		if err != nil {
			s.log.Error("webhook dropped", "error", err)
			continue
		}
		d.body = body
		ids = append(ids, s.enqueue(d))
		if s.sw.DuplicateDeliveries {
			again := *d
			ids = append(ids, s.enqueue(&again))
		}
	}
	return ids
}

// targetsOf applies subscription and precedence: number, account, app.
func (s *Simulator) targetsOf(ev event) []*Delivery {
	apps := ev.apps
	if apps == nil {
		for _, sub := range ev.waba.SubscribedApps {
			apps = append(apps, sub.AppID)
		}
	}
	var out []*Delivery
	for _, id := range apps {
		app := s.st.apps[id]
		if app == nil || app.Subscription == nil || app.Subscription.Inactive || !slices.Contains(app.Subscription.Fields, ev.field) {
			continue
		}
		d := &Delivery{Kind: "event", AppID: id, Field: ev.field, callback: app.Subscription.CallbackURL}
		if slices.Contains(overridable, ev.field) {
			if sub := ev.waba.subscription(id); sub != nil && sub.OverrideCallbackURI != "" {
				d.callback = sub.OverrideCallbackURI
			}
			if ev.phone != nil {
				if o, ok := ev.phone.overrides[id]; ok {
					d.callback = o.OverrideCallbackURI
				}
			}
		}
		if ev.phone != nil {
			d.PhoneNumberID = ev.phone.ID
		}
		out = append(out, d)
	}
	return out
}

// payload is the envelope with one entry per event.
func (s *Simulator) payload(events []event) map[string]any {
	entries := []any{}
	for _, ev := range events {
		entry := map[string]any{"id": ev.waba.ID, "changes": []any{map[string]any{"field": ev.field, "value": ev.value}}}
		if ev.entryID != "" {
			entry["id"] = ev.entryID
		}
		if ev.timed {
			entry["time"] = s.now().Unix()
		}
		entries = append(entries, entry)
		if s.sw.DuplicateInsidePost {
			entries = append(entries, entry)
		}
	}
	return map[string]any{"object": webhookObject, "entry": entries}
}

// enqueue starts the attempts. Requires mu.
func (s *Simulator) enqueue(d *Delivery) int {
	s.journal.nextDelivery++
	d.ID, d.Created, d.Status, d.URL, d.done = s.journal.nextDelivery, s.now(), "pending", stripQuery(d.callback), make(chan struct{})
	s.journal.addDelivery(d)
	s.count.Webhooks.Queued++
	s.spawn(func(ctx context.Context) {
		defer close(d.done)
		s.deliver(ctx, d)
	})
	return d.ID
}

// deliver tries until 200 or until the retry horizon is over; both scale with TimeScale.
func (s *Simulator) deliver(ctx context.Context, d *Delivery) {
	s.mu.Lock()
	horizon := time.Duration(s.sw.WebhookRetryHorizon)
	s.mu.Unlock()
	var passed time.Duration // before compression
	for pause := firstRetry; ; pause = min(2*pause, maxRetry) {
		err := s.attempt(ctx, d)
		if err == nil {
			return
		}
		final := errors.Is(err, errNotLoopback) || d.Kind == "forged"
		if passed += pause; final || passed > horizon {
			s.abandon(d, err)
			return
		}
		if !wait(ctx, time.Duration(float64(pause)/s.timeScale)) {
			return
		}
	}
}

func (s *Simulator) abandon(d *Delivery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Status = "abandoned"
	if errors.Is(err, errNotLoopback) {
		d.Status = "refused"
	}
	s.count.Webhooks.Abandoned++
	if app := s.st.apps[d.AppID]; d.Kind == "event" && s.sw.DisableFailingSubscription && app != nil && app.Subscription != nil {
		app.Subscription.Inactive = true
	}
	s.log.Warn("webhook given up", "app", d.AppID, "url", d.URL, "field", d.Field, "attempts", d.Attempts, "reason", d.LastError)
}

// attempt is one POST; nil means the answer was 200.
func (s *Simulator) attempt(ctx context.Context, d *Delivery) error {
	s.mu.Lock()
	signature, timeout := d.signature, time.Duration(s.sw.WebhookTimeout)
	if app := s.st.apps[d.AppID]; signature == "" && app != nil {
		signature = sign(app.Secret, d.body) // at each attempt: a rotated secret applies to retries as well
	}
	f := s.pickFault(&call{name: callWebhook, method: http.MethodPost, path: d.URL, objectID: d.PhoneNumberID})
	s.mu.Unlock()
	dropped := false
	if f != nil {
		if !wait(ctx, time.Duration(f.Latency)) {
			return ctx.Err()
		}
		dropped = f.Action == ActionDrop
		if f.Action == ActionForge {
			signature = forgedSignature
		}
	}
	status, err := 0, errors.New("dropped by a scripted fault")
	if !dropped {
		status, err = s.post(ctx, d.callback, d.body, signature, timeout)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Attempts++
	d.LastStatus, d.LastError = status, ""
	s.count.Webhooks.Attempts++
	switch {
	case err != nil:
		d.LastError = err.Error()
		return err
	case status != http.StatusOK:
		d.LastError = fmt.Sprintf("answered %d", status)
		return errors.New(d.LastError)
	}
	d.Status = "delivered"
	s.count.Webhooks.Delivered++
	return nil
}

func (s *Simulator) post(ctx context.Context, callback string, body []byte, signature string, timeout time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := s.callbackRequest(ctx, http.MethodPost, callback, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "none" {
		req.Header.Set("X-Hub-Signature-256", signature)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, describeCallback(err)
	}
	defer closeBody(res.Body)
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxWebhookAnswer)); err != nil {
		return 0, errors.New("the answer broke off")
	}
	return res.StatusCode, nil
}

// callbackRequest aims at the callback the way Meta and the tenant's ingress together do: a routed host is called on
// its loopback address as plain HTTP, with the public name as Host.
func (s *Simulator) callbackRequest(ctx context.Context, method, callback string, body []byte) (*http.Request, error) {
	u, err := url.Parse(callback)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("the callback is not an http(s) URL")
	}
	public := *u
	if addr := s.nextRoute(u.Hostname()); addr != "" {
		u.Scheme, u.Host = "http", addr
	} else if u.Hostname() != "localhost" && checkLoopback(net.JoinHostPort(u.Hostname(), "0")) != nil {
		return nil, errNotLoopback
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the callback is not an http(s) URL")
	}
	req.Host = public.Host
	req.Header.Set("X-Forwarded-Proto", public.Scheme)
	req.Header.Set("X-Forwarded-Host", public.Host)
	req.Header.Set("User-Agent", "facebookexternalua")
	return req, nil
}

// nextRoute goes round robin through the addresses of a host.
func (s *Simulator) nextRoute(host string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	host = strings.ToLower(host)
	addrs := s.routes[host]
	if len(addrs) == 0 {
		return ""
	}
	s.routeAt[host]++
	return addrs[s.routeAt[host]%len(addrs)]
}

// checkLoopback takes host:port with a literal address, so that no name service can change its mind later.
func checkLoopback(hostport string) error {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return fmt.Errorf("%q is not host:port", hostport)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return fmt.Errorf("%q is not a loopback address", host)
	}
	return nil
}

// newWebhookClient never leaves the machine: the address is checked again when the socket connects.
func newWebhookClient() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if checkLoopback(address) != nil {
			return errNotLoopback
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: maxIdleWebhooks, IdleConnTimeout: serverIdleTimeout, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is not a 200
		},
	}
}

// describeCallback drops the URL, whose query may hold a verify token.
func describeCallback(err error) error {
	var ue *url.Error
	switch {
	case errors.Is(err, errNotLoopback):
		return errNotLoopback
	case errors.As(err, &ue) && ue.Timeout():
		return errors.New("the callback did not answer in time")
	default:
		return errors.New("the callback can't be reached")
	}
}

func closeBody(c io.Closer) {
	_ = c.Close() // nothing was written; a failed close loses nothing
}
