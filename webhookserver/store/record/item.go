package record

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Outcome is what became of an item.
type Outcome int8

// The outcomes of an item. Items begin as new.
const (
	OutcomeNew Outcome = iota
	OutcomeDuplicate
	OutcomeUpgraded
	OutcomeDeadLettered
)

// Item is one row-to-be of a delivery. Exactly one of the pointers to rows is
// set; they lead into the delivery.
type Item struct {
	App       string
	Move      *store.IdentityMove
	Handover  *store.Handover
	Contact   *store.SavedContact
	Message   *store.InboundMessage
	Status    *store.Status
	Raw       *store.RawChange
	Unclaimed *store.UnclaimedChange
	Letter    *store.DeadLetter

	// Digest tells copies of raw and unclaimed changes.
	Digest []byte
	// Outcome is set by the store that writes the item.
	Outcome Outcome
}

// itemOverhead is roughly what an item costs in memory beside its bytes.
const itemOverhead = 512

// The bounds that the schemas set on what senders choose, in characters. Here
// they are bytes: genuine ids are ASCII.
const (
	maxWAMID  = 512
	maxUserID = 256
	maxNumber = 64
	maxKind   = 64
	maxField  = 128
)

// within tells whether all texts have one to most bytes.
func within(most int, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return s == "" || len(s) > most })
}

// identified tells whether a customer can be told apart.
func identified(id store.Identity) bool {
	return len(id.BSUID) <= maxUserID && len(id.Phone) <= maxNumber && id.BSUID+id.Phone != ""
}

// storableStatus tells whether a status is within the bounds. Its participant is
// part of an index.
func storableStatus(s *store.Status) bool {
	return within(maxWAMID, s.WAMID) && within(maxKind, string(s.Kind)) && len(s.Participant) <= maxUserID
}

// textsOf are what a message brings into text columns.
func textsOf(m *store.InboundMessage) []string {
	texts := []string{
		m.Line, m.PhoneNumberID, m.WAMID, m.Text, m.Type, m.ContextWAMID, m.TargetWAMID,
		m.From.BSUID, m.From.Phone, m.From.Name, m.From.Username,
	}
	if f := m.Media; f != nil {
		texts = append(texts, f.ID, f.MIMEType, f.SHA256, f.Filename)
	}
	return texts
}

// Flatten lists the items of a delivery, and tells how many bytes of memory
// they hold. It is for the caller's goroutine, so that the one that writes has
// only to write: what no database can hold and what the schemas refuse has
// become a dead letter here already. A database may still find more.
func Flatten(d *store.Delivery) (items []Item, bytes int64) {
	n := len(d.IdentityMoves) + len(d.Handovers) + len(d.SavedContacts) + len(d.Messages) + len(d.Statuses) + len(d.Raw) + len(d.Unclaimed) + len(d.DeadLetters)
	items = make([]Item, 0, n)
	add := func(it Item, fits bool, raw []byte, line, kind string, texts ...string) {
		it.App = d.App
		bytes += int64(len(raw)) + itemOverhead
		reason := ""
		switch {
		case !Storable(texts...):
			reason = ReasonText
		case !fits:
			reason = reasonConstraint
		}
		if reason != "" {
			it = Item{App: d.App, Outcome: OutcomeDeadLettered, Letter: &store.DeadLetter{
				App: d.App, Line: line, Kind: kind, Reason: reason, Raw: raw,
			}}
		}
		items = append(items, it)
	}
	for i := range d.IdentityMoves {
		m := &d.IdentityMoves[i]
		add(Item{Move: m}, within(maxUserID, m.PreviousBSUID, m.BSUID), m.Raw, m.Line, kindIdentity, m.Line, m.PhoneNumberID, m.PreviousBSUID, m.BSUID, m.Phone)
	}
	for i := range d.Handovers {
		o := &d.Handovers[i]
		add(Item{Handover: o}, identified(o.From), o.Raw, o.Line, kindHandover, o.Line, o.PhoneNumberID, o.From.BSUID, o.From.Phone, o.From.Name, o.From.Username)
	}
	for i := range d.Messages {
		m := &d.Messages[i]
		fits := within(maxWAMID, m.WAMID) && len(m.TargetWAMID) <= maxWAMID && identified(m.From)
		add(Item{Message: m}, fits, m.Raw, m.Line, kindMessage, textsOf(m)...)
	}
	for i := range d.Statuses {
		m := &d.Statuses[i]
		add(Item{Status: m}, storableStatus(m), m.Raw, m.Line, kindStatus, m.Line, m.PhoneNumberID, m.WAMID, string(m.Kind), m.Participant, m.CallbackData)
	}
	for i := range d.Raw {
		c := &d.Raw[i]
		digest := digestOf(c.App, c.Line, c.WABAID, c.PhoneNumberID, c.Field, c.EntryTime, c.Raw)
		add(Item{Raw: c, Digest: digest}, within(maxField, c.Field), c.Raw, c.Line, kindChange, c.App, c.Line, c.WABAID, c.PhoneNumberID, c.Field)
	}
	for i := range d.Unclaimed {
		c := &d.Unclaimed[i]
		digest := digestOf(c.App, "", c.WABAID, c.PhoneNumberID, c.Field, c.EntryTime, c.Raw)
		add(Item{Unclaimed: c, Digest: digest}, within(maxField, c.Field), c.Raw, "", kindChange, c.App, c.WABAID, c.PhoneNumberID, c.Field)
	}
	for i := range d.SavedContacts {
		c := &d.SavedContacts[i]
		add(Item{Contact: c}, within(maxNumber, c.Phone), nil, c.Line, kindContact, c.Line, c.Phone, c.Name)
	}
	for i := range d.DeadLetters {
		l := &d.DeadLetters[i]
		add(Item{Letter: l}, true, l.Raw, l.Line, l.Kind)
	}
	return items, bytes
}

// digestOf tells a copy of a change from another one of the same content.
func digestOf(app, line, waba, number, field string, at time.Time, raw []byte) []byte {
	// Quoted, so that no two lists of names look the same.
	head := fmt.Appendf(nil, "%q %q %q %q %q %d ", app, line, waba, number, field, Millis(at))
	sum := sha256.Sum256(append(head, raw...))
	return sum[:]
}

// ReceiptOf counts the outcomes of a delivery's items. Dead letters that came
// with it, changes of identity, handovers and saved contacts are not counted.
func ReceiptOf(items []Item) store.Receipt {
	var r store.Receipt
	for i := range items {
		switch it := &items[i]; {
		case it.Outcome == OutcomeNew && (it.Letter != nil || it.Move != nil || it.Handover != nil || it.Contact != nil):
		case it.Outcome == OutcomeNew:
			r.New++
		case it.Outcome == OutcomeDuplicate:
			r.Duplicates++
		case it.Outcome == OutcomeUpgraded:
			r.Upgraded++
		default:
			r.DeadLettered++
		}
	}
	return r
}

// Sort puts the items of several deliveries into the order in which they are
// applied: first whose message it is, then the messages, by the row that they
// lock and within it as they happened, then the rest. Every writer of every
// store uses this order.
func Sort(items []*Item) {
	type placed struct {
		*Item

		rank, place int
		number, key string
		at          int64
	}
	list := make([]placed, len(items))
	for i, it := range items {
		list[i] = placed{Item: it, place: i}
		list[i].rank, list[i].number, list[i].key, list[i].at = it.order()
	}
	slices.SortFunc(list, func(a, b placed) int {
		if c := cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number)); c != 0 {
			return c
		}
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.place, b.place))
	})
	for i := range list {
		items[i] = list[i].Item
	}
}

// OfThread tells whether the item belongs to a customer's thread.
func (it *Item) OfThread() bool { return it.Move != nil || it.Handover != nil || it.Message != nil }

// Number is the phone number that the item is sorted by, "" if it has none.
func (it *Item) Number() string {
	_, number, _, _ := it.order()
	return number
}

func (it *Item) order() (rank int, number, key string, at int64) {
	switch {
	case it.Move != nil:
		return 0, it.Move.PhoneNumberID, it.Move.BSUID, Millis(it.Move.EventTime)
	case it.Handover != nil:
		o := it.Handover
		return 1, o.PhoneNumberID, cmp.Or(o.From.BSUID, o.From.Phone), Millis(o.EventTime)
	case it.Message != nil:
		m := it.Message
		return 1, m.PhoneNumberID, cmp.Or(m.From.BSUID, m.From.Phone), Millis(m.EventTime)
	case it.Status != nil:
		return 2, it.Status.PhoneNumberID, it.Status.WAMID, int64(it.Status.Kind.Rank())
	case it.Raw != nil:
		return 3, "", string(it.Digest), 0
	case it.Unclaimed != nil:
		return 4, "", string(it.Digest), 0
	case it.Contact != nil:
		return 5, it.Contact.Line, it.Contact.Phone, Millis(it.Contact.EventTime)
	default:
		return 6, "", "", 0
	}
}
