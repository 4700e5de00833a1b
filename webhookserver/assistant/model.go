package assistant

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// Model answers with the chat model of the turn's channel. It is safe for concurrent use.
type Model struct {
	library *Library
	models  *providers.Pool
}

// NewModel makes a Model.
func NewModel(library *Library, models *providers.Pool) *Model {
	return &Model{library: library, models: models}
}

// Answer implements Assistant. Errors of the provider are *providers.Error. A reply that hands off may have no parts.
func (m *Model) Answer(ctx context.Context, turn Turn) (Reply, error) {
	chat, err := m.models.Chat(turn.Channel)
	if err != nil {
		return Reply{}, err
	}
	messages := dialogue(&turn)
	if len(messages) == 0 || messages[len(messages)-1].Role != providers.RoleUser {
		// Only media or signs: there is nothing that a text model could be asked.
		return Reply{}, &providers.Error{Kind: providers.BadRequest}
	}
	var products map[string]catalog.Product
	var system string
	err = m.library.Use(ctx, turn.Channel, func(x *catalog.Index) error {
		data, found, err := search(ctx, x, &turn)
		if err != nil {
			return err
		}
		products = found
		system, err = systemPrompt(turn.Channel, turn.CustomerName, data)
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	res, err := chat.Complete(ctx, providers.Request{
		System: system, Messages: messages, MaxTokens: answerTokens, Schema: replySchema,
	})
	if err != nil {
		return Reply{}, err
	}
	return newReply(res.Text, products, turn.Channel.Handoff.Message)
}

// search finds what the model is told. A question that names no product ("and in red?") is searched for together with
// what the customer wrote before.
func search(ctx context.Context, x *catalog.Index, turn *Turn) (promptData, map[string]catalog.Product, error) {
	data := promptData{Products: []promptProduct{}, Knowledge: []promptPassage{}}
	products := map[string]catalog.Product{}
	questions := []string{turn.Question()}
	for _, m := range slices.Backward(turn.History) {
		if m.FromCustomer {
			questions = append(questions, m.Text)
			break
		}
	}
	for _, question := range questions {
		hits, err := x.SearchProducts(ctx, question, promptProducts)
		if err != nil {
			return data, nil, err
		}
		for i := range hits {
			p := &hits[i].Product
			if _, seen := products[p.ID]; !seen && len(products) < promptProducts {
				products[p.ID] = *p
				data.Products = append(data.Products, newPromptProduct(p))
			}
		}
	}
	passages, err := x.SearchPassages(ctx, questions[0], promptPassages)
	if err != nil {
		return data, nil, err
	}
	for i := range passages {
		data.Knowledge = append(data.Knowledge, newPromptPassage(&passages[i].Passage))
	}
	return data, products, nil
}

// newReply builds the reply from what the model wrote. products are those it was told about: it can show no other.
func newReply(text string, products map[string]catalog.Product, handOffMessage string) (Reply, error) {
	answer, ok := parseReply(text)
	if !ok {
		return Reply{}, &providers.Error{Kind: providers.BadResponse}
	}
	body := FromMarkdown(answer.Text)
	var cards []Part
	for _, id := range answer.Products {
		if p, ok := products[id]; ok {
			cards = append(cards, ProductCard(&p, p.CurrentPrice().String(), promptDescription))
		}
	}
	reply := Reply{HandOff: answer.HandOff}
	switch buttons := quickReplies(answer.Buttons); {
	case len(cards) == 0 && len(buttons) > 0 && body != "" && !answer.HandOff:
		reply.Parts = append(reply.Parts, Buttons{Body: body, Buttons: buttons})
	case body != "":
		reply.Parts = append(reply.Parts, Text{Body: body})
	}
	reply.Parts = append(reply.Parts, cards[:min(len(cards), maxCards)]...)
	if answer.HandOff {
		reply.Reason = "ModelAsked"
		if handOffMessage != "" {
			reply.Parts = append(reply.Parts, Text{Body: handOffMessage})
		}
	}
	if len(reply.Parts) == 0 && !reply.HandOff {
		return Reply{}, &providers.Error{Kind: providers.BadResponse}
	}
	return reply, nil
}

// maxCards bounds the products that a model shows at once: each is a message.
const maxCards = 3

// parseReply reads the structure, or takes prose as the text of a reply, since not every provider knows structures. What
// looks like the structure and can't be read is no prose that a customer should see.
func parseReply(text string) (modelReply, bool) {
	text = strings.TrimSpace(text)
	if fenced, ok := strings.CutPrefix(text, "```json"); ok {
		text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(fenced), "```"))
	}
	if !strings.HasPrefix(text, "{") {
		return modelReply{Text: text}, text != ""
	}
	var answer modelReply
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return modelReply{}, false
	}
	return answer, true
}

// quickReplies makes buttons whose title is what the customer says by tapping them.
func quickReplies(titles []string) []Button {
	var buttons []Button
	for _, title := range titles {
		if title = shrink(oneLine(clean(title)), maxButtonText); title != "" && len(buttons) < maxButtons {
			buttons = append(buttons, Button{ID: "say:" + title, Title: title})
		}
	}
	return buttons
}
