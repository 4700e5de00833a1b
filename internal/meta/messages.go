package meta

import (
	"context"
	"net/http"
	"strings"
)

// messagingProduct is a constant member of requests.
const messagingProduct = "whatsapp"

// Recipient is a user: by phone number, or by business-scoped user id. The phone wins if both are set.
type Recipient struct {
	// Phone is the number in E.164 form; a missing "+" is added, because without it Meta prepends the country code of
	// the business.
	Phone string
	// UserID is the business-scoped user id, such as "US.13491208655302741918".
	UserID string
}

// Message is a message to send. Exactly one of Text, Image, Buttons and List is set.
type Message struct {
	To Recipient
	// ReplyTo is the id of a message to quote; may be empty.
	ReplyTo string
	// CallbackData comes back in each status of the message, at most 512 characters. There is no idempotency key; this
	// is how a send whose outcome is unknown is recognised later.
	CallbackData string
	// MessagingAccountID says which account pays, when the token reaches several on this number; else empty.
	MessagingAccountID string

	Text    *Text
	Image   *Image
	Buttons *Buttons
	List    *List
}

// Text is a text message of at most 4096 characters.
type Text struct {
	Body string
	// PreviewURL shows a preview of the first link.
	PreviewURL bool
}

// Image is an image by media id or by link, with a caption of at most 1024 characters.
type Image struct {
	MediaID string
	Link    string
	Caption string
}

// Buttons is a text with up to three reply buttons.
type Buttons struct {
	Header, Body, Footer string
	Buttons              []Button
}

// Button is a reply button: an id of at most 256 and a title of at most 20 characters, both unique in the message.
type Button struct {
	ID, Title string
}

// List is a text with a menu of at most 10 rows in all sections.
type List struct {
	Header, Body, Footer string
	// Button opens the menu, at most 20 characters.
	Button   string
	Sections []Section
}

// Section is a part of a List. The title is required if there are several.
type Section struct {
	Title string `json:"title,omitempty"`
	Rows  []Row  `json:"rows"`
}

// Row is an entry of a List: an id of at most 200, a title of at most 24, a description of at most 72 characters.
type Row struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// SendResult is what Meta returns for a message that it accepted. Accepted is not delivered: that comes as webhook.
type SendResult struct {
	// MessageID is the wamid. It contains the phone number of the user, so keep it out of logs.
	MessageID string
	// Contact is whom Meta understood the recipient to be.
	Contact SentContact
}

// SentContact is the recipient of an accepted message. Only one of WhatsAppID and UserID may be filled in.
type SentContact struct {
	Input      string `json:"input"`
	WhatsAppID string `json:"wa_id"`
	UserID     string `json:"user_id"`
}

// SendMessage sends a message, and is not idempotent: after Unknown wait for a status with the CallbackData. The limits
// stated at the types are left to Meta to enforce.
//
// See developers.facebook.com/docs/whatsapp/cloud-api/reference/messages.
func (c *Client) SendMessage(ctx context.Context, cred Credential, phoneNumberID string, m Message) (SendResult, error) {
	cl := &call{
		action: "SendMessage", method: http.MethodPost, object: phoneNumberID, edge: "messages", cred: cred, timeout: sendTimeout,
	}
	body, problem := m.wire()
	if problem != "" {
		return SendResult{}, cl.invalid(problem)
	}
	cl.body = jsonBody(body)
	var out sendAnswer
	if err := c.do(ctx, cl, &out); err != nil {
		return SendResult{}, err
	}
	result := SendResult{MessageID: out.Messages[0].ID}
	if len(out.Contacts) > 0 {
		result.Contact = out.Contacts[0]
	}
	return result, nil
}

// sendAnswer is the answer to a send.
type sendAnswer struct {
	Contacts []SentContact `json:"contacts"`
	Messages []struct {
		ID string `json:"id"`
	} `json:"messages"`
}

func (a *sendAnswer) check(cl *call) *Error {
	return cl.expect(len(a.Messages) > 0 && a.Messages[0].ID != "")
}

// MarkRead marks a message of a user, and all before it, as read. typing also shows the typing indicator, until our
// answer or for 25 seconds: set it only if an answer will follow.
func (c *Client) MarkRead(ctx context.Context, cred Credential, phoneNumberID, messageID string, typing bool) error {
	body := wireRead{MessagingProduct: messagingProduct, Status: "read", MessageID: messageID}
	if typing {
		body.Typing = &wireTyping{Type: "text"}
	}
	return c.acknowledge(ctx, &call{
		action: "MarkRead", method: http.MethodPost, object: phoneNumberID, edge: "messages", cred: cred,
		body: jsonBody(body),
	})
}

type wireRead struct {
	MessagingProduct string      `json:"messaging_product"`
	Status           string      `json:"status"`
	MessageID        string      `json:"message_id"`
	Typing           *wireTyping `json:"typing_indicator,omitempty"`
}

type wireTyping struct {
	Type string `json:"type"`
}

// wireMessage is a message as Meta wants it. An unknown member fails the whole send, so what is not set is left out.
type wireMessage struct {
	MessagingProduct   string           `json:"messaging_product"`
	RecipientType      string           `json:"recipient_type"`
	To                 string           `json:"to,omitempty"`
	Recipient          string           `json:"recipient,omitempty"`
	Type               string           `json:"type"`
	Context            *wireContext     `json:"context,omitempty"`
	CallbackData       string           `json:"biz_opaque_callback_data,omitempty"`
	MessagingAccountID string           `json:"messaging_account_id,omitempty"`
	Text               *wireText        `json:"text,omitempty"`
	Image              *wireImage       `json:"image,omitempty"`
	Interactive        *wireInteractive `json:"interactive,omitempty"`
}

type wireContext struct {
	MessageID string `json:"message_id"`
}

type wireText struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url"`
}

type wireImage struct {
	ID      string `json:"id,omitempty"`
	Link    string `json:"link,omitempty"`
	Caption string `json:"caption,omitempty"`
}

type wireInteractive struct {
	Type   string      `json:"type"`
	Header *wireHeader `json:"header,omitempty"`
	Body   wireLine    `json:"body"`
	Footer *wireLine   `json:"footer,omitempty"`
	Action wireAction  `json:"action"`
}

type wireHeader struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type wireLine struct {
	Text string `json:"text"`
}

type wireAction struct {
	Button   string       `json:"button,omitempty"`
	Buttons  []wireButton `json:"buttons,omitempty"`
	Sections []Section    `json:"sections,omitempty"`
}

type wireButton struct {
	Type  string    `json:"type"`
	Reply wireReply `json:"reply"`
}

type wireReply struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// wire builds the request, or says what is wrong with the message.
func (m *Message) wire() (body *wireMessage, problem string) {
	body = &wireMessage{
		MessagingProduct: messagingProduct, RecipientType: "individual",
		CallbackData: m.CallbackData, MessagingAccountID: m.MessagingAccountID,
	}
	switch {
	case m.To.Phone != "":
		body.To = "+" + strings.TrimPrefix(m.To.Phone, "+")
	case m.To.UserID != "":
		body.Recipient = m.To.UserID
	default:
		return nil, "the message has no recipient"
	}
	if m.ReplyTo != "" {
		body.Context = &wireContext{MessageID: m.ReplyTo}
	}
	if m.fill(body) != 1 {
		return nil, "the message must have exactly one content"
	}
	return body, ""
}

// fill adds the contents and returns how many there are.
func (m *Message) fill(body *wireMessage) int {
	contents := 0
	if t := m.Text; t != nil {
		body.Type, body.Text = "text", &wireText{Body: t.Body, PreviewURL: t.PreviewURL}
		contents++
	}
	if i := m.Image; i != nil {
		body.Type, body.Image = "image", &wireImage{ID: i.MediaID, Link: i.Link, Caption: i.Caption}
		contents++
	}
	if b := m.Buttons; b != nil {
		body.Type, body.Interactive = "interactive", interactive("button", b.Header, b.Body, b.Footer)
		for _, button := range b.Buttons {
			body.Interactive.Action.Buttons = append(body.Interactive.Action.Buttons,
				wireButton{Type: "reply", Reply: wireReply(button)})
		}
		contents++
	}
	if l := m.List; l != nil {
		body.Type, body.Interactive = "interactive", interactive("list", l.Header, l.Body, l.Footer)
		body.Interactive.Action.Button, body.Interactive.Action.Sections = l.Button, l.Sections
		contents++
	}
	return contents
}

// interactive builds the parts that buttons and lists share.
func interactive(kind, header, body, footer string) *wireInteractive {
	i := &wireInteractive{Type: kind, Body: wireLine{Text: body}}
	if header != "" {
		i.Header = &wireHeader{Type: "text", Text: header}
	}
	if footer != "" {
		i.Footer = &wireLine{Text: footer}
	}
	return i
}
