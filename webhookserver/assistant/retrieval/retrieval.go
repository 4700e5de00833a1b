package retrieval

import (
	"context"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const (
	// shown is how many answers are offered: a WhatsApp list holds ten rows.
	shown = 10
	// quoted is how much of a passage is quoted, in characters.
	quoted = 1500
	// begun and titled are how much of a passage is shown in a row, and for a heading that it lacks, in characters.
	begun, titled = 72, 24
	// described is how much of a product's description is shown, in characters.
	described = 400
)

// Assistant answers by search. It is safe for concurrent use.
type Assistant struct {
	library *assistant.Library
	spoken  map[string]*phrases
	markers map[string]map[string]bool
}

// New makes the assistant over the channels' contents.
func New(library *assistant.Library) *Assistant {
	a := &Assistant{library: library, spoken: spoken(), markers: map[string]map[string]bool{}}
	for language, p := range a.spoken {
		p.language = language
		p.words = serverWords(language)
		p.orderWords, p.orderPhrases = orderIntents(language)
		a.markers[language] = map[string]bool{}
		for _, w := range p.markers {
			a.markers[language][w] = true
		}
	}
	return a
}

// Answer implements assistant.Assistant. It fails only when ctx ends or the search engine does.
func (a *Assistant) Answer(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
	if a.WantsPerson(turn) || a.wantsToOrder(turn) {
		return a.HandOff(turn), nil
	}
	question := turn.Question()
	words := normalize(question)
	p := a.choose(turn.Channel.Assistant.Languages, words)
	var reply assistant.Reply
	err := a.library.Use(ctx, turn.Channel, func(x *catalog.Index) error {
		var err error
		reply.Parts, err = p.answer(ctx, x, question, words, turn.Tapped())
		return err
	})
	return reply, err
}

// WantsPerson reports whether the customer asks for a person: by a tap, by one of the channel's keywords, or in words of
// any language we speak.
func (a *Assistant) WantsPerson(turn assistant.Turn) bool {
	if turn.Tapped() == assistant.TapPerson {
		return true
	}
	for _, m := range turn.Unanswered {
		text := normalize(m.Text)
		for _, keyword := range turn.Channel.Handoff.Keywords {
			if contains(text, keyword) {
				return true
			}
		}
		for _, p := range a.spoken {
			if text == normalize(p.person) || slices.Contains(p.personWords, text) ||
				slices.ContainsFunc(p.personPhrases, func(phrase string) bool { return contains(text, phrase) }) {
				return true
			}
		}
	}
	return false
}

// HandOff returns the reply that tells the customer that a person takes over.
func (a *Assistant) HandOff(turn assistant.Turn) assistant.Reply {
	text := turn.Channel.Handoff.Message
	if text == "" {
		text = a.choose(turn.Channel.Assistant.Languages, normalize(turn.Question())).handedOff
	}
	return assistant.Reply{Parts: []assistant.Part{assistant.Text{Body: text}}, HandOff: true, Reason: "CustomerAsked"}
}

func (p *phrases) answer(ctx context.Context, x *catalog.Index, question, words, tapped string) ([]assistant.Part, error) {
	if id, ok := strings.CutPrefix(tapped, assistant.TapProductPrefix); ok {
		if product, ok := x.Product(id); ok {
			return p.product(&product), nil
		}
	}
	page, isPage := strings.CutPrefix(tapped, assistant.TapPagePrefix)
	if isPage {
		if passage, ok := x.Passage(page); ok {
			return []assistant.Part{quote(&passage)}, nil
		}
	}
	switch {
	case tapped == assistant.TapProducts, words == normalize(p.products), slices.Contains(p.productWords, words):
		return p.menu(x), nil
	case slices.Contains(p.greetings, words):
		return p.greet(x), nil
	}
	if product, ok := x.ProductTitled(question); ok {
		return p.product(&product), nil
	}
	found, err := x.Find(ctx, question, shown)
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) > 0 && isPage:
		return append([]assistant.Part{assistant.Text{Body: p.changed}}, p.best(found)...), nil
	case len(found) > 0:
		return p.best(found), nil
	}
	// "Hello, are you there?" is a greeting too, unless something after the greeting can be answered.
	if slices.ContainsFunc(p.greetings, func(greeting string) bool { return strings.HasPrefix(words, greeting+" ") }) {
		return p.greet(x), nil
	}
	return p.offer(x, p.sorry), nil
}

// best quotes the knowledge, or shows a product, whichever answers best, above a list of all that are nearly as good.
func (p *phrases) best(found []catalog.Finding) []assistant.Part {
	if !slices.ContainsFunc(found, func(f catalog.Finding) bool { return f.Passage != nil }) {
		return p.found(found)
	}
	var parts []assistant.Part
	if found[0].Passage != nil {
		parts = append(parts, quote(found[0].Passage))
	} else {
		parts = p.product(found[0].Product)
	}
	var rows []assistant.Row
	for i := range found[1:] {
		if f := &found[1+i]; f.Product != nil {
			rows = append(rows, p.row(f.Product))
		} else {
			rows = append(rows, pageRow(f.Passage))
		}
	}
	if len(rows) > 0 {
		parts = append(parts, assistant.List{Body: p.also, Button: p.more, Rows: rows})
	}
	return parts
}

// found shows the best product, and the list of all of them.
func (p *phrases) found(found []catalog.Finding) []assistant.Part {
	rows := make([]assistant.Row, 0, len(found))
	for i := range found {
		rows = append(rows, p.row(found[i].Product))
	}
	parts := p.product(found[0].Product)
	if len(rows) > 1 {
		parts = append(parts, assistant.List{Body: p.choose, Button: p.listButton, Rows: rows})
	}
	return parts
}

// menu lists the catalog's first products.
func (p *phrases) menu(x *catalog.Index) []assistant.Part {
	products := x.First(shown)
	if len(products) == 0 {
		return p.offer(x, p.noProducts)
	}
	rows := make([]assistant.Row, 0, len(products))
	for i := range products {
		rows = append(rows, p.row(&products[i]))
	}
	return []assistant.Part{assistant.List{Body: p.choose, Button: p.listButton, Rows: rows}}
}

func (p *phrases) greet(x *catalog.Index) []assistant.Part {
	parts := p.offer(x, p.hello)
	if offer, ok := parts[0].(assistant.Buttons); ok {
		offer.Body += " " + p.ask
		parts[0] = offer
	}
	return parts
}

// abilities says what can be done for the customer here, and nothing that can't.
func (p *phrases) abilities(x *catalog.Index) string {
	switch products, passages := x.Len(); {
	case products > 0 && passages > 0:
		return p.everything
	case products > 0:
		return p.productsOnly
	case passages > 0:
		return p.questionsOnly
	default:
		return p.personOnly
	}
}

// offer says something and what can be done next.
func (p *phrases) offer(x *catalog.Index, text string) []assistant.Part {
	text += " " + p.abilities(x)
	var buttons []assistant.Button
	if products, _ := x.Len(); products > 0 {
		buttons = append(buttons, assistant.Button{ID: assistant.TapProducts, Title: p.products})
	}
	buttons = append(buttons, assistant.Button{ID: assistant.TapPerson, Title: p.person})
	return []assistant.Part{assistant.Buttons{Body: text, Buttons: buttons}}
}

func (p *phrases) row(known *catalog.Product) assistant.Row {
	product := known.In(p.language)
	return assistant.Row{
		ID:          assistant.TapProductPrefix + product.ID,
		Title:       product.Title,
		Description: p.facts(&product),
	}
}

// product shows one product, with its photo if it has one.
func (p *phrases) product(known *catalog.Product) []assistant.Part {
	product := known.In(p.language)
	return []assistant.Part{assistant.ProductCard(&product, p.facts(&product), described)}
}

// facts are the price and the availability, as far as the feed has them.
func (p *phrases) facts(product *catalog.Product) string {
	var facts []string
	if price := product.CurrentPrice(); !price.IsZero() {
		facts = append(facts, price.String())
	}
	if a := p.availability[string(product.Availability)]; a != "" {
		facts = append(facts, a)
	}
	return strings.Join(facts, " · ")
}

// pageRow offers a passage by its heading, and how it begins.
func pageRow(passage *catalog.Passage) assistant.Row {
	begins := assistant.Plain(assistant.Shorten(passage.Text, quoted))
	row := assistant.Row{ID: assistant.TapPagePrefix + passage.ID, Title: assistant.Plain(passage.Heading()), Description: assistant.Shorten(begins, begun)}
	if row.Title == "" {
		row.Title = assistant.Shorten(begins, titled)
	}
	return row
}

func quote(passage *catalog.Passage) assistant.Part {
	text := assistant.Shorten(assistant.FromMarkdown(passage.Text), quoted)
	if h := passage.Heading(); h != "" {
		text = assistant.FromMarkdown("# "+h) + "\n" + text
	}
	return assistant.Text{Body: text}
}
