package webhook

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// Fields of webhooks that this project reads. Others are kept raw.
const (
	FieldMessages      = "messages"
	FieldStandby       = "standby"
	FieldHandovers     = "messaging_handovers"
	FieldAccountUpdate = "account_update"
	FieldAccountAlerts = "account_alerts"
)

// ObjectWhatsApp is the Envelope.Object of WhatsApp.
const ObjectWhatsApp = "whatsapp_business_account"

// Envelope is the body of a webhook. It may batch updates of several accounts.
type Envelope struct {
	Object string  `json:"object"`
	Entry  []Entry `json:"entry"`
}

// Entry is what happened to one account.
type Entry struct {
	// ID is the WhatsApp Business Account, but a business portfolio for the PARTNER events of account_update.
	ID meta.ID `json:"id"`
	// Time is empty for messages.
	Time    Timestamp `json:"time"`
	Changes []Change  `json:"changes"`
	// Field is that of changes without one: some samples of Meta have it here.
	Field string `json:"field"`
}

// Change is one update. Its value depends on the field.
type Change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
	// Err is ErrAmbiguous or ErrTooDeep if that is what the value is; then it must not be read. One odd change must not spoil the
	// others of its batch, which may be other people's.
	Err error `json:"-"`

	// messages is Value as Messages would read it, nil if that is yet to be done.
	messages *Value
}

// Decode reads a body. Verify it first. The result refers to the body, the error does not quote it. A body that two parsers could
// read differently is refused with ErrAmbiguous; if it is only the value of a change, see Change.Err.
//
// See developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components.
func Decode(body []byte) (Envelope, error) {
	// This also bounds the depth: encoding/json itself allows ten thousand levels.
	found := ambiguity{root: atBody}
	if err := scan(body, 0, &found); err != nil {
		return Envelope{}, err
	}
	if found.outside {
		return Envelope{}, ErrAmbiguous
	}
	var e Envelope
	if !readPlain(body, &e, (*plain).envelope) {
		e = Envelope{}
		if err := decode(body, &e); err != nil {
			return Envelope{}, err
		}
	}
	for i := range e.Entry {
		for n := range e.Entry[i].Changes {
			c := &e.Entry[i].Changes[n]
			if c.Field == "" {
				c.Field = e.Entry[i].Field
			}
			if found.inside || found.tooDeep {
				c.Err = c.oddity()
			}
		}
	}
	return e, nil
}

// ignore is the visitor of a scan that only bounds the depth.
type ignore struct{}

func (ignore) object([]byte, bool)                 {}
func (ignore) member([]byte, []byte, []byte) error { return nil }
func (ignore) deep([]byte) error                   { return ErrTooDeep }

// decode is json.Unmarshal with errors that are safe to print: those of encoding/json quote the input.
func decode(data []byte, out any) error {
	err := json.Unmarshal(data, out)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w at byte %d", ErrSyntax, e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: the member that ends at byte %d has another type than documented", ErrShape, e.Offset)
	}
	return ErrShape
}

// Messages reads the value of a change of FieldMessages. The result refers to the change.
func (c Change) Messages() (Value, error) {
	if c.messages != nil {
		return *c.messages, nil
	}
	var v Value
	if readPlain(c.Value, &v, (*plain).value) {
		return v, nil
	}
	v = Value{}
	err := decode(c.Value, &v)
	return v, err
}

// Standby reads the value of a change of FieldStandby: a copy of what another responder receives. Never answer it.
func (c Change) Standby() (Value, error) {
	var v struct {
		Value
		Standby Value `json:"standby"`
	}
	if err := decode(c.Value, &v); err != nil {
		return Value{}, err
	}
	inner := v.Standby
	if inner.Metadata.PhoneNumberID == "" {
		inner.Metadata = v.Metadata
	}
	if len(inner.Contacts) == 0 {
		inner.Contacts = v.Contacts
	}
	return inner, nil
}

// Handover reads the value of a change of FieldHandovers.
func (c Change) Handover() (Handover, error) {
	var h Handover
	err := decode(c.Value, &h)
	return h, err
}

// AccountUpdate reads the value of a change of FieldAccountUpdate. Confirm what it says by a read before acting on it.
func (c Change) AccountUpdate() (AccountUpdate, error) {
	var u AccountUpdate
	err := decode(c.Value, &u)
	return u, err
}
