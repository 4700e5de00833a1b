package wholeturn

import (
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// call is a call of the chat in the ledger.
func call(p *Phone, id string) store.ToolCall {
	p.t.Helper()
	c, ok := p.Conversation()
	if !ok {
		p.t.Fatal("there is no chat")
	}
	call, err := p.w.Store.ToolCall(p.t.Context(), c.Line, c.ID, id)
	must(p.t, err)
	return call
}

// TestSideEffects takes calls with side effects from the model's wish to the tool.
func TestSideEffects(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	wish := func(name string) []step {
		return steps(Asks("crm__book", `{"who":"`+name+`"}`), Says("I can book that."), Says("It is what it is."))
	}
	model := scripted(t, map[string][]step{"do": wish("do"), "drop": wish("drop"), "refused": wish("refused"), "lost": wish("lost"), "plain": wish("plain")})
	crm := NewTools(t, Tool{
		"book", `{"type":"object","required":["who"],"additionalProperties":false,"properties":{"who":{"type":"string"}}}`,
		func(c ToolCall) (string, bool) {
			if strings.Contains(c.Arguments, "lost") {
				<-hang // nobody knows what was done
			}
			return "booked as 4711", strings.Contains(c.Arguments, "refused")
		},
	})
	of := func(name string) (mine []ToolCall) {
		for _, c := range crm.Calls("book") {
			if c.Arguments == `{"who":"`+name+`"}` {
				mine = append(mine, c)
			}
		}
		return mine
	}
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat)
		server := crm.Server("crm", true, "book")
		server.Timeout = runtimeconfig.Duration(15 * time.Second) // the list of its tools takes some of it, too, on a machine that is busy
		ch.Assistant.Tools = []runtimeconfig.ToolServer{server}
	}})
	// asked lets the model propose, and returns the id of the call.
	asked := func(t *testing.T, p *Phone) string {
		t.Helper()
		p.Writes("Book me a table")
		p.Gets(0, "I can book that.", "Shall I do this?", p.Name, "Yes", "No")
		p.Settled()
		id := strings.TrimPrefix(p.Offered("Yes"), "action:do:")
		if c := call(p, id); c.State != store.ToolCallProposed || len(of(p.Name)) != 0 {
			t.Errorf("before the tap the call is %+v, and was made %d times", c, len(of(p.Name)))
		}
		return id
	}
	t.Run("all", func(t *testing.T) {
		run := func(name string, do func(t *testing.T, p *Phone)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				do(t, w.customer(t, name))
			})
		}
		run("do", func(t *testing.T, p *Phone) {
			t.Helper()
			id := asked(t, p)
			p.Taps("Yes")
			p.Gets(2, "It is what it is.")
			p.Settled()
			calls := of("do")
			if len(calls) != 1 || calls[0].Key != id || call(p, id).State != store.ToolCallDone {
				t.Errorf("calls %+v, the ledger has %+v", calls, call(p, id))
			}
			if !told(by(model, "do"), "booked as 4711") {
				t.Error("the model was not told the result")
			}
			for _, c := range p.Stored() {
				if strings.Contains(c.Text, ToolSecret) {
					t.Error("the secret is in the store")
				}
			}
			p.Taps("Yes")
			p.Gets(3, "not open any more")
			if n := len(of("do")); n != 1 {
				t.Errorf("made %d times", n)
			}
		})
		run("drop", func(t *testing.T, p *Phone) {
			t.Helper()
			id := asked(t, p)
			p.Taps("No")
			p.Gets(2, "I won't")
			p.Taps("Yes")
			p.Gets(3, "not open any more")
			if call(p, id).State != store.ToolCallDeclined || len(of("drop")) != 0 {
				t.Errorf("the ledger has %+v", call(p, id))
			}
		})
		run("refused", func(t *testing.T, p *Phone) { // the tool says that it did nothing
			t.Helper()
			id := asked(t, p)
			p.Taps("Yes")
			p.Gets(2, "It is what it is.")
			p.Settled()
			if call(p, id).State != store.ToolCallFailed || len(of("refused")) != 1 {
				t.Errorf("the ledger has %+v", call(p, id))
			}
		})
		run("lost", func(t *testing.T, p *Phone) { // nobody knows: a person looks, and it is never made again
			t.Helper()
			id := asked(t, p)
			p.Taps("Yes")
			p.Gets(2, "A person will look after it")
			c := p.Settled()
			if call(p, id).State != store.ToolCallOpen || c.State != store.ConversationWaiting || c.WaitingReason != "ToolOutcomeUnknown" {
				t.Errorf("the ledger has %+v, the chat is %+v", call(p, id), c)
			}
			must(t, w.Store.Resume(t.Context(), c.Line, c.ID))
			p.Taps("Yes")
			p.Gets(3, "A person will look after it")
			p.Settled()
			if n := len(of("lost")); n != 1 {
				t.Errorf("made %d times", n)
			}
		})
	})
	t.Run("gone", func(t *testing.T) { // the shop has taken the tool away meanwhile
		p := w.customer(t, "plain")
		id := asked(t, p)
		w.Publish(func(ch *runtimeconfig.Channel) { model.Give(ch, runtimeconfig.CapabilityChat) })
		p.Taps("Yes")
		p.Gets(2, "It is what it is.")
		p.Settled()
		if call(p, id).State != store.ToolCallFailed || len(of("plain")) != 0 || !told(by(model, "plain"), "not there any more") {
			t.Errorf("the ledger has %+v", call(p, id))
		}
	})
}
