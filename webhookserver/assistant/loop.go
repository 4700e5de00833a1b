package assistant

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const (
	// maxJunk is how many unusable answers a turn takes from a model before somebody else answers.
	maxJunk = 3
	// maxCards bounds the images of one answer: each is a message.
	maxCards = 3
	// maxOffered bounds the products that are shown as a list.
	maxOffered = maxRows
)

// work is what a turn has found and decided so far. Tools write to it; only the server reads it.
type work struct {
	turn *Turn
	// products are those that the model was told of: it can show no other.
	products map[string]catalog.Product
	images   []Image
	pictures []Picture
	order    *Order
	action   *Action
	// calls counts the calls of tools.
	calls int64
	// handOff ends the turn with a person; farewell is what the model says before.
	handOff  bool
	farewell string
}

// rounds asks the model until it answers, and makes the calls that it asks for in between.
func (m *Model) rounds(ctx context.Context, chat providers.Chat, box *toolbox, w *work, req providers.Request) (Reply, error) {
	junk := 0
	for range maxRounds {
		res, err := chat.Complete(ctx, req)
		if err != nil {
			return Reply{}, err
		}
		if len(res.Calls) > 0 {
			results := m.call(ctx, box, w, res.Calls)
			if err := ctx.Err(); err != nil {
				return Reply{}, err
			}
			if w.handOff {
				return m.reply(ctx, w, modelReply{Text: w.farewell, HandOff: true})
			}
			req.Messages = append(slices.Clip(req.Messages),
				providers.Message{Role: providers.RoleAssistant, Text: res.Text, Calls: res.Calls},
				providers.Message{Role: providers.RoleTool, Results: results})
			continue
		}
		if answer, ok := parseReply(res.Text); ok {
			reply, err := m.reply(ctx, w, answer)
			if err != nil || len(reply.Parts) > 0 || reply.HandOff || reply.Order != nil || reply.Action != nil {
				return reply, err
			}
		}
		junk++
		if junk == maxJunk {
			break
		}
		req.Messages = append(slices.Clip(req.Messages),
			providers.Message{Role: providers.RoleAssistant, Text: res.Text},
			providers.Message{Role: providers.RoleUser, Text: "(From the system, not the customer:) This answer can't be shown. Answer again, as JSON of the given shape, with a text."})
	}
	return Reply{}, &providers.Error{Kind: providers.BadResponse}
}

// call makes the calls of one round, in order. Each has a result, also those that are not made.
func (m *Model) call(ctx context.Context, box *toolbox, w *work, calls []providers.ToolCall) []providers.ToolResult {
	results := make([]providers.ToolResult, 0, len(calls))
	for i, c := range calls {
		w.calls++
		r := providers.ToolResult{CallID: c.ID, Name: c.Name}
		if len(c.Arguments) == 0 {
			c.Arguments = json.RawMessage("{}")
		}
		tool, problem := box.find(c)
		switch {
		case i >= maxCalls:
			r.Text, r.Failed = "Too many calls at once; this one was not made.", true
		case problem != "":
			r.Text, r.Failed = problem, true
		case tool.SideEffect:
			r.Text, r.Failed = m.propose(ctx, w, tool, c.Arguments)
		default:
			r.Text, r.Failed = tool.run(ctx, c.Arguments)
		}
		results = append(results, r)
	}
	return results
}

// doneMessages tell the model of a call that was made, as if it had asked for it just now.
func doneMessages(d *Done) []providers.Message {
	const id = "confirmed"
	text := d.Result
	if text == "" {
		text = "The tool returned nothing."
	}
	return []providers.Message{
		{Role: providers.RoleAssistant, Calls: []providers.ToolCall{{ID: id, Name: d.Tool, Arguments: d.Arguments}}},
		{Role: providers.RoleTool, Results: []providers.ToolResult{{CallID: id, Name: d.Tool, Text: text, Failed: d.Failed}}},
	}
}

// reply builds the reply from what the model wrote and what tools have left. Products, photos and links are those of the content.
func (m *Model) reply(ctx context.Context, w *work, answer modelReply) (Reply, error) {
	if recites(w.turn.Channel, answer.Text) {
		answer.Text = "" // nothing of it is for customers
	}
	var body string
	var titles []string
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		body, _ = onlyKnownLinks(x, FromMarkdown(answer.Text))
		for _, title := range answer.Buttons {
			if title, removed := onlyKnownLinks(x, title); removed == 0 {
				titles = append(titles, title)
			}
		}
		return nil
	})
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{HandOff: answer.HandOff}
	if answer.HandOff {
		reply.Reason = "ModelAsked"
		reply.Parts = handOffParts(body, w.turn.Channel.Handoff.Message)
		return reply, nil
	}
	reply.Order, reply.Action = w.order, w.action
	reply.Parts = w.parts(body, answer.Products, quickReplies(titles))
	return reply, nil
}

func handOffParts(texts ...string) []Part {
	var parts []Part
	for _, text := range texts {
		if text != "" {
			parts = append(parts, Text{Body: text})
		}
	}
	return parts
}

// parts shows one product as a card and several as a list: messages are billed, and a list is one.
func (w *work) parts(body string, ids []string, buttons []Button) []Part {
	products := w.shown(ids)
	var parts []Part
	for _, image := range w.images {
		parts = append(parts, image)
	}
	for _, picture := range w.pictures {
		parts = append(parts, picture)
	}
	decides := w.order != nil || w.action != nil // the buttons are those of the decision
	switch {
	case len(products) > 1 && !decides:
		if body == "" {
			body = products[0].Title
		}
		return append(parts, List{Body: body, Rows: productRows(products)})
	case len(products) == 0 && len(buttons) > 0 && body != "" && !decides:
		return append(parts, Buttons{Body: body, Buttons: buttons})
	case body != "":
		parts = append(parts, Text{Body: body})
	}
	for i := range products[:min(len(products), maxCards)] {
		p := &products[i]
		parts = append(parts, ProductCard(p, p.CurrentPrice().String(), promptDescription))
	}
	return parts
}

// shown are the products that an answer names, of those that the model was told about, each once.
func (w *work) shown(ids []string) []catalog.Product {
	var products []catalog.Product
	for _, id := range ids {
		if p, ok := w.products[id]; ok && len(products) < maxOffered &&
			!slices.ContainsFunc(products, func(other catalog.Product) bool { return other.ID == id }) {
			products = append(products, p)
		}
	}
	return products
}

func productRows(products []catalog.Product) []Row {
	rows := make([]Row, 0, len(products))
	for i := range products {
		p := &products[i]
		rows = append(rows, Row{ID: TapProductPrefix + p.ID, Title: p.Title, Description: p.CurrentPrice().String()})
	}
	return rows
}
