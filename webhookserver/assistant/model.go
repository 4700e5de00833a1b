package assistant

import (
	"context"
	"encoding/json"
	"regexp"
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
	// painters make images; nil if none can be sent.
	painters Painters
}

// Painters gives channels their models that make images. It is safe for concurrent use.
type Painters interface {
	// ImageGenerator returns the channel's model. Errors are *providers.Error.
	ImageGenerator(ch *runtimeconfig.Channel) (providers.ImageGenerator, error)
}

// NewModel makes a Model. more may be nil: then models have the built-in tools only.
func NewModel(library *Library, models Models, more ToolSource) *Model {
	return &Model{library: library, models: models, more: more}
}

// WithPictures returns the Model that also makes images, for channels that have a model for it. Whoever sends its replies must be able to
// send a Picture.
func (m *Model) WithPictures(from Painters) *Model {
	return &Model{library: m.library, models: m.models, more: m.more, painters: from}
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
	reply, err := m.ask(ctx, chat, &turn, memory)
	if providers.KindOf(err) == providers.ContextTooLong && len(memory.recent) > len(turn.Unanswered) {
		memory.recent = turn.Unanswered // what was said before is worth less than an answer
		reply, err = m.ask(ctx, chat, &turn, memory)
	}
	if err == nil && memory.renewed {
		reply.Summary, reply.SummaryThrough = memory.summary, memory.through
	}
	return reply, err
}

// ask asks the model with what it is to remember.
func (m *Model) ask(ctx context.Context, chat providers.Chat, turn *Turn, memory memory) (Reply, error) {
	messages := dialogue(memory.recent)
	if len(messages) == 0 || messages[len(messages)-1].Role != providers.RoleUser {
		// Only media or signs: there is nothing that a text model could be asked.
		return Reply{}, &providers.Error{Kind: providers.BadRequest}
	}
	w := &work{turn: turn}
	var system string
	err := m.library.Use(ctx, turn.Channel, func(x *catalog.Index) error {
		data, found, err := search(ctx, x, turn)
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
	tools := append(m.builtin(w), m.pictures(w)...)
	if m.more != nil {
		tools = append(tools, m.more.Tools(ctx, turn.Channel)...)
	}
	box := newToolbox(tools...)
	if turn.Done != nil {
		messages = append(messages, doneMessages(turn.Done)...)
	}
	return m.rounds(ctx, chat, box, w, providers.Request{
		System: system, Messages: messages, MaxTokens: answerTokens, Schema: replySchema, Tools: box.offer(),
	})
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

// parseReply reads the structure, also from between other words, or takes prose as the text of a reply, since not every provider
// knows structures. What looks like the structure or like a call and can't be read is no prose that a customer should see, and neither
// is what some models write down while they think.
func parseReply(text string) (modelReply, bool) {
	if _, after, thought := strings.Cut(text, "</think>"); thought {
		text = after
	}
	text = strings.TrimSpace(text)
	if fence := structureFence.FindStringSubmatch(text); fence != nil {
		text = fence[1]
	}
	var answer modelReply
	switch start := strings.Index(text, `{"text"`); {
	case strings.HasPrefix(text, "{"):
		return answer, json.Unmarshal([]byte(text), &answer) == nil
	case start >= 0:
		return answer, json.NewDecoder(strings.NewReader(text[start:])).Decode(&answer) == nil
	case markup.MatchString(text):
		return answer, false
	default:
		return modelReply{Text: text}, text != ""
	}
}

var (
	// structureFence is a code block that holds an object, whatever its language.
	structureFence = regexp.MustCompile("(?s)^```[a-zA-Z]*\\s*(\\{.*\\})\\s*```$")
	// markup is what models write for their server, which has not understood it.
	markup = regexp.MustCompile(`<think>|</?tool_call>|<\|[a-z_]+\|>|\[TOOL_CALLS\]`)
)

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
