package webhook

import (
	"cmp"
	"encoding/json"
	"strconv"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// Value is the value of the fields messages, standby and of echoes. It holds one of Messages, Echoes, Statuses and Errors.
type Value struct {
	Metadata Metadata  `json:"metadata"`
	Contacts []Contact `json:"contacts"`
	Messages []Message `json:"messages"`
	// Echoes are messages that the business sent by other means.
	Echoes   []Echo   `json:"message_echoes"`
	Statuses []Status `json:"statuses"`
	// Errors concern the number or the app as a whole.
	Errors []Problem `json:"errors"`
	// Context is what the one who had the conversation before says about it.
	Context json.RawMessage `json:"conversation_context"`

	// people are who Contacts are, once that was asked.
	people []Identity
}

// Metadata names the business number.
type Metadata struct {
	DisplayPhoneNumber Loose   `json:"display_phone_number"`
	PhoneNumberID      meta.ID `json:"phone_number_id"`
}

// Loose is a text that a webhook can be read without. A whole number stands for its digits, and what is neither reads as if it was
// absent: one odd member must not cost the others.
type Loose string

// UnmarshalJSON never fails.
func (l *Loose) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) != nil && allDigits(string(data)) {
		s = string(data)
	}
	*l = Loose(s)
	return nil
}

// Contact describes a user. Each member may be missing.
type Contact struct {
	Profile struct {
		Name     Loose `json:"name"`
		Username Loose `json:"username"`
	} `json:"profile"`
	WhatsAppID      Loose `json:"wa_id"`
	UserID          Loose `json:"user_id"`
	ParentUserID    Loose `json:"parent_user_id"`
	IdentityKeyHash Loose `json:"identity_key_hash"`
}

// UnmarshalJSON never fails: who a message is from stands in the message, too.
func (c *Contact) UnmarshalJSON(data []byte) error {
	type plain Contact
	*c = Contact{}
	_ = json.Unmarshal(data, (*plain)(c)) // what fits is read
	return nil
}

// Message is a message of a user, or a system message about one.
type Message struct {
	// From is the phone number of the user, digits; missing where the user hides it. See Value.Sender.
	From             Loose     `json:"from"`
	FromUserID       Loose     `json:"from_user_id"`
	FromParentUserID Loose     `json:"from_parent_user_id"`
	ID               string    `json:"id"`
	Timestamp        Timestamp `json:"timestamp"`
	Type             string    `json:"type"`
	// GroupID is not Loose: what is said in a group must not be taken for a private message.
	GroupID  meta.ID         `json:"group_id"`
	Text     *TextContent    `json:"text"`
	Context  *Context        `json:"context"`
	Errors   []Problem       `json:"errors"`
	Referral json.RawMessage `json:"referral"`
	Identity json.RawMessage `json:"identity"`
	// Raw is the whole message as received, with the content of the types that are not decoded.
	Raw json.RawMessage `json:"-"`
	// Err is set if the message is not of the documented shape; then only Raw can be relied on. One odd message must not
	// spoil the others of its batch.
	Err error `json:"-"`
}

// UnmarshalJSON never fails; see Message.Err.
func (m *Message) UnmarshalJSON(data []byte) error {
	type plain Message
	*m = Message{}
	err := decode(data, (*plain)(m))
	m.Raw, m.Err = append(json.RawMessage(nil), data...), err
	return nil
}

// TextContent is the content of a text message.
type TextContent struct {
	Body string `json:"body"`
}

// Context is what a message refers to.
type Context struct {
	// From and ID name the message that is quoted or answered.
	From                Loose           `json:"from"`
	ID                  Loose           `json:"id"`
	Forwarded           bool            `json:"forwarded"`
	FrequentlyForwarded bool            `json:"frequently_forwarded"`
	ReferredProduct     json.RawMessage `json:"referred_product"`
}

// UnmarshalJSON never fails: a message means something without what it refers to.
func (c *Context) UnmarshalJSON(data []byte) error {
	type plain Context
	*c = Context{}
	_ = json.Unmarshal(data, (*plain)(c)) // what fits is read
	return nil
}

// Problem is an error in a webhook. The codes are those of meta.Error.
type Problem struct {
	Code    int
	Title   string
	Message string
	Href    string
	Details string
}

// UnmarshalJSON never fails: that something went wrong counts without its cause, and error_data is sometimes a bare text.
func (p *Problem) UnmarshalJSON(data []byte) error {
	wire := member[struct {
		Code      Loose           `json:"code"`
		Title     Loose           `json:"title"`
		Message   Loose           `json:"message"`
		Href      Loose           `json:"href"`
		ErrorData json.RawMessage `json:"error_data"`
	}](data)
	code, _ := strconv.Atoi(string(wire.Code)) // 0 is no code
	details := member[struct {
		Details Loose `json:"details"`
	}](wire.ErrorData).Details
	*p = Problem{
		Code: code, Title: string(wire.Title), Message: string(wire.Message), Href: string(wire.Href),
		Details: cmp.Or(string(details), member[string](wire.ErrorData)),
	}
	return nil
}

// Values of Status.Status. The list is open.
const (
	StatusSent      = "sent"
	StatusDelivered = "delivered"
	StatusRead      = "read"
	StatusPlayed    = "played"
	StatusFailed    = "failed"
	StatusDeleted   = "deleted"
)

// Status is what became of a message of ours. Statuses come in any order, more than once, and not all of them.
type Status struct {
	ID                     string    `json:"id"`
	Status                 string    `json:"status"`
	Timestamp              Timestamp `json:"timestamp"`
	RecipientID            Loose     `json:"recipient_id"`
	RecipientUserID        Loose     `json:"recipient_user_id"`
	RecipientParentUserID  Loose     `json:"recipient_parent_user_id"`
	RecipientType          Loose     `json:"recipient_type"`
	RecipientParticipantID Loose     `json:"recipient_participant_id"`
	CallbackData           Loose     `json:"biz_opaque_callback_data"`
	// Pricing says whether and how the message is charged, as received.
	Pricing json.RawMessage `json:"pricing"`
	Errors  []Problem       `json:"errors"`
	// Raw is the whole status as received.
	Raw json.RawMessage `json:"-"`
	// Err is set if the status is not of the documented shape; then only Raw can be relied on.
	Err error `json:"-"`
}

// UnmarshalJSON never fails; see Status.Err.
func (s *Status) UnmarshalJSON(data []byte) error {
	type plain Status
	*s = Status{}
	err := decode(data, (*plain)(s))
	s.Raw, s.Err = append(json.RawMessage(nil), data...), err
	if string(s.Pricing) == "null" {
		s.Pricing = nil
	}
	return nil
}

// Values of Handover.Type.
const (
	HandoverPassed = "control_passed"
	HandoverTaken  = "control_taken"
)

// Handover says that a conversation changed its owner.
type Handover struct {
	Recipient struct {
		PhoneNumberID      meta.ID `json:"phone_number_id"`
		DisplayPhoneNumber Loose   `json:"display_phone_number"`
	} `json:"recipient"`
	// Sender is the user whose conversation it is.
	Sender struct {
		PhoneNumber Loose `json:"phone_number"`
		UserID      Loose `json:"user_id"`
	} `json:"sender"`
	Type      string    `json:"type"`
	Timestamp Timestamp `json:"timestamp"`
	Passed    *Control  `json:"control_passed"`
	Taken     *Control  `json:"control_taken"`
}

// Control names the owners before and after a handover, by role, or in older webhooks by app.
type Control struct {
	PreviousOwnerRole    string  `json:"previous_owner_role"`
	NewOwnerRole         string  `json:"new_owner_role"`
	PreviousOwnerAppID   meta.ID `json:"previous_owner_app_id"`
	PreviousOwnerAppRole string  `json:"previous_owner_app_role"`
	NewOwnerAppID        meta.ID `json:"new_owner_app_id"`
	// Metadata is a text of the previous owner, in whatever shape.
	Metadata json.RawMessage `json:"metadata"`
}
