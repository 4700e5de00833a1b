package webhook

import (
	"cmp"
	"encoding/json"
	"strings"
)

// Fields that say what passed on a number beside what we sent and received.
const (
	FieldEchoes      = "message_echoes"
	FieldPhoneEchoes = "smb_message_echoes"
	FieldHistory     = "history"
	FieldAppState    = "smb_app_state_sync"
)

// Echo is a message that the business sent by other means: on the phone, or through another responder.
type Echo struct {
	To             Loose     `json:"to"`
	ToUserID       Loose     `json:"to_user_id"`
	ToParentUserID Loose     `json:"to_parent_user_id"`
	ID             string    `json:"id"`
	Timestamp      Timestamp `json:"timestamp"`
	Type           string    `json:"type"`
	RecipientType  Loose     `json:"recipient_type"`
	GroupID        Loose     `json:"group_id"`
	// Request is the send as another responder made it, in standby only.
	Request json.RawMessage `json:"message"`
	// Raw is the whole echo as received.
	Raw json.RawMessage `json:"-"`
	// Err is set if the echo is not of the documented shape; then only Raw can be relied on.
	Err error `json:"-"`
}

// UnmarshalJSON never fails; see Echo.Err.
func (e *Echo) UnmarshalJSON(data []byte) error {
	type plain Echo
	*e = Echo{}
	err := decode(data, (*plain)(e))
	e.Raw, e.Err = append(json.RawMessage(nil), data...), err
	if len(e.Request) > 0 && err == nil {
		request := member[struct {
			To            Loose  `json:"to"`
			Recipient     Loose  `json:"recipient"`
			RecipientType Loose  `json:"recipient_type"`
			Type          string `json:"type"`
		}](e.Request)
		e.To, e.ToUserID = cmp.Or(e.To, request.To), cmp.Or(e.ToUserID, request.Recipient)
		e.RecipientType, e.Type = cmp.Or(e.RecipientType, request.RecipientType), cmp.Or(e.Type, request.Type)
	}
	return nil
}

// ToGroup tells whether it went to a group, which is nobody's private thread.
func (e *Echo) ToGroup() bool { return e.GroupID != "" || e.RecipientType == "group" }

// Content reads the content of an echo.
func (e *Echo) Content() Content {
	if len(e.Request) > 0 {
		return contentOf(e.Type, e.Request)
	}
	return contentOf(e.Type, e.Raw)
}

// Recipient returns the customer whom the business wrote to, completed from the contact of the same person.
func (v *Value) Recipient(e *Echo) Identity {
	var to Identity
	for _, id := range []Loose{e.ToUserID, e.ToParentUserID, e.To} {
		to.add(id)
	}
	return v.completed(to)
}

// PhoneEchoes reads the value of a change of FieldPhoneEchoes or FieldEchoes.
func (c Change) PhoneEchoes() (Value, error) { return c.Messages() }

// History is what a business's phone app knows from before it was connected.
type History struct {
	Metadata Metadata       `json:"metadata"`
	Contacts []Contact      `json:"contacts"`
	Chunks   []HistoryChunk `json:"history"`
	// Messages are those of any thread that have a file, which come on their own.
	Messages []HistoryMessage `json:"messages"`
	// Errors tell that the business keeps its history to itself.
	Errors []Problem `json:"errors"`
}

// HistoryChunk is a part of the history. Parts come in any order.
type HistoryChunk struct {
	Threads []struct {
		// ID is the customer's number.
		ID       Loose            `json:"id"`
		Messages []HistoryMessage `json:"messages"`
	} `json:"threads"`
}

// HistoryMessage is a message of either side.
type HistoryMessage struct {
	Message

	To       Loose
	ToUserID Loose
}

// UnmarshalJSON never fails; see Message.Err.
func (m *HistoryMessage) UnmarshalJSON(data []byte) error {
	*m = HistoryMessage{}
	to := member[struct {
		To       Loose `json:"to"`
		ToUserID Loose `json:"to_user_id"`
	}](data)
	m.To, m.ToUserID = to.To, to.ToUserID
	return m.Message.UnmarshalJSON(data)
}

// Customer returns the customer of a message in the thread with an id, and whether he wrote it. business is the business's own
// number, in digits: most of what it sent names no recipient.
func (m *HistoryMessage) Customer(thread Loose, business string) (customer Identity, wrote bool) {
	customer.add(thread)
	var from Identity
	for _, id := range []Loose{m.FromUserID, m.From} {
		from.add(id)
	}
	if wrote = m.To == "" && m.ToUserID == ""; wrote && from.Phone != "" {
		wrote = from.Phone != business && (customer.Phone == "" || customer.Phone == from.Phone)
	}
	ids := []Loose{m.ToUserID, m.To}
	if wrote {
		ids = []Loose{m.FromUserID, m.From}
	}
	if customer.Phone == "" && customer.UserID == "" || wrote {
		for _, id := range ids {
			customer.add(id)
		}
	}
	return customer, wrote
}

// History reads the value of a change of FieldHistory.
func (c Change) History() (History, error) {
	var h History
	err := decode(c.Value, &h)
	return h, err
}

// AppState is what a business's phone app says of its contacts.
type AppState struct {
	Metadata Metadata `json:"metadata"`
	Sync     []struct {
		Type    Loose `json:"type"`
		Contact struct {
			FullName    Loose `json:"full_name"`
			FirstName   Loose `json:"first_name"`
			PhoneNumber Loose `json:"phone_number"`
		} `json:"contact"`
		// Action is add or remove.
		Action   Loose `json:"action"`
		Metadata struct {
			Timestamp Timestamp `json:"timestamp"`
		} `json:"metadata"`
	} `json:"state_sync"`
}

// AppState reads the value of a change of FieldAppState.
func (c Change) AppState() (AppState, error) {
	var s AppState
	err := decode(c.Value, &s)
	return s, err
}

// Owner is who answers a customer after a handover.
type Owner int

// The owners.
const (
	// OwnerUnknown: the handover is of no known shape.
	OwnerUnknown Owner = iota
	OwnerUs
	OwnerElse
	OwnerNobody
)

// Owner tells who owns the thread, as seen by an app. Meta names the owners by roles, in older webhooks by apps; no role is known to
// be ours, so the type decides where no app is named: control is passed to whom it is told, and taken from whom it is told.
func (h *Handover) Owner(appID string) Owner {
	control, us := h.Passed, OwnerUs
	if h.Type == HandoverTaken || control == nil && h.Taken != nil {
		control, us = h.Taken, OwnerElse
	}
	switch {
	case h.Type != HandoverPassed && h.Type != HandoverTaken, control == nil:
		return OwnerUnknown
	case control.NewOwnerAppID != "":
		if string(control.NewOwnerAppID) == appID {
			return OwnerUs
		}
		return OwnerElse
	case control.PreviousOwnerAppID != "" && string(control.PreviousOwnerAppID) == appID:
		return OwnerElse
	case control.NewOwnerRole == roleNone:
		return OwnerNobody
	default:
		return us
	}
}

// roleNone is the role of a thread that was released.
const roleNone = "none"

// Customer returns whose thread it is.
func (h *Handover) Customer() Identity {
	var i Identity
	for _, id := range []Loose{h.Sender.UserID, h.Sender.PhoneNumber} {
		i.add(id)
	}
	return i
}

// Digits reduces a number, however it is written, to its digits.
func Digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

// DisplayNumber returns the digits by which an account-level value names a number; empty if it names none.
func (c Change) DisplayNumber() string {
	return Digits(string(member[struct {
		Number Loose `json:"display_phone_number"`
	}](c.Value).Number))
}

// EventName returns the name of what an account-level value tells: its event, decision or alert. It is empty if there is none.
func (c Change) EventName() string {
	v := member[map[string]json.RawMessage](c.Value)
	alert := member[map[string]json.RawMessage](v["alert_info"])
	return cmp.Or(member[string](v["event"]), member[string](v["decision"]), member[string](alert["alert_type"]))
}
