package record

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Marker makes the marks by which what was erased is recognised when it comes
// again: keyed hashes, so that a mark tells nobody whose it is.
type Marker struct{ key []byte }

// NewMarkerKey is the random key of a store's marks.
func NewMarkerKey() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
}

// NewMarker returns nil for a key that is not there: then nothing is marked.
func NewMarker(key []byte) *Marker {
	if len(key) == 0 {
		return nil
	}
	return &Marker{key: key}
}

func (m *Marker) mark(kind, scope, value string) string {
	mac := hmac.New(sha256.New, m.key)
	_, _ = fmt.Fprintf(mac, "%q %q %q", kind, scope, value) // never fails
	return string(mac.Sum(nil))
}

// Person is the mark of a phone or BSUID on a line.
func (m *Marker) Person(line, id string) string { return m.mark("person", line, id) }

// Message is the mark of a message of a number.
func (m *Marker) Message(number, wamid string) string { return m.mark("message", number, wamid) }

// Send is the mark of a message of ours that had no id at Meta yet, by that of its send.
func (m *Marker) Send(number, outboxID string) string { return m.mark("send", number, outboxID) }

// Change is the mark of a raw or unclaimed change, by its digest.
func (m *Marker) Change(digest []byte) string { return m.mark("change", "", string(digest)) }

// Letter is the mark of a dead letter, by its content.
func (m *Marker) Letter(raw []byte) string {
	sum := sha256.Sum256(raw)
	return m.mark("letter", "", string(sum[:]))
}

// Of lists the marks that tell whether an item was erased: the first of them,
// and all of a status, by being there, the others, which are a person's, for what
// is older.
func (m *Marker) Of(it *Item) []string {
	switch {
	case it.Move != nil:
		return []string{"", m.Person(it.Move.Line, it.Move.BSUID), m.Person(it.Move.Line, it.Move.PreviousBSUID)}
	case it.Handover != nil:
		o := it.Handover
		return []string{"", m.Person(o.Line, o.From.BSUID), m.Person(o.Line, o.From.Phone)}
	case it.Message != nil:
		msg := it.Message
		return []string{m.Message(msg.PhoneNumberID, msg.WAMID), m.Person(msg.Line, msg.From.BSUID), m.Person(msg.Line, msg.From.Phone)}
	case it.Status != nil:
		s := it.Status
		marks := []string{m.Message(s.PhoneNumberID, s.WAMID)}
		if s.CallbackData != "" {
			marks = append(marks, m.Send(s.PhoneNumberID, s.CallbackData))
		}
		return marks
	case it.Contact != nil:
		return []string{"", m.Person(it.Contact.Line, it.Contact.Phone)}
	case it.Raw != nil, it.Unclaimed != nil:
		return []string{m.Change(it.Digest)}
	default:
		return []string{m.Letter(it.Letter.Raw)}
	}
}

// eventAt is when an item of a person happened, 0 if it is not one or doesn't
// say.
func (it *Item) eventAt() int64 {
	switch {
	case it.Move != nil:
		return Millis(it.Move.EventTime)
	case it.Handover != nil:
		return Millis(it.Handover.EventTime)
	case it.Message != nil:
		return Millis(it.Message.EventTime)
	case it.Contact != nil:
		return Millis(it.Contact.EventTime)
	default:
		return 0
	}
}

// DropErased leaves out what belongs to somebody who was erased, and gives it
// the outcome of a copy. lookUp returns when the given marks were made.
func (m *Marker) DropErased(items []*Item, lookUp func(marks []string) (map[string]int64, error)) ([]*Item, error) {
	all := make([][]string, len(items))
	var wanted []string
	for i, it := range items {
		all[i] = m.Of(it)
		wanted = append(wanted, all[i]...)
	}
	erasedAt, err := lookUp(wanted)
	if err != nil || len(erasedAt) == 0 {
		return items, err
	}
	kept := make([]*Item, 0, len(items))
	for i, it := range items {
		if erased(it, all[i], erasedAt) {
			it.Outcome = OutcomeDuplicate
			continue
		}
		kept = append(kept, it)
	}
	return kept, nil
}

func erased(it *Item, marks []string, erasedAt map[string]int64) bool {
	if _, gone := erasedAt[marks[0]]; gone {
		return true
	}
	happened := it.eventAt()
	for _, mark := range marks[1:] {
		// Whoever writes anew after the erasure is a new contact.
		if at, gone := erasedAt[mark]; gone && (it.Status != nil || happened > 0 && happened <= at) {
			return true
		}
	}
	return false
}

// KnownAs are the ids of a person: those that an erasure names, and those that
// his threads tell.
func KnownAs(e store.Erasure, told []string) []string {
	ids := append(slices.Clone(told), e.Phone, e.BSUID)
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// Mentions are the forms in which a JSON text names the ids: quoted, and a phone
// also with its plus.
func Mentions(ids []string) [][]byte {
	var forms [][]byte
	for _, id := range ids {
		forms = append(forms, []byte(`"`+id+`"`))
		if Recipient(id) == id && id[0] != '+' {
			forms = append(forms, []byte(`"+`+id+`"`))
		}
	}
	return forms
}

// CheckErasure tells why a person is not named well enough to be erased.
func CheckErasure(e store.Erasure) error {
	switch {
	case e.Line == "" || e.PhoneNumberID == "":
		return fmt.Errorf("%w: an erasure names no line", store.ErrInvalid)
	case e.Phone == "" && e.BSUID == "":
		return fmt.Errorf("%w: an erasure names nobody", store.ErrInvalid)
	case !Storable(e.Line, e.PhoneNumberID, e.Phone, e.BSUID):
		return fmt.Errorf("%w: %s", store.ErrInvalid, ReasonText)
	default:
		return nil
	}
}
