package outbox

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// Content is the payload of an outbox row: a message without recipient and callback data. Exactly one member is set, beside Trace.
// Its JSON lies in the database, so members are added and never changed.
type Content struct {
	Text    *Text    `json:"text,omitempty"`
	Image   *Image   `json:"image,omitempty"`
	Buttons *Buttons `json:"buttons,omitempty"`
	List    *List    `json:"list,omitempty"`
	// Trace is the span that made the message, as tracing.Carry writes it; empty for none. It is not sent.
	Trace string `json:"trace,omitempty"`
}

// Text is a text message; for limits see meta.Text, and likewise below.
type Text struct {
	Body string `json:"body"`
}

// Image is an image by link, or by the key of a blob that is uploaded before the message is sent. Whoever makes a row of
// such content names the blob in its draft, too: see store.OutboxDraft.
type Image struct {
	Link string `json:"link,omitempty"`
	Blob string `json:"blob,omitempty"`
	// MIMEType of the blob is image/jpeg or image/png.
	MIMEType string `json:"mimeType,omitempty"`
	Caption  string `json:"caption,omitempty"`
}

// Buttons is a text with reply buttons.
type Buttons struct {
	Body    string   `json:"body"`
	Buttons []Button `json:"buttons"`
}

// Button is a reply button.
type Button struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// List is a text with a menu of one section.
type List struct {
	Body   string `json:"body"`
	Button string `json:"button"`
	Rows   []Row  `json:"rows"`
}

// Row is an entry of a List.
type Row struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

var errContent = errors.New("the payload of an outbox row must hold exactly one of text, image, buttons and list, and an image a link or a blob")

// TextPayload is the payload of a plain text message.
func TextPayload(body string) ([]byte, error) { return Content{Text: &Text{Body: body}}.Payload() }

// Type is Meta's type of the message.
func (c Content) Type() string {
	switch {
	case c.Text != nil:
		return "text"
	case c.Image != nil:
		return "image"
	default:
		return "interactive"
	}
}

// Payload encodes the content for the store.
func (c Content) Payload() ([]byte, error) {
	if !c.valid() {
		return nil, errContent
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the payload of an outbox row: %w", err)
	}
	return payload, nil
}

// decodeContent reads what Payload wrote. Its errors don't quote it.
func decodeContent(payload []byte) (Content, error) {
	var c Content
	if err := json.Unmarshal(payload, &c); err != nil || !c.valid() {
		return Content{}, errContent
	}
	return c, nil
}

func (c Content) valid() bool {
	n := 0
	for _, set := range []bool{c.Text != nil, c.Image != nil, c.Buttons != nil, c.List != nil} {
		if set {
			n++
		}
	}
	return n == 1 && (c.Image == nil || (c.Image.Link == "") != (c.Image.Blob == ""))
}

// blob is what has to be uploaded before the content can be sent, nil if nothing.
func (c Content) blob() *Image {
	if c.Image == nil || c.Image.Blob == "" {
		return nil
	}
	return c.Image
}

// linked tells whether Meta has to fetch a part of the content from somebody else's server.
func (c Content) linked() bool { return c.Image != nil && c.Image.Link != "" }

// fill puts the content into a message for the Graph API. mediaID is what Meta calls the content's blob, if it has one.
func (c Content) fill(m *meta.Message, mediaID string) {
	switch {
	case c.Text != nil:
		m.Text = &meta.Text{Body: c.Text.Body}
	case c.Image != nil:
		m.Image = &meta.Image{MediaID: mediaID, Link: c.Image.Link, Caption: c.Image.Caption}
	case c.Buttons != nil:
		m.Buttons = &meta.Buttons{Body: c.Buttons.Body}
		for _, b := range c.Buttons.Buttons {
			m.Buttons.Buttons = append(m.Buttons.Buttons, meta.Button(b))
		}
	case c.List != nil:
		section := meta.Section{}
		for _, r := range c.List.Rows {
			section.Rows = append(section.Rows, meta.Row(r))
		}
		m.List = &meta.List{Body: c.List.Body, Button: c.List.Button, Sections: []meta.Section{section}}
	}
}
