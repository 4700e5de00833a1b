package wholeturn

import (
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestLimits lets a shop reach each of its limits: a person takes over, or its fixed text is said once, and no model is asked for it.
func TestLimits(t *testing.T) {
	model := scripted(t, map[string][]step{
		"hourly": steps(Says("Hello.")),
		"draft":  steps(createOrder(`{"product_id":"fern","quantity":1}`, ""), Says("Please check.")),
		"paused": steps(Says("never")), "conversations": steps(Says("never")), "month": steps(Says("never")), "day": steps(Says("never")), "text": steps(Says("never")),
	})
	give := func(change func(*runtimeconfig.Channel)) func(*runtimeconfig.Channel) {
		return func(ch *runtimeconfig.Channel) { model.Give(ch, runtimeconfig.CapabilityChat); change(ch) }
	}
	w := New(t, Options{Change: give(func(ch *runtimeconfig.Channel) { ch.Limits.CustomerMessagesPerHour = new(int64(2)) })})

	p := w.customer(t, "hourly")
	p.Writes("Hi")
	p.Gets(0, "Hello.")
	p.Writes("Hi again")
	p.Gets(1, "Hello.")
	p.Settled()
	p.Writes("And again")
	p.Gets(2, "person")
	if c := p.Settled(); c.State != store.ConversationWaiting || c.WaitingReason != "LimitReached" || len(by(model, "hourly")) != 2 {
		t.Errorf("the chat is %+v, the model was asked %d times", c, len(by(model, "hourly")))
	}

	ordering := w.customer(t, "draft")
	ordering.Writes("A fern, please")
	ordering.Gets(0, "Confirm")
	ordering.Settled()

	for name, limit := range map[string]func(*runtimeconfig.Limits){
		"conversations": func(l *runtimeconfig.Limits) { l.ConversationsPerMonth = new(int64(0)) },
		"month":         func(l *runtimeconfig.Limits) { l.MessagesPerMonth = new(int64(1)) },
		"day":           func(l *runtimeconfig.Limits) { l.MessagesPerDay = new(int64(1)) },
	} {
		w.Publish(give(func(ch *runtimeconfig.Channel) { limit(&ch.Limits) }))
		p := w.customer(t, name)
		p.Writes("Hi")
		p.Gets(0, "person")
		if c := p.Settled(); c.State != store.ConversationWaiting || c.WaitingReason != "LimitReached" || len(by(model, name)) != 0 {
			t.Errorf("%s: the chat is %+v, the model was asked %d times", name, c, len(by(model, name)))
		}
	}

	w.Publish(give(func(ch *runtimeconfig.Channel) {
		ch.Limits.MessagesPerDay, ch.Limits.Message = new(int64(1)), "We are back tomorrow."
	}))
	p = w.customer(t, "text")
	p.Writes("Hi")
	p.Gets(0, "We are back tomorrow.")
	p.Settled()
	p.Writes("Are you there?")
	p.Until("the message is passed over", func() bool { c, _ := p.Conversation(); return c.SkippedReason == "LimitReached" })
	if c := p.Settled(); c.State != store.ConversationActive || len(p.Sent()) != 1 || len(by(model, "text")) != 0 {
		t.Errorf("the chat is %+v; there is %s", c, join(p))
	}
	// What the customer has decided is carried out all the same.
	ordering.Taps("Confirm")
	ordering.Gets(2, "we have your order")
	order(ordering, 1, store.OrderConfirmed)

	w.Publish(give(func(ch *runtimeconfig.Channel) { ch.PlanActive = false }))
	p = w.customer(t, "paused")
	p.Writes("Hi")
	p.Until("the message is passed over", func() bool { c, ok := p.Conversation(); return ok && c.SkippedReason == "PlanInactive" })
	if all := p.Stored(); len(all) != 1 || all[0].Text != "Hi" || len(p.Sent()) != 0 {
		t.Errorf("stored %+v, sent %s", all, join(p))
	}

	// The price that Meta tells is counted: metasim reports it with the statuses.
	ordering.Until("Meta's prices are counted", func() bool {
		usages, err := w.Store.Usages(t.Context(), Line, 2)
		must(t, err)
		for _, u := range usages {
			if len(u.Period) == len("2026-01") && u.Billed+u.Free > 0 && u.Messages > 0 && u.Conversations > 0 {
				return true
			}
		}
		return false
	})
}

// TestHandOffs fetches a person in each way, and gives the chat back.
func TestHandOffs(t *testing.T) {
	model := scripted(t, map[string][]step{
		"tool":      steps(Asks("handoff", `{"message":"Petra will help you."}`), Says("never")),
		"structure": steps(Reply(map[string]any{"text": "Petra will help you.", "handoff": true})),
		"wordless":  steps(Asks("handoff", `{}`)),
		"keyword":   steps(Says("never")), "phrase": steps(Says("never")),
		"echo": steps(Says("Hello.")), "person": steps(Says("Hello.")),
	})
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat)
		ch.Handoff.Keywords = []string{"manager"}
	}})
	for name, tc := range map[string]struct{ writes, gets, reason string }{
		"tool":      {"I am angry", "Petra will help you.", "ModelAsked"},
		"structure": {"I am angry", "Petra will help you.", "ModelAsked"},
		"wordless":  {"I am angry", "a person", "ModelAsked"},
		"keyword":   {"Get me the MANAGER!", "a person", "CustomerAsked"},
		"phrase":    {"I want to talk to a person now", "a person", "CustomerAsked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.customer(t, name)
			p.Writes(tc.writes)
			p.Gets(0, tc.gets)
			c := p.Settled()
			if c.State != store.ConversationWaiting || c.WaitingReason != tc.reason || strings.Contains(join(p), "never") {
				t.Errorf("the chat is %+v; there is %s", c, join(p))
			}
			// Until it is given back the assistant is silent.
			p.Writes("Anybody there?")
			p.Until("the message is stored", func() bool { return strings.Contains(texts(p), "Anybody there?") })
			must(t, w.Store.Resume(t.Context(), c.Line, c.ID))
			if c := p.Settled(); c.State != store.ConversationActive || strings.Contains(join(p), "never") {
				t.Errorf("given back, the chat is %+v; there is %s", c, join(p))
			}
		})
	}
	t.Run("echo", func(t *testing.T) { // somebody of the business answers on its phone
		t.Parallel()
		p := w.customer(t, "echo")
		p.Writes("Hi")
		p.Gets(0, "Hello.")
		p.Settled()
		_, err := w.Sim.SendEcho(metasim.Echo{PhoneNumberID: Number, To: p.Customer, Text: "Petra here."})
		must(t, err)
		p.Until("a person has the chat", func() bool { c, _ := p.Conversation(); return c.State == store.ConversationHuman })
		p.Writes("Thank you, Petra")
		p.Until("the message is stored", func() bool { return strings.Contains(texts(p), "Thank you, Petra") })
		if n := len(by(model, "echo")); n != 1 {
			t.Errorf("the model was asked %d times", n)
		}
		c := p.Settled()
		must(t, w.Store.Resume(t.Context(), c.Line, c.ID))
		n := len(p.Sent())
		p.Writes("Are you a robot?")
		p.Gets(n, "Hello.")
	})
	t.Run("person", func(t *testing.T) { // a person answers through the server
		t.Parallel()
		p := w.customer(t, "person")
		p.Writes("Hi")
		p.Gets(0, "Hello.")
		c := p.Settled()
		payload, err := outbox.TextPayload("Petra here.")
		must(t, err)
		_, err = w.Store.EnqueuePersonReply(t.Context(), c.Line, c.ID, store.OutboxDraft{Type: "text", Text: "Petra here.", Payload: payload})
		must(t, err)
		p.Gets(1, "Petra here.")
		if c := p.Settled(); c.State != store.ConversationHuman {
			t.Errorf("the chat is %+v", c)
		}
	})
}

func texts(p *Phone) string {
	var all []string
	for _, m := range p.Stored() {
		all = append(all, m.Text)
	}
	return strings.Join(all, "\n")
}
