package record

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"

// KindTurn is the kind of a dead letter about a turn that nobody could
// complete.
const KindTurn = "turn"

// KindOrder is the kind of a dead letter about an order that its shop could not
// be told of, and ReasonNotice begins its reason.
const (
	KindOrder    = "order"
	ReasonNotice = "the shop could not be told of an order: "
)

// ReasonText is why Storable refuses texts.
const ReasonText = "a text has a NUL or is not UTF-8"

// The kinds and reasons of dead letters that ingestion alone writes.
const (
	kindIdentity = "identity"
	kindHandover = "handover"
	kindContact  = "contact"
	kindMessage  = "message"
	kindStatus   = "status"
	kindChange   = "change"

	reasonConstraint = "the database refuses the row"
)

// DeadLetter is what remains of an item that the database has refused.
func (it *Item) DeadLetter() *store.DeadLetter {
	l := store.DeadLetter{App: it.App, Reason: reasonConstraint}
	switch {
	case it.Move != nil:
		l.Kind, l.Line, l.Raw = kindIdentity, it.Move.Line, it.Move.Raw
	case it.Handover != nil:
		l.Kind, l.Line, l.Raw = kindHandover, it.Handover.Line, it.Handover.Raw
	case it.Message != nil:
		l.Kind, l.Line, l.Raw = kindMessage, it.Message.Line, it.Message.Raw
	case it.Status != nil:
		l.Kind, l.Line, l.Raw = kindStatus, it.Status.Line, it.Status.Raw
	case it.Raw != nil:
		l.Kind, l.Line, l.Raw = kindChange, it.Raw.Line, it.Raw.Raw
	case it.Contact != nil:
		l.Kind, l.Line = kindContact, it.Contact.Line
	case it.Unclaimed != nil:
		l.Kind, l.Raw = kindChange, it.Unclaimed.Raw
	default:
		l = *it.Letter
	}
	return &l
}
