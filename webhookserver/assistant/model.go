package assistant

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// Models gives channels their chat models. It is safe for concurrent use.
type Models interface {
	// Chat returns the channel's model. Errors are *providers.Error.
	Chat(ch *runtimeconfig.Channel) (providers.Chat, error)
}

// Model answers with the chat model of the turn's channel, which may ask for tools first. It is safe for concurrent use.
type Model struct {
	library *Library
	models  Models
	more    ToolSource
}

// NewModel makes a Model. more may be nil: then models have the built-in tools only.
func NewModel(library *Library, models Models, more ToolSource) *Model {
	return &Model{library: library, models: models, more: more}
}

// Answer implements Assistant. Errors of the provider are *providers.Error. A reply that hands off may have no parts.
func (m *Model) Answer(ctx context.Context, turn Turn) (Reply, error) {
	chat, err := m.models.Chat(turn.Channel)
	if err != nil {
		return Reply{}, err
	}
	memory, err := remember(ctx, chat, &turn)
	if err != nil {
		return Reply{}, err
	}
	messages := dialogue(memory.recent)
	if len(messages) == 0 || messages[len(messages)-1].Role != providers.RoleUser {
		// Only media or signs: there is nothing that a text model could be asked.
		return Reply{}, &providers.Error{Kind: providers.BadRequest}
	}
	w := &work{turn: &turn}
	var system string
	err = m.library.Use(ctx, turn.Channel, func(x *catalog.Index) error {
		data, found, err := search(ctx, x, &turn)
		if err != nil {
			return err
		}
		w.products = found
		system, err = systemPrompt(turn.Channel, turn.CustomerName, memory.summary, data)
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	tools := m.builtin(w)
	if m.more != nil {
		tools = append(tools, m.more.Tools(ctx, turn.Channel)...)
	}
	box := newToolbox(tools...)
	if turn.Done != nil {
		messages = append(messages, doneMessages(turn.Done)...)
	}
	reply, err := m.rounds(ctx, chat, box, w, providers.Request{
		System: system, Messages: messages, MaxTokens: answerTokens, Schema: replySchema, Tools: box.offer(),
	})
	if err == nil && memory.renewed {
		reply.Summary, reply.SummaryThrough = memory.summary, memory.through
	}
	return reply, err
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
