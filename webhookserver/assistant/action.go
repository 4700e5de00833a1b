package assistant

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// maxShownAction bounds what a customer is shown of a call, in characters. What is longer is not proposed: nobody confirms what he
// can't read.
const maxShownAction = 700

// oneDecision is what a model is told that wants the customer to decide on two things at once.
const oneDecision = "Something else waits for the customer's confirmation already; one at a time."

// ActionQuestion asks whether to make a call with a side effect, and shows with what.
func ActionQuestion(a *Action, words *Words) Part {
	return Buttons{
		Body:    words.ActionAsk + "\n```" + shownAction(a) + "```",
		Buttons: []Button{{ID: TapDoAction + a.ID, Title: words.Yes}, {ID: TapDropAction + a.ID, Title: words.No}},
	}
}

// shownAction is the call as a customer reads it, without what would end the block or turn its characters around.
func shownAction(a *Action) string {
	return turning.Replace(a.Tool + " " + string(a.Arguments))
}

// turning are backquotes, and the signs that change the direction of text.
var turning = strings.NewReplacer("`", "'", "\u202a", "", "\u202b", "", "\u202c", "", "\u202d", "", "\u202e", "",
	"\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "")

// propose notes a call with a side effect, to be confirmed by the customer. It is not made.
func (m *Model) propose(ctx context.Context, w *work, tool *Tool, arguments json.RawMessage) (text string, failed bool) {
	if w.action != nil || w.order != nil {
		return oneDecision, true
	}
	value, arguments, err := canonical(arguments)
	if err != nil {
		return "The arguments are not valid JSON.", true
	}
	action := &Action{ID: rand.Text(), Ordinal: w.calls, Tool: tool.Name, Arguments: arguments}
	if length(shownAction(action)) > maxShownAction {
		return "The arguments are too long for the customer to read before he confirms.", true
	}
	var refused *ToolError
	switch err := m.sayable(ctx, w, value); {
	case errors.As(err, &refused):
		return refused.Text, true
	case err != nil:
		return "The tool failed.", true
	}
	w.action = action
	return "Not done yet: the customer is asked to confirm with a button below your answer. Say shortly what will happen.", false
}

// canonical decodes arguments and encodes them again, so that the customer, the ledger and the tool read the same of them.
func canonical(arguments json.RawMessage) (value any, encoded json.RawMessage, err error) {
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // people read it
	if err := encoder.Encode(value); err != nil {
		return nil, nil, err
	}
	return value, bytes.TrimSpace(b.Bytes()), nil
}

// sayable refuses a value that holds a text which written would change.
func (m *Model) sayable(ctx context.Context, w *work, value any) error {
	switch v := value.(type) {
	case string:
		text, err := m.written(ctx, w, v)
		if err == nil && text != strings.TrimSpace(v) {
			err = &ToolError{Text: "The arguments hold a link that neither the shop nor the customer has given."}
		}
		return err
	case []any:
		for _, element := range v {
			if err := m.sayable(ctx, w, element); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, element := range v {
			if err := errors.Join(m.sayable(ctx, w, key), m.sayable(ctx, w, element)); err != nil {
				return err
			}
		}
	}
	return nil
}

// written is a text that a model passes on for the customer, to be read by him and by others: without links that neither the content
// has nor the customer wrote. A *ToolError refuses what is none of the customer's.
func (m *Model) written(ctx context.Context, w *work, text string) (string, error) {
	if recites(w.turn.Channel, text) {
		return "", &ToolError{Text: "This text is not for others."}
	}
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		text, _ = onlyLinks(func(link string) bool { return x.HasLink(link) || w.turn.wrote(link) }, text)
		return nil
	})
	return text, err
}
