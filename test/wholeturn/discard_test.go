package wholeturn

import (
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// forgets waits until the chat is settled and nothing of what was said is stored, and returns its messages.
func (p *Phone) forgets() (messages []store.Message) {
	p.t.Helper()
	p.Settled()
	p.Until("all words are gone", func() bool {
		messages = p.Stored()
		for i := range messages {
			if m := &messages[i]; m.Text != "" || m.Raw != nil || m.Media != nil {
				return false
			}
		}
		return len(messages) > 0
	})
	return messages
}

// TestBodiesThatAreNotStored: what was said is nowhere once it is answered, and customers are served all the same.
func TestBodiesThatAreNotStored(t *testing.T) {
	chats := &script{done: map[string]int{}, steps: map[string][]step{
		"chat":  steps(Says("We have many."), Says("As before: ask me anything.")),
		"voice": {func(r Request) Answer { return Says("You said: " + r.Newest()) }},
		"order": steps(createOrder(`{"product_id":"fern","quantity":2}`, "to the back door, code 4711-mellon"), Says("Thank you.")),
		"other": steps(Says("Hello.")),
	}}
	model := NewModel(t, func(r Request) Answer {
		if strings.HasPrefix(r.Path, "/v1/audio/") {
			return Answer{Content: "I am allergic to ferns-of-the-speaker"}
		}
		return chats.answer(r)
	})
	w := New(t, Options{Blobs: openBlobs(t), Change: func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat, runtimeconfig.CapabilityTranscription)
		ch.DiscardBodies = true
	}})
	t.Run("chat", func(t *testing.T) {
		p := w.customer(t, "chat")
		p.Writes("I live in " + w.Private("Xanadu-on-the-Alph") + " and want a fern")
		p.Gets(0, "We have many.")
		messages := p.forgets()
		if len(messages) != 2 || messages[0].WAMID == "" || messages[0].Type != "text" || messages[1].WAMID == "" {
			t.Errorf("what tells the messages apart is gone, too: %+v", messages)
		}
		p.Writes("And where did I say that I live?")
		p.Gets(1, "As before")
		asked := by(model, "chat")
		if last := asked[len(asked)-1].Body; strings.Contains(last, "Xanadu") || strings.Contains(last, "We have many") {
			t.Error("the model was told what was said before")
		}
		p.forgets()
	})
	t.Run("voice", func(t *testing.T) {
		w.Private("ferns-of-the-speaker")
		p := w.customer(t, "voice")
		p.SendsFile("audio", "audio/ogg; codecs=opus", []byte("OggS and so on"), map[string]any{"voice": true})
		p.Gets(0, "ferns-of-the-speaker")
		p.forgets()
	})
	t.Run("order", func(t *testing.T) {
		p := w.customer(t, "order")
		p.Writes("Two ferns please")
		p.Gets(0, "Confirm")
		p.forgets()
		p.Taps("Confirm")
		placed := order(p, 1, store.OrderConfirmed)
		if !strings.Contains(string(placed.Items), "fern") || !strings.Contains(placed.Note, "4711-mellon") {
			t.Errorf("the order is %s, %q", placed.Items, placed.Note)
		}
		p.forgets()
	})
	t.Run("person", func(t *testing.T) {
		p := w.customer(t, "person")
		p.Writes("Talk to a person, it is about my parcel")
		p.Gets(0)
		if c := p.Settled(); c.State != store.ConversationWaiting {
			t.Fatalf("the chat is %s", c.State)
		}
		other := w.customer(t, "other")
		other.Writes("hello")
		other.Gets(0)
		other.forgets() // by now the first chat was looked at, too
		if got := p.Stored()[0].Text; !strings.Contains(got, "parcel") {
			t.Errorf("the person reads %q", got)
		}
		c, _ := p.Conversation()
		payload, err := outbox.TextPayload("It comes today.")
		must(t, err)
		_, err = w.Store.EnqueuePersonReply(t.Context(), c.Line, c.ID, store.OutboxDraft{Type: "text", Text: "It comes today.", Payload: payload})
		must(t, err)
		p.Gets(1, "It comes today.")
		p.forgets()
	})
}
