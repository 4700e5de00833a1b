package wholeturn

import (
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// TestMessagesOfAModel is each row of what the assistant can send, with a model, on the customer's phone.
func TestMessagesOfAModel(t *testing.T) {
	model := scripted(t, map[string][]step{
		"text":    steps(Says("The **Boston Fern** is evergreen.\n\n* easy\n* green")),
		"photo":   steps(Asks("send_image", `{"product_id":"fern"}`), Says("Here it is.")),
		"nophoto": steps(Asks("send_image", `{"product_id":"chair"}`), Says("I have no photo of it.")),
		"card":    steps(Reply(map[string]any{"text": "This one:", "products": []string{"fern"}})),
		"quick":   steps(Reply(map[string]any{"text": "What would you like?", "buttons": []string{"View menu", "Place order", "Talk to a person"}}), Says("Here is the menu.")),
		"four":    steps(Reply(map[string]any{"text": "Which?", "buttons": []string{"One", "Two", "Three", "Four"}})),
		"list":    steps(Asks("search_catalog", `{"query":"fern chair lamp"}`), Reply(map[string]any{"text": "We have these:", "products": []string{"fern", "chair"}}), Says("A fine chair.")),
		"person":  steps(Reply(map[string]any{"text": "What would you like?", "buttons": []string{"Talk to a person"}})),
	})
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) { model.Give(ch, runtimeconfig.CapabilityChat) }})
	t.Run("all", func(t *testing.T) {
		run := func(name string, do func(t *testing.T, p *Phone)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := w.customer(t, name)
				p.Writes("Do you have a fern or a chair?")
				do(t, p)
			})
		}
		run("text", func(t *testing.T, p *Phone) { t.Helper(); p.Gets(0, "text: The *Boston Fern* is evergreen.", "- easy") })
		run("photo", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "image: ", "https://shop.example/fern.jpg", "Boston Fern", "text: Here it is.")
		})
		run("nophoto", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "no photo of it")
			if !told(by(model, "nophoto"), "The product has no photo.") {
				t.Error("the model was not told")
			}
		})
		run("card", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "text: This one:", "image: ", "fern.jpg", "9.99 USD")
		})
		run("quick", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "interactive: ", "What would you like?", "View menu", "Place order", "Talk to a person")
			p.Taps("View menu")
			p.Gets(1, "Here is the menu.")
			if !told(by(model, "quick"), `"content":"View menu"`) {
				t.Error("the tap did not reach the model as what the customer says")
			}
		})
		run("four", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "interactive: ", "One", "Two", "Three")
			if _, ok := p.find("Four"); ok {
				t.Error("a fourth button")
			}
		})
		run("list", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "interactive: ", "We have these:", "Boston Fern", "9.99 USD", "Blue Oak Chair", "120.00 USD")
			if id := p.Taps("Blue Oak Chair"); id != "product:chair" {
				t.Errorf("the row has the id %q", id)
			}
			p.Gets(1, "A fine chair.")
		})
		run("person", func(t *testing.T, p *Phone) {
			t.Helper()
			p.Gets(0, "Talk to a person")
			p.Taps("Talk to a person")
			p.Gets(1)
			if c := p.Settled(); c.State != "Waiting" {
				t.Errorf("the chat is %s", c.State)
			}
		})
	})
}

// TestMessagesWithoutAModel is the same of the assistant that searches.
func TestMessagesWithoutAModel(t *testing.T) {
	w := New(t, Options{})
	for name, do := range map[string]func(p *Phone){
		"text": func(p *Phone) {
			p.Writes("How long does shipping take?")
			p.Gets(0, "text: ", "Shipping takes two days.")
		},
		"photo": func(p *Phone) {
			p.Writes("Boston Fern")
			p.Gets(0, "image: ", "https://shop.example/fern.jpg", "9.99 USD")
		},
		"quick": func(p *Phone) { p.Writes("Hello"); p.Gets(0, "interactive: ", "menu:products", "handoff") },
		"list": func(p *Phone) {
			p.Writes("Hello")
			p.Gets(0, "View products")
			p.Taps("View products")
			p.Gets(1, "Boston Fern", "Blue Oak Chair")
			p.Taps("Boston Fern")
			p.Gets(2, "fern.jpg")
		},
		"dontknow": func(p *Phone) { p.Writes("Can you repair my bicycle?"); p.Gets(0, "interactive: ", "handoff") },
		"order": func(p *Phone) {
			p.Writes("I want to order something")
			p.Gets(0, "text: ")
			p.Until("a person", func() bool { return p.Settled().State == "Waiting" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do(w.customer(t, name))
		})
	}
}
