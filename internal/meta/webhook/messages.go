package webhook

import (
	"encoding/json"

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

	// people are who Contacts are, once that was asked.
	people []Identity
}

// Metadata names the business number.
type Metadata struct {
	DisplayPhoneNumber string  `json:"display_phone_number"`
	PhoneNumberID      meta.ID `json:"phone_number_id"`
}

// Contact describes a user. Each member may be missing.
type Contact struct {
	Profile struct {
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"profile"`
	WhatsAppID      string `json:"wa_id"`
	UserID          string `json:"user_id"`
	ParentUserID    string `json:"parent_user_id"`
	IdentityKeyHash string `json:"identity_key_hash"`
}

// Message is a message of a user, or a system message about one.
type Message struct {
	// From is the phone number of the user, digits; missing where the user hides it. See Value.Sender.
	From             string          `json:"from"`
	FromUserID       string          `json:"from_user_id"`
	FromParentUserID string          `json:"from_parent_user_id"`
	ID               string          `json:"id"`
	Timestamp        Timestamp       `json:"timestamp"`
	Type             string          `json:"type"`
	GroupID          string          `json:"group_id"`
	Text             *TextContent    `json:"text"`
	Context          *Context        `json:"context"`
	Errors           []Problem       `json:"errors"`
	Referral         json.RawMessage `json:"referral"`
	Identity         json.RawMessage `json:"identity"`
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
	From                string          `json:"from"`
	ID                  string          `json:"id"`
	Forwarded           bool            `json:"forwarded"`
	FrequentlyForwarded bool            `json:"frequently_forwarded"`
	ReferredProduct     json.RawMessage `json:"referred_product"`
}

// Problem is an error in a webhook. The codes are those of meta.Error.
type Problem struct {
	Code      int    `json:"code"`
	Title     string `json:"title"`
	Message   string `json:"message"`
	Href      string `json:"href"`
	ErrorData struct {
		Details string `json:"details"`
	} `json:"error_data"`
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
	ID                     string        `json:"id"`
	Status                 string        `json:"status"`
	Timestamp              Timestamp     `json:"timestamp"`
	RecipientID            string        `json:"recipient_id"`
	RecipientUserID        string        `json:"recipient_user_id"`
	RecipientParentUserID  string        `json:"recipient_parent_user_id"`
	RecipientType          string        `json:"recipient_type"`
	RecipientParticipantID string        `json:"recipient_participant_id"`
	CallbackData           string        `json:"biz_opaque_callback_data"`
	Pricing                *Pricing      `json:"pricing"`
	Conversation           *Conversation `json:"conversation"`
	Errors                 []Problem     `json:"errors"`
	// RawPricing is Pricing as received.
	RawPricing json.RawMessage `json:"-"`
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
	if s.Pricing != nil {
		s.RawPricing = member[struct {
			Pricing json.RawMessage `json:"pricing"`
		}](s.Raw).Pricing
	}
	return nil
}

// Pricing says whether and how a message is charged: by Type and Category, Billable is on its way out.
type Pricing struct {
	Billable     bool   `json:"billable"`
	PricingModel string `json:"pricing_model"`
	Type         string `json:"type"`
	Category     string `json:"category"`
}

// Conversation comes with versions before v24.0, and with free entry points.
type Conversation struct {
	ID                  string    `json:"id"`
	ExpirationTimestamp Timestamp `json:"expiration_timestamp"`
	Origin              struct {
		Type string `json:"type"`
	} `json:"origin"`
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
		DisplayPhoneNumber string  `json:"display_phone_number"`
	} `json:"recipient"`
	// Sender is the user whose conversation it is.
	Sender struct {
		PhoneNumber string `json:"phone_number"`
		UserID      string `json:"user_id"`
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
