package wholeturn

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Phone is a customer's, in a chat with one number.
type Phone struct {
	// Customer is his number, Number the business's phone number id.
	Customer, Number string
	// Name is how WhatsApp shows him; empty keeps what it is.
	Name string

	t testing.TB
	w *World
}

// Phone is a customer who writes to the bakery.
func (w *World) Phone(tb testing.TB, customer string) *Phone {
	tb.Helper()
	return &Phone{Customer: customer, Number: Number, t: tb, w: w}
}

// Writes sends a text.
func (p *Phone) Writes(text string) {
	p.t.Helper()
	p.Sends(map[string]any{"type": "text", "text": map[string]any{"body": text}})
}

// Sends sends a message of Meta's shape.
func (p *Phone) Sends(message map[string]any) {
	p.t.Helper()
	raw, err := json.Marshal(message)
	must(p.t, err)
	_, err = p.w.Sim.Send(metasim.InboundMessage{From: p.Customer, Name: p.Name, PhoneNumberID: p.Number, Message: raw})
	must(p.t, err)
}

// SendsFile sends a file as a member of a message: audio, image, video, document or sticker.
func (p *Phone) SendsFile(kind, mimeType string, data []byte, more map[string]any) {
	p.t.Helper()
	id, err := p.w.Sim.AddMedia(p.Number, mimeType, data)
	must(p.t, err)
	file := map[string]any{"id": id, "mime_type": mimeType}
	maps.Copy(file, more)
	p.Sends(map[string]any{"type": kind, kind: file})
}

// SendsCart sends a cart: how many of which products.
func (p *Phone) SendsCart(note string, items map[string]int) {
	p.t.Helper()
	var lines []any
	for id, quantity := range items {
		lines = append(lines, map[string]any{"product_retailer_id": id, "quantity": quantity, "item_price": 0.01, "currency": "USD"})
	}
	p.Sends(map[string]any{"type": "order", "order": map[string]any{"catalog_id": "1", "text": note, "product_items": lines}})
}

// TapsID sends the reply that a button with this id would send, whether there is one or not.
func (p *Phone) TapsID(id, title string) {
	p.t.Helper()
	p.Sends(map[string]any{"type": "interactive", "interactive": map[string]any{"type": "button_reply", "button_reply": map[string]any{"id": id, "title": title}}})
}

// Taps taps the newest button or row with this title, and returns its id.
func (p *Phone) Taps(title string) (id string) {
	p.t.Helper()
	choice, ok := p.find(title)
	if !ok {
		p.t.Fatalf("there is no button %q; there is:\n%s", title, strings.Join(p.Sent(), "\n"))
	}
	kind := "button_reply"
	if choice.row {
		kind = "list_reply"
	}
	p.Sends(map[string]any{"type": "interactive", "interactive": map[string]any{"type": kind, kind: map[string]any{"id": choice.ID, "title": choice.Title}}})
	return choice.ID
}

// Offered is the id of the newest button or row with this title.
func (p *Phone) Offered(title string) string {
	p.t.Helper()
	choice, ok := p.find(title)
	if !ok {
		p.t.Fatalf("there is no button %q; there is:\n%s", title, strings.Join(p.Sent(), "\n"))
	}
	return choice.ID
}

// choice is a button or row that can be tapped.
type choice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	row   bool
}

// choices are what a message offers.
func choices(e *metasim.ConversationEntry) []choice {
	var payload struct {
		Action struct {
			Buttons []struct {
				Reply choice `json:"reply"`
			} `json:"buttons"`
			Sections []struct {
				Rows []choice `json:"rows"`
			} `json:"sections"`
		} `json:"action"`
	}
	if json.Unmarshal(e.Payload, &payload) != nil {
		return nil
	}
	var out []choice
	for _, b := range payload.Action.Buttons {
		out = append(out, b.Reply)
	}
	for _, s := range payload.Action.Sections {
		for _, r := range s.Rows {
			r.row = true
			out = append(out, r)
		}
	}
	return out
}

func (p *Phone) find(title string) (found choice, ok bool) {
	entries := p.out()
	for i := range entries {
		for _, c := range choices(&entries[i]) {
			if c.Title == title {
				found, ok = c, true
			}
		}
	}
	return found, ok
}

// out are the messages that the business has sent, oldest first.
func (p *Phone) out() []metasim.ConversationEntry {
	var out []metasim.ConversationEntry
	for _, e := range p.w.Sim.Conversation(p.Number, p.Customer) {
		if e.Direction == "out" {
			out = append(out, e)
		}
	}
	return out
}

// Sent are the messages that the business has sent as "type: text payload", oldest first.
func (p *Phone) Sent() []string {
	var all []string
	for _, e := range p.out() {
		var payload any
		text := string(e.Payload)
		// Decoded, so that tests find what they look for in it.
		if json.Unmarshal(e.Payload, &payload) == nil {
			text = fmt.Sprint(payload)
		}
		all = append(all, fmt.Sprintf("%s: %s %s", e.Type, e.Text, text))
	}
	return all
}

// Gets waits until messages of the business, besides the first so many, have all the words, and returns them.
func (p *Phone) Gets(besides int, words ...string) string {
	p.t.Helper()
	var text string
	p.Until(fmt.Sprintf("an answer with %q", words), func() bool {
		all := p.Sent()
		text = strings.Join(all[min(besides, len(all)):], "\n")
		return len(all) > besides && hasAll(text, words)
	})
	return text
}

// Until waits until ok.
func (p *Phone) Until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; {
		changed := p.w.Sim.Changed()
		if ok() {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("never: %s; there is:\n%s", what, strings.Join(p.Sent(), "\n"))
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Conversation is the chat as the store has it; ok is false as long as there is none.
func (p *Phone) Conversation() (c store.Conversation, ok bool) {
	p.t.Helper()
	line := map[string]string{Number: Line, OtherNumber: OtherLine}[p.Number]
	for after := int64(0); ; {
		page, err := p.w.Store.Conversations(p.t.Context(), line, after, 100)
		must(p.t, err)
		if len(page) == 0 {
			return c, false
		}
		for i := range page {
			after = page[i].ID
			if page[i].Contact.Phone == p.Customer {
				return page[i], true
			}
		}
	}
}

// Settled waits until nothing of the chat is due or under way and all answers have arrived, and returns it.
func (p *Phone) Settled() store.Conversation {
	p.t.Helper()
	var c store.Conversation
	p.Until("the chat is settled", func() bool {
		var ok bool
		c, ok = p.Conversation()
		written := 0
		for _, m := range p.Stored() {
			if m.Author == store.AuthorAssistant {
				written++
			}
		}
		return ok && c.ReplyDueAt.IsZero() && len(p.out()) >= written
	})
	return c
}

// Stored are the messages of the chat as people see them, oldest first.
func (p *Phone) Stored() []store.Message {
	p.t.Helper()
	c, ok := p.Conversation()
	if !ok {
		return nil
	}
	all, err := p.w.Store.Messages(p.t.Context(), c.Line, c.ID, 0, 500)
	must(p.t, err)
	return all
}

// Orders are those of the chat, oldest first.
func (p *Phone) Orders() []store.Order {
	p.t.Helper()
	c, ok := p.Conversation()
	if !ok {
		return nil
	}
	all, err := p.w.Store.Orders(p.t.Context(), c.Line, 0, 500)
	must(p.t, err)
	var mine []store.Order
	for i := range all {
		if all[i].ConversationID == c.ID {
			mine = append(mine, all[i])
		}
	}
	return mine
}
