package wholeturn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const signingKey = "key-of-the-shop-0123456789"

// shop is where orders are announced.
type shop struct {
	*httptest.Server
	mu sync.Mutex
	// told counts the callbacks by order.
	told map[string]int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{told: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		// As the specification of Standard Webhooks has it.
		mac := hmac.New(sha256.New, []byte(signingKey))
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
			t.Errorf("an order with the signature %q", r.Header.Get("webhook-signature"))
		}
		if !json.Valid(body) {
			t.Errorf("the body is %s", body)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told[r.Header.Get("webhook-id")]++
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) times(order string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told[order]
}

func createOrder(items, note string) Answer {
	return Asks("create_order", `{"items":[`+items+`],"note":"`+note+`"}`)
}

// order waits until the chat has so many orders, the newest of them in this state, and returns that one.
func order(p *Phone, n int, state store.OrderState) store.Order {
	p.t.Helper()
	var newest store.Order
	p.Until("an order that is "+string(state), func() bool {
		all := p.Orders()
		if len(all) != n {
			return false
		}
		newest = all[n-1]
		return newest.State == state
	})
	return newest
}

// TestOrders takes orders from the chat to the shop.
func TestOrders(t *testing.T) {
	const fern, chair = `{"product_id":"fern","quantity":2}`, `{"product_id":"chair","quantity":1}`
	model := scripted(t, map[string][]step{
		"confirm": steps(createOrder(fern, "a blue pot"), Says("Please check.")),
		"change":  steps(createOrder(fern, ""), Says("Please check."), createOrder(chair, ""), Says("Now?")),
		"cancel":  steps(createOrder(fern, ""), Says("Please check.")),
		"silent":  steps(createOrder(fern, ""), Says("")),
		"burst":   steps(createOrder(fern, ""), Says("Please check.")),
		"cart":    steps(createOrder(chair, ""), Says("One chair it is.")),
	})
	shop := newShop(t)
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat)
		ch.Orders.Notify = &runtimeconfig.OrderNotify{URL: shop.URL + "/orders", SigningKey: redact.New(signingKey)}
	}})
	t.Run("all", func(t *testing.T) {
		run := func(name string, do func(t *testing.T, p *Phone)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				do(t, w.customer(t, name))
			})
		}
		run("confirm", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Writes("Two ferns, please")
			p.Gets(0, "Please check.", "2 × Boston Fern: 19.98 USD", "a blue pot", "*Total: 19.98 USD*", "Confirm", "Change", "Cancel")
			draft := order(p, 1, store.OrderDraft)
			if draft.Total != "19.98 USD" || draft.Note != "a blue pot" || shop.times(draft.ID) != 0 {
				t.Errorf("the draft %+v", draft)
			}
			p.Taps("Confirm")
			p.Gets(2, "we have your order")
			order(p, 1, store.OrderConfirmed)
			p.Until("the shop is told", func() bool { return shop.times(draft.ID) == 1 })
			p.Taps("Confirm") // again
			p.Gets(3, "we have your order")
			p.Taps("Cancel") // too late
			p.Gets(4, "not open any more")
			order(p, 1, store.OrderConfirmed)
			if n := shop.times(draft.ID); n != 1 {
				t.Errorf("the shop was told %d times", n)
			}
		})
		run("change", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Writes("Two ferns, please")
			p.Gets(0, "Confirm")
			p.Settled()
			p.Taps("Change")
			p.Gets(2, "What would you like to change?")
			old := p.Offered("Confirm")
			p.Writes("A chair instead")
			p.Gets(3, "1 × Blue Oak Chair: 120.00 USD")
			order(p, 2, store.OrderDraft)
			p.TapsID(old, "Confirm")
			p.Gets(5, "not open any more")
			p.Taps("Confirm")
			p.Gets(6, "we have your order")
			if o := order(p, 2, store.OrderConfirmed); o.Total != "120.00 USD" || p.Orders()[0].State != store.OrderReplaced {
				t.Errorf("orders %+v", p.Orders())
			}
		})
		run("cancel", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Writes("Two ferns, please")
			p.Gets(0, "Cancel")
			p.Taps("Cancel")
			p.Gets(2, "cancelled")
			p.Taps("Confirm")
			p.Gets(3, "not open any more")
			if o := order(p, 1, store.OrderCancelled); shop.times(o.ID) != 0 {
				t.Error("the shop was told of an order that was cancelled")
			}
		})
		run("silent", func(t *testing.T, p *Phone) { // the model says nothing: the summary is enough
			t.Helper()
			p.Writes("Two ferns, please")
			p.Gets(0, "2 × Boston Fern: 19.98 USD", "Confirm")
			order(p, 1, store.OrderDraft)
		})
		run("burst", func(t *testing.T, p *Phone) { // tapped twice at once: one wish, one answer
			t.Helper()
			p.Writes("Two ferns, please")
			p.Gets(0, "Confirm")
			p.Settled()
			p.Taps("Confirm")
			p.Taps("Confirm")
			p.Gets(2, "we have your order")
			p.Settled()
			if n := len(by(model, "burst")); n != 2 {
				t.Errorf("the model was asked %d times; a tap is none of its business", n)
			}
			p.Until("the shop is told", func() bool { return shop.times(order(p, 1, store.OrderConfirmed).ID) == 1 })
		})
		run("cart", func(t *testing.T, p *Phone) { // what the customer put together counts, whatever the model makes of his words
			t.Helper()
			p.SendsCart("see https://my.example/design.png", map[string]int{"fern": 3})
			p.Writes("and a question: is there a chair?")
			p.Gets(0, "One chair it is.", "3 × Boston Fern: 29.97 USD")
			draft := order(p, 1, store.OrderDraft)
			if draft.Total != "29.97 USD" || draft.Note != "see https://my.example/design.png" || strings.Contains(join(p), "120.00") {
				t.Errorf("the draft %+v; the customer got %s", draft, join(p))
			}
			p.Taps("Confirm")
			p.Gets(2, "we have your order")
			p.Until("the shop is told", func() bool { return shop.times(draft.ID) == 1 })
		})
		for name, items := range map[string]map[string]int{"unknown": {"nosuch": 1}, "soldout": {"lamp": 1}, "mad": {"fern": 1000}, "empty": {}} {
			run(name, func(t *testing.T, p *Phone) {
				t.Helper()
				p.SendsCart("", items)
				p.Gets(0, "can't be ordered like this", "person")
				if c := p.Settled(); c.State != store.ConversationWaiting || c.WaitingReason != "OrderProblem" || len(p.Orders()) != 0 {
					t.Errorf("the chat is %+v with %+v", c, p.Orders())
				}
			})
		}
	})
}
