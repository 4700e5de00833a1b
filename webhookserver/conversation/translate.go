package conversation

import (
	"context"
	"encoding/json"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// newTurn is what the assistant is told of a turn.
func newTurn(ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message) assistant.Turn {
	return assistant.Turn{
		Channel:      ch,
		CustomerName: turn.Contact.Name,
		Unanswered:   messages(unanswered),
		History:      messages(turn.History),
		Summary:      turn.Summary.Text, SummaryThrough: turn.Summary.Through,
	}
}

func messages(rows []store.Message) []assistant.Message {
	out := make([]assistant.Message, 0, len(rows))
	for i := range rows {
		m := &rows[i]
		out = append(out, assistant.Message{
			ID: m.ID, FromCustomer: m.Author == store.AuthorCustomer, Text: m.Text, Tapped: tapped(m),
		})
	}
	return out
}

// tapped is the id of the button or row by which a customer's message was made; empty for all others.
func tapped(m *store.Message) string {
	if m.Author != store.AuthorCustomer || m.Type != "interactive" {
		return ""
	}
	type choice struct {
		ID string `json:"id"`
	}
	var raw struct {
		Interactive struct {
			Button choice `json:"button_reply"`
			List   choice `json:"list_reply"`
		} `json:"interactive"`
	}
	if err := json.Unmarshal(m.Raw, &raw); err != nil {
		return "" // its text is still there
	}
	if raw.Interactive.Button.ID != "" {
		return raw.Interactive.Button.ID
	}
	return raw.Interactive.List.ID
}

// Pictures keeps images that were made for a reply, until they are sent; a media.Outgoing does.
type Pictures interface {
	// Draft returns the outbox row that sends an image.
	Draft(ctx context.Context, line, mimeType string, content []byte, caption string) (store.OutboxDraft, error)
}

// rows turns a reply into outbox rows. An image that can't be kept is left out, and its caption sent in its place.
func (w *Worker) rows(ctx context.Context, ch *runtimeconfig.Channel, parts []assistant.Part) ([]store.OutboxDraft, error) {
	var out []store.OutboxDraft
	for _, part := range assistant.Fit(parts) {
		picture, ok := part.(assistant.Picture)
		if ok && w.opts.Pictures != nil {
			row, err := w.opts.Pictures.Draft(ctx, ch.LineID, picture.MIMEType, picture.Data, picture.Caption)
			if err == nil {
				row.Text, row.MaxReplyAge = picture.Summary(), maxReplyAge(ch)
				out = append(out, row)
				continue
			}
			w.opts.Log.Error(err, "An image that was made can't be sent", "line", ch.LineID)
		}
		if ok {
			part = assistant.Text{Body: picture.Caption}
		}
		rows, err := drafts(ctx, ch, []assistant.Part{part})
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// drafts turns a reply into outbox rows, one for each message, made to fit WhatsApp's limits.
func drafts(ctx context.Context, ch *runtimeconfig.Channel, parts []assistant.Part) ([]store.OutboxDraft, error) {
	fit := assistant.Fit(parts)
	out := make([]store.OutboxDraft, 0, len(fit))
	for _, part := range fit {
		content := contentOf(part)
		content.Trace = tracing.Carry(ctx)
		payload, err := content.Payload()
		if err != nil {
			return nil, err
		}
		out = append(out, store.OutboxDraft{
			Type: content.Type(), Text: part.Summary(), Payload: payload, MaxReplyAge: maxReplyAge(ch),
		})
	}
	return out, nil
}

func contentOf(part assistant.Part) outbox.Content {
	switch p := part.(type) {
	case assistant.Text:
		return outbox.Content{Text: &outbox.Text{Body: p.Body}}
	case assistant.Image:
		return outbox.Content{Image: &outbox.Image{Link: p.Link, Caption: p.Caption}}
	case assistant.Buttons:
		c := &outbox.Buttons{Body: p.Body}
		for _, b := range p.Buttons {
			c.Buttons = append(c.Buttons, outbox.Button(b))
		}
		return outbox.Content{Buttons: c}
	case assistant.List:
		c := &outbox.List{Body: p.Body, Button: p.Button}
		for _, r := range p.Rows {
			c.Rows = append(c.Rows, outbox.Row(r))
		}
		return outbox.Content{List: c}
	default:
		return outbox.Content{} // refused by Payload
	}
}
