package retrieval

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const feed = `id,title,description,availability,price,sale_price,link,image_link
fern,Boston Fern,A lush green plant,in stock,9.99 USD,,https://shop.example/fern,https://shop.example/fern.jpg
palm,Areca Palm,A tall green plant,in stock,30.00 USD,24.00 USD,,https://shop.example/palm.jpg
pot,Ceramic Pot,Glazed by hand,out of stock,7.25 USD,,,
`

const faq = "# Shop\n\n## Shipping\n\nWe ship within **2 days**.\n\n## Opening hours\n\nMonday to Friday, 9 to 17.\n"

func channel(languages ...string) *runtimeconfig.Channel {
	return &runtimeconfig.Channel{
		LineID:    "line-1",
		Assistant: runtimeconfig.Assistant{Languages: languages},
		Handoff:   runtimeconfig.Handoff{Keywords: []string{"Complaint", "real help"}},
		Content: &runtimeconfig.Content{
			CatalogFormat: "CSV", Catalog: []byte(feed), Revision: "r1",
			Knowledge: []runtimeconfig.Document{{Name: "faq.md", Text: faq}},
		},
	}
}

func newAssistant(t *testing.T) *Assistant {
	t.Helper()
	cache := catalog.NewCache(1 << 30)
	t.Cleanup(cache.Close)
	return New(assistant.NewLibrary(cache, nil))
}

func says(ch *runtimeconfig.Channel, texts ...string) assistant.Turn {
	turn := assistant.Turn{Channel: ch}
	for _, text := range texts {
		turn.Unanswered = append(turn.Unanswered, assistant.Message{FromCustomer: true, Text: text})
	}
	return turn
}

func taps(ch *runtimeconfig.Channel, id string) assistant.Turn {
	return assistant.Turn{Channel: ch, Unanswered: []assistant.Message{{FromCustomer: true, Text: "tapped", Tapped: id}}}
}

var (
	fernCard = assistant.Image{Link: "https://shop.example/fern.jpg", Caption: "*Boston Fern*\n9.99 USD · in stock\nA lush green plant\nhttps://shop.example/fern"}
	palmCard = assistant.Image{Link: "https://shop.example/palm.jpg", Caption: "*Areca Palm*\n24.00 USD · in stock\nA tall green plant"}
	potCard  = assistant.Text{Body: "*Ceramic Pot*\n7.25 USD · out of stock\nGlazed by hand"}
	fernRow  = assistant.Row{ID: "product:fern", Title: "Boston Fern", Description: "9.99 USD · in stock"}
	palmRow  = assistant.Row{ID: "product:palm", Title: "Areca Palm", Description: "24.00 USD · in stock"}
)

func list(rows ...assistant.Row) assistant.List {
	return assistant.List{Body: "This is what I found. Choose one to see more.", Button: "View products", Rows: rows}
}

func TestAnswer(t *testing.T) {
	a := newAssistant(t)
	en := channel("en")
	const abilities = "I can show you our products, answer questions about the shop, or connect you with a person."
	greeting, sorry := "Hello! "+abilities+" What can I do for you?", "I'm sorry, I have no answer to that. "+abilities
	offer := func(text string) assistant.Part {
		return assistant.Buttons{Body: text, Buttons: []assistant.Button{
			{ID: "menu:products", Title: "View products"}, {ID: "handoff", Title: "Talk to a person"},
		}}
	}
	for _, tc := range []struct {
		reason string
		turn   assistant.Turn
		want   []assistant.Part
	}{
		{"a product is shown with its photo", says(en, "Do you have a boston fern?"), []assistant.Part{fernCard}},
		{"a product on sale shows what it costs now", says(en, "price of the areca palm"), []assistant.Part{palmCard}},
		{"a product without a photo is a text", says(en, "ceramic pots?"), []assistant.Part{potCard}},
		{"several products are a list below the best one", says(en, "green plants"), []assistant.Part{fernCard, list(fernRow, palmRow)}},
		{"a tap on a row shows its product", taps(en, "product:palm"), []assistant.Part{palmCard}},
		{"the title of a row, as text", says(en, "Areca Palm"), []assistant.Part{palmCard}},
		{"a tap on View products", taps(en, "menu:products"), []assistant.Part{list(fernRow, palmRow)}},
		{"the title of that button, as text", says(en, "View products"), []assistant.Part{list(fernRow, palmRow)}},
		{"the knowledge is quoted in WhatsApp's formatting", says(en, "How fast is shipping?"), []assistant.Part{assistant.Text{Body: "*Shipping*\nWe ship within *2 days*."}}},
		{"several messages are one question", says(en, "When do you", "open on Monday?"), []assistant.Part{assistant.Text{Body: "*Opening hours*\nMonday to Friday, 9 to 17."}}},
		{"a greeting says what is possible", says(en, "Hello!!"), []assistant.Part{offer(greeting)}},
		{"a greeting with more after it", says(en, "Hello, are you there?"), []assistant.Part{offer(greeting)}},
		{"a greeting with a question after it is a question", says(en, "Hello, do you have a boston fern?"), []assistant.Part{fernCard}},
		{"what nobody knows is said plainly", says(en, "Who won the football match?"), []assistant.Part{offer(sorry)}},
		{"a product that is gone", taps(en, "product:gone"), []assistant.Part{offer(sorry)}},
		{"a channel without content offers a person only", says(&runtimeconfig.Channel{LineID: "line-2"}, "menu"),
			[]assistant.Part{assistant.Buttons{Body: "I have no products to show at the moment. I can connect you with a person.", Buttons: []assistant.Button{{ID: "handoff", Title: "Talk to a person"}}}}},
	} {
		for range 2 { // the second time from the cache: the same
			reply, err := a.Answer(t.Context(), tc.turn)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(assistant.Reply{Parts: tc.want}, reply); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(reply.Parts, assistant.Fit(reply.Parts)); diff != "" {
				t.Errorf("%s: the reply does not fit as it is (-reply +fit):\n%s", tc.reason, diff)
			}
		}
	}
}

// TestProductsAndPages: a question that both answer shows the best, and offers the rest in a list, of which each row can be tapped.
func TestProductsAndPages(t *testing.T) {
	a := newAssistant(t)
	ch := channel("en")
	ch.Content.Knowledge = []runtimeconfig.Document{{Name: "care.md", Text: "# Green plants\n\nWater your\n**green plants** each week, and turn them so that all of them see the sun.\n"}, {Name: "note.md", Text: "Shade for green plants.\n"}}
	also := func(rows ...assistant.Row) assistant.List {
		return assistant.List{Body: "This may help you, too.", Button: "See more", Rows: rows}
	}
	pages := func(i int) string {
		d := ch.Content.Knowledge[i]
		return "page:" + catalog.SplitDocument(catalog.Document{Name: d.Name, Text: d.Text})[0].ID
	}
	careRow := assistant.Row{ID: pages(0), Title: "Green plants", Description: "Water your green plants each week, and turn them so that all of them…"}
	noteRow := assistant.Row{ID: pages(1), Title: "Shade for green plants.", Description: "Shade for green plants."}
	care := assistant.Text{Body: "*Green plants*\nWater your\n*green plants* each week, and turn them so that all of them see the sun."}
	for _, tc := range []struct {
		reason string
		turn   assistant.Turn
		want   []assistant.Part
	}{
		{"pages beside a product", says(ch, "green plants"), []assistant.Part{fernCard, also(palmRow, careRow, noteRow)}},
		{"products beside a page", says(ch, "green plants, each week"), []assistant.Part{care, also(fernRow, palmRow, noteRow)}},
		{"a tap on a page", taps(ch, pages(0)), []assistant.Part{care}},
		{"a page without a heading", taps(ch, pages(1)), []assistant.Part{assistant.Text{Body: "Shade for green plants."}}},
	} {
		reply, err := a.Answer(t.Context(), tc.turn)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(assistant.Reply{Parts: tc.want}, reply); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
		if diff := cmp.Diff(reply.Parts, assistant.Fit(reply.Parts)); diff != "" {
			t.Errorf("%s: the reply does not fit as it is (-reply +fit):\n%s", tc.reason, diff)
		}
	}
	reply, err := a.Answer(t.Context(), taps(ch, "page:gone.md#0"))
	if err != nil || len(reply.Parts) != 1 || !strings.Contains(reply.Parts[0].Summary(), "I have no answer") {
		t.Errorf("a page that is gone: %+v (%v)", reply, err)
	}
}

// TestOldRows: a row that was sent before the knowledge changed leads to its section, or to a search for what it is called; never to another section.
func TestOldRows(t *testing.T) {
	a := newAssistant(t)
	ch := channel("en")
	id := "page:" + catalog.SplitDocument(catalog.Document{Name: "faq.md", Text: faq})[0].ID
	taps := func(id string) []assistant.Part {
		reply, err := a.Answer(t.Context(), assistant.Turn{Channel: ch, Unanswered: []assistant.Message{{FromCustomer: true, Text: "Shipping", Tapped: id}}})
		if err != nil {
			t.Fatal(err)
		}
		return reply.Parts
	}
	now := func(revision, text string) { ch.Content.Revision, ch.Content.Knowledge[0].Text = revision, text }
	changed := assistant.Text{Body: "That has changed. This is what I have now."}
	now("r2", strings.Replace(faq, "## Shipping", "## Payment\n\nBy card.\n\n## Shipping", 1))
	if diff := cmp.Diff([]assistant.Part{assistant.Text{Body: "*Shipping*\nWe ship within *2 days*."}}, taps(id)); diff != "" {
		t.Errorf("a section was put before (-want +got):\n%s", diff)
	}
	now("r3", strings.Replace(faq, "## Shipping", "## Shipping abroad", 1))
	if diff := cmp.Diff([]assistant.Part{changed, assistant.Text{Body: "*Shipping abroad*\nWe ship within *2 days*."}}, taps(id)); diff != "" {
		t.Errorf("the section has another name (-want +got):\n%s", diff)
	}
	now("r4", faq)
	if diff := cmp.Diff([]assistant.Part{changed, assistant.Text{Body: "*Shipping*\nWe ship within *2 days*."}}, taps("page:faq.md#1")); diff != "" {
		t.Errorf("an id of an earlier version of the program (-want +got):\n%s", diff)
	}
	now("r5", "# Opening hours\n\nMonday to Friday.\n")
	if parts := taps(id); len(parts) != 1 || !strings.Contains(parts[0].Summary(), "I have no answer") {
		t.Errorf("the section is gone: %+v", parts)
	}
}

func TestAnswerFollowsTheContent(t *testing.T) {
	a := newAssistant(t)
	ch := channel("en")
	if _, err := a.Answer(t.Context(), says(ch, "boston fern")); err != nil {
		t.Fatal(err)
	}
	changed := channel("en")
	changed.Content = &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: []byte(strings.Replace(feed, "9.99", "5.55", 1)), Revision: "r2"}
	reply, err := a.Answer(t.Context(), says(changed, "boston fern"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(reply.Parts[0].Summary(), "5.55 USD") {
		t.Errorf("the old price is still told: %s", reply.Parts[0].Summary())
	}
}

func TestHandOff(t *testing.T) {
	a := newAssistant(t)
	ch := channel("en", "de")
	for _, tc := range []struct {
		reason string
		turn   assistant.Turn
		want   bool
	}{
		{"in English", says(ch, "Can I talk to a person please?"), true},
		{"in a language that the channel does not list", says(ch, "Quiero hablar con una persona"), true},
		{"one word", says(ch, "Agent!"), true},
		{"the channel's keyword inside a sentence, in another case", says(ch, "I have a COMPLAINT."), true},
		{"a keyword of two words", says(ch, "I need real help now"), true},
		{"the tap on the button", taps(ch, "handoff"), true},
		{"the title of the button, as text", says(ch, "Mit Mensch sprechen"), true},
		{"asked in the first of several messages", says(ch, "I want to speak to someone", "hello?"), true},
		{"a word inside another one", says(ch, "complaints about nothing, great reagents"), false},
		{"an ordinary question", says(ch, "boston fern"), false},
	} {
		reply, err := a.Answer(t.Context(), tc.turn)
		if err != nil {
			t.Fatal(err)
		}
		if reply.HandOff != tc.want || a.WantsPerson(tc.turn) != tc.want || len(reply.Parts) == 0 {
			t.Errorf("%s: reply %+v, want hand-off %t", tc.reason, reply, tc.want)
		}
	}
	ch.Handoff.Message = "Ana will write to you."
	if reply := a.HandOff(says(ch, "agent")); reply.Parts[0].Summary() != ch.Handoff.Message {
		t.Errorf("the channel's own words are not used: %+v", reply)
	}
}

func TestLanguage(t *testing.T) {
	a := newAssistant(t)
	all := []string{"en", "de", "es", "fr", "it", "pt-BR"}
	for _, tc := range []struct {
		languages []string
		text      string
		want      string
	}{
		{all, "Hallo", "de"}, {all, "Habt ihr das auf Lager?", "de"}, {all, "Hola, ¿tienen abierto?", "es"}, {all, "Bonjour, avez-vous ouvert ?", "fr"},
		{all, "Buongiorno, quando aprite?", "it"}, {all, "Olá, vocês têm?", "pt"}, {all, "What do you have?", "en"},
		{[]string{"de", "en"}, "xyz", "de"},                   // no sign: the channel's first language
		{[]string{"de"}, "What do you have?", "de"},           // not a language of the channel
		{[]string{"ja"}, "こんにちは", "en"}, {nil, "Hallo", "en"}, // no phrases, no languages
	} {
		if got := a.choose(tc.languages, normalize(tc.text)); got != a.spoken[tc.want] {
			t.Errorf("%v, %q: speaks %q, want %s", tc.languages, tc.text, got.person, tc.want)
		}
	}
}

func TestPhrasesFitWhatsApp(t *testing.T) {
	for language, p := range spoken() {
		for _, title := range []string{p.products, p.person, p.listButton, p.more} {
			if n := len([]rune(title)); n < 1 || n > 20 {
				t.Errorf("%s: %q has %d characters", language, title, n)
			}
		}
		for _, text := range []string{
			p.hello + " " + p.everything + " " + p.ask, p.sorry + " " + p.everything, p.productsOnly, p.questionsOnly, p.personOnly, p.noProducts, p.choose, p.changed, p.also, p.handedOff,
		} {
			if n := len([]rune(text)); n < 1 || n > 1024 {
				t.Errorf("%s: %q has %d characters", language, text, n)
			}
		}
		for _, value := range []catalog.Availability{catalog.InStock, catalog.OutOfStock, catalog.AvailableForOrder, catalog.Preorder, catalog.Discontinued} {
			if p.availability[string(value)] == "" {
				t.Errorf("%s has no word for %q", language, value)
			}
		}
		for _, words := range [][]string{p.greetings, p.personWords, p.productWords, p.markers} {
			for _, w := range words {
				if normalize(w) != w {
					t.Errorf("%s: %q can never match, it normalizes to %q", language, w, normalize(w))
				}
			}
		}
	}
}
