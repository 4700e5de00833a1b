package assistant

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Assistant answers a customer. Implementations are safe for concurrent use.
type Assistant interface {
	// Answer returns the reply to the turn's unanswered messages. The reply need not keep WhatsApp's limits; see Fit.
	// Errors hold nothing of the conversation and no secret.
	Answer(ctx context.Context, turn Turn) (Reply, error)
}

// Turn is what an Assistant answers.
type Turn struct {
	// Channel is whose assistant answers. It is shared and must not be changed.
	Channel *runtimeconfig.Channel
	// CustomerName as WhatsApp shows it; may be empty.
	CustomerName string
	// Unanswered are the customer's messages since the last answer, oldest first, at least one.
	Unanswered []Message
	// History are the messages before, oldest first.
	History []Message
	// Summary is what is remembered of messages that are older than History, or of its older part: those up to SummaryThrough.
	Summary string
	// SummaryThrough is the ID of the newest message that Summary tells of.
	SummaryThrough int64
	// Done is a call with a side effect that the customer has confirmed and that was made; nil if none.
	Done *Done
}

// Done is a call with a side effect that was made.
type Done struct {
	// Tool is its name, Arguments what it was called with.
	Tool      string
	Arguments json.RawMessage
	// Result is what it returned.
	Result string
	// Failed tells that the tool reported a failure, which Result explains.
	Failed bool
}

// Message is one message of the conversation.
type Message struct {
	// ID orders the messages of a conversation; 0 if unknown.
	ID int64
	// FromCustomer tells the customer's messages from the business's.
	FromCustomer bool
	// Text of the message, or the title of the button or row that was tapped.
	Text string
	// Tapped is the id of the button or row that was tapped; empty for typed messages.
	Tapped string
}

// Question returns the unanswered texts as one.
func (t *Turn) Question() string {
	var texts []string
	for _, m := range t.Unanswered {
		if text := strings.TrimSpace(m.Text); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// Tapped returns the id of the newest button or row among the unanswered messages, or "".
func (t *Turn) Tapped() string {
	for _, m := range slices.Backward(t.Unanswered) {
		if m.Tapped != "" {
			return m.Tapped
		}
	}
	return ""
}

// Ids of the buttons and rows that assistants offer.
const (
	// TapProducts asks for the products.
	TapProducts = "menu:products"
	// TapPerson asks for a person.
	TapPerson = "handoff"
	// TapProductPrefix stands before a product's id.
	TapProductPrefix = "product:"
	// TapPagePrefix stands before the id of a passage of the knowledge.
	TapPagePrefix = "page:"
	// TapConfirmOrder, TapChangeOrder and TapCancelOrder stand before the id of an order that is a draft.
	TapConfirmOrder = "order:confirm:"
	TapChangeOrder  = "order:change:"
	TapCancelOrder  = "order:cancel:"
	// TapDoAction and TapDropAction stand before the id of a call with a side effect.
	TapDoAction   = "action:do:"
	TapDropAction = "action:drop:"
)

// Reply is the answer to a turn.
type Reply struct {
	// Parts are sent as one message each, in this order.
	Parts []Part
	// HandOff hands the conversation to a person after the parts.
	HandOff bool
	// Reason says in a word why it is handed off.
	Reason string
	// Order, if set, is a draft, and Action a call with a side effect, that the customer is asked to confirm below the parts.
	Order  *Order
	Action *Action
	// Summary, if set, is what to remember of the messages up to SummaryThrough.
	Summary        string
	SummaryThrough int64
}

// Action is a call with a side effect that waits for the customer's confirmation.
type Action struct {
	// ID is random and unguessable; it is the call's idempotency key.
	ID string
	// Ordinal counts the turn's calls of tools.
	Ordinal int64
	// Tool is its name; Arguments match its schema.
	Tool      string
	Arguments json.RawMessage
}

// Part is one message of a reply: Text, Image, Picture, Buttons or List.
type Part interface {
	// Summary is what people and the assistant's history see of the part.
	Summary() string
	isPart()
}

// Text is a text message in WhatsApp's formatting.
type Text struct {
	// Body has at most 4,096 characters.
	Body string
}

// Picture is an image that was made for this reply.
type Picture struct {
	// MIMEType is image/jpeg or image/png.
	MIMEType string
	// Data is the file, at most 5 MiB.
	Data []byte
	// Caption has at most 1,024 characters.
	Caption string
}

// Image is an image by link.
type Image struct {
	// Link is the http or https URL of a JPEG or PNG of at most 5 MB.
	Link string
	// Caption has at most 1,024 characters; may be empty.
	Caption string
}

// Buttons is a text with quick replies.
type Buttons struct {
	// Body has at most 1,024 characters.
	Body string
	// Buttons are one to three.
	Buttons []Button
}

// Button is a quick reply.
type Button struct {
	// ID comes back when the button is tapped; at most 256 characters, unique in the message.
	ID string
	// Title has at most 20 characters, unique in the message.
	Title string
}

// List is a text with a menu.
type List struct {
	// Body has at most 4,096 characters.
	Body string
	// Button opens the menu; at most 20 characters.
	Button string
	// Rows are one to ten.
	Rows []Row
}

// Row is an entry of a List.
type Row struct {
	// ID comes back when the row is tapped; at most 200 characters, unique in the message.
	ID string
	// Title has at most 24 characters.
	Title string
	// Description has at most 72 characters; may be empty.
	Description string
}

func (Text) isPart()    {}
func (Image) isPart()   {}
func (Picture) isPart() {}
func (Buttons) isPart() {}
func (List) isPart()    {}

// Summary implements Part.
func (p Text) Summary() string { return p.Body }

// Summary implements Part.
func (p Image) Summary() string { return p.Caption }

// Summary implements Part.
func (p Picture) Summary() string { return p.Caption }

// Summary implements Part: the body and what could be tapped.
func (p Buttons) Summary() string {
	titles := make([]string, 0, len(p.Buttons))
	for _, b := range p.Buttons {
		titles = append(titles, "["+b.Title+"]")
	}
	return p.Body + "\n" + strings.Join(titles, " ")
}

// Summary implements Part: the body and what could be chosen.
func (p List) Summary() string {
	titles := make([]string, 0, len(p.Rows))
	for _, r := range p.Rows {
		titles = append(titles, "- "+r.Title)
	}
	return p.Body + "\n" + strings.Join(titles, "\n")
}
