package orders

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

const (
	line   = "line-a"
	number = "1555"
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// shop is a store with one confirmed order, and a shop that answers with a status.
type shop struct {
	*testing.T
	store    *sqlite.Store
	notifier *Notifier
	// stop tells the notifier to stop, stopped waits until it has.
	stop    context.CancelFunc
	stopped func()

	mu     sync.Mutex
	now    time.Time
	status int
	got    []*http.Request
	bodies []string
	// during, if set, is called while the shop is told.
	during func()
}

func (s *shop) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *shop) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.during != nil {
		s.during()
	}
	s.got, s.bodies = append(s.got, r), append(s.bodies, string(body))
	w.WriteHeader(s.status)
}

// calls is how often the shop was called.
func (s *shop) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// open starts all of it, after prepare.
func open(t *testing.T, policy egress.Policy, prepare func(*shop)) *shop {
	t.Helper()
	s := &shop{T: t, now: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), status: http.StatusNoContent}
	var err error
	s.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: s.clock})
	s.must(err)
	t.Cleanup(func() { s.must(s.store.Close()) })
	s.turn(store.Outcome{Kind: store.OutcomeAnswered, Draft: &store.OrderDraftRow{ID: "order-1", Items: []byte(`[{"productID":"fern","quantity":2}]`), Total: "16.00 USD", Note: "blue"}})
	s.turn(store.Outcome{Kind: store.OutcomeAnswered, Decision: &store.OrderDecision{ID: "order-1", State: store.OrderConfirmed, Notify: true}})

	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	ch := &runtimeconfig.Channel{LineID: line, PhoneNumberID: number, WABAID: "777", Orders: runtimeconfig.Orders{
		Notify: &runtimeconfig.OrderNotify{URL: srv.URL + "/orders", SigningKey: redact.New(secret)},
	}}
	object, err := ch.Object()
	s.must(err)
	snapshot := runtimeconfig.Load([]runtimeconfig.Object{object})
	n, err := New(Options{
		Store: s.store, Snapshot: func() *runtimeconfig.Snapshot { return snapshot }, Client: egress.NewClient(policy, time.Minute, MaxResponseBytes),
		Owner: "test", Poll: 2 * time.Millisecond, Log: testr.New(t), Metrics: prometheus.NewRegistry(),
	})
	s.must(err)
	s.notifier = n
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	if prepare != nil {
		prepare(s)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	s.stopped = sync.OnceFunc(func() { s.must(<-done) })
	t.Cleanup(func() { cancel(); s.stopped() })
	return s
}

// turn lets the customer write and ends the turn with the outcome.
func (s *shop) turn(o store.Outcome) {
	s.Helper()
	_, err := s.store.Ingest(s.Context(), &store.Delivery{App: "42", Messages: []store.InboundMessage{{
		Line: line, PhoneNumberID: number, WAMID: "wamid." + s.clock().String(), From: store.Identity{BSUID: "US.1", Phone: "4911", Name: "Ana"},
		Source: store.SourceMessages, Type: "text", Text: "x", EventTime: s.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	s.must(err)
	s.advance(store.ReplyDebounce)
	turn, err := storetest.One(s.store.ClaimConversations(s.Context(), store.ClaimRequest{Owner: "t", Lease: time.Minute, PerLineLimit: 1}))
	s.must(err)
	s.must(s.store.CommitReply(s.Context(), turn, nil, o))
}

func (s *shop) order() store.Order {
	s.Helper()
	all, err := s.store.Orders(s.Context(), line, 0, 10)
	s.must(err)
	if len(all) != 1 {
		s.Fatalf("%d orders", len(all))
	}
	return all[0]
}

func (s *shop) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); {
		if time.Now().After(end) {
			s.Fatalf("never: %s; order %+v after %d calls", what, s.order(), s.calls())
		}
		<-time.After(2 * time.Millisecond)
	}
}

func TestShopIsToldWithASignature(t *testing.T) {
	s := open(t, egress.Policy{AllowLoopback: true}, nil)
	s.until("the shop is told", func() bool { return s.order().Notice == store.NoticeSent })
	h := s.got[0].Header
	var event Event
	s.must(json.Unmarshal([]byte(s.bodies[0]), &event))
	if event.Type != "order.confirmed" || event.Data.OrderID != "order-1" || event.Data.Total != "16.00 USD" || event.Data.Note != "blue" ||
		event.Data.Customer != (Customer{UserID: "US.1", Phone: "4911", Name: "Ana"}) || string(event.Data.Items) != `[{"productID":"fern","quantity":2}]` {
		t.Errorf("told %s", s.bodies[0])
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	s.must(err)
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + s.bodies[0]))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want || h.Get("webhook-id") != "order-1" {
		t.Errorf("headers %v, want the signature %s", h, want)
	}
}

func TestShopThatFailsIsToldAgainAndThenGivenUp(t *testing.T) {
	s := open(t, egress.Policy{AllowLoopback: true}, func(s *shop) { s.status = http.StatusInternalServerError })
	for attempt := range len(pauses) {
		s.until("an attempt", func() bool {
			return testutil.ToFloat64(s.notifier.calls.WithLabelValues("retry")) == float64(attempt+1)
		})
		s.advance(pauses[attempt])
	}
	s.until("it is given up", func() bool { return s.order().Notice == store.NoticeDead })
	letters, err := s.store.DeadLetters(s.Context(), 0, 10)
	s.must(err)
	if len(letters) != 1 || !strings.Contains(letters[0].Reason, "HTTP500") {
		t.Errorf("dead letters %+v", letters)
	}
	ids := map[string]bool{}
	for _, r := range s.got {
		ids[r.Header.Get("webhook-id")] = true
	}
	if len(ids) != 1 || s.calls() != len(pauses)+1 {
		t.Errorf("%d calls with the ids %v", s.calls(), ids)
	}
}

// TestCallUnderWayIsFinished: one that a shutdown breaks off counts as the shop's failure, for which it may be told hours later, or never.
func TestCallUnderWayIsFinished(t *testing.T) {
	s := open(t, egress.Policy{AllowLoopback: true}, func(s *shop) { s.during = s.stop })
	s.stopped()
	if o := s.order(); o.Notice != store.NoticeSent {
		t.Errorf("the notice is %s %s", o.Notice, o.NoticeReason)
	}
}

func TestShopInsideTheClusterIsNotCalled(t *testing.T) {
	s := open(t, egress.Policy{}, nil)
	s.until("it is refused", func() bool { return s.order().NoticeReason == reasonAddressRefused })
	if s.calls() != 0 {
		t.Error("the address was called")
	}
}
