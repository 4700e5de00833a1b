package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// outcome is what became of an item.
type outcome int8

const (
	outcomeNew outcome = iota
	outcomeDuplicate
	outcomeUpgraded
	outcomeDeadLettered
)

// item is one row-to-be of a delivery. Exactly one of the pointers is set.
type item struct {
	app       string
	move      *store.IdentityMove
	message   *store.InboundMessage
	status    *store.Status
	raw       *store.RawChange
	unclaimed *store.UnclaimedChange
	letter    *store.DeadLetter

	// digest tells copies of raw and unclaimed changes.
	digest  []byte
	outcome outcome
}

// Ingest implements store.Ingester.
func (s *Store) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	items, bytes := itemsOf(d)
	if len(items) == 0 {
		return store.Receipt{}, ctx.Err()
	}
	if err := s.writer.do(ctx, &job{items: items, bytes: bytes}); err != nil {
		return store.Receipt{}, err
	}
	var r store.Receipt
	for i := range items {
		switch it := &items[i]; {
		case it.letter != nil && it.outcome == outcomeNew, it.move != nil && it.outcome == outcomeNew:
		case it.outcome == outcomeNew:
			r.New++
		case it.outcome == outcomeDuplicate:
			r.Duplicates++
		case it.outcome == outcomeUpgraded:
			r.Upgraded++
		default:
			r.DeadLettered++
		}
	}
	return r, nil
}

// itemOverhead is roughly what an item costs in memory beside its bytes.
const itemOverhead = 512

// The bounds that the schema sets on what senders choose, in characters. Here
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

// itemsOf flattens a delivery. It runs on the caller's goroutine, so that the
// writer has only to write; what no database can hold and what the schema
// refuses is sorted out here already. bisect finds what is left.
func itemsOf(d *store.Delivery) (items []item, bytes int64) {
	n := len(d.IdentityMoves) + len(d.Messages) + len(d.Statuses) + len(d.Raw) + len(d.Unclaimed) + len(d.DeadLetters)
	items = make([]item, 0, n)
	add := func(it item, fits bool, raw []byte, line, kind string, texts ...string) {
		it.app = d.App
		bytes += int64(len(raw)) + itemOverhead
		reason := ""
		switch {
		case !storable(texts):
			reason = reasonText
		case !fits:
			reason = reasonConstraint
		}
		if reason != "" {
			it = item{app: d.App, outcome: outcomeDeadLettered, letter: &store.DeadLetter{
				App: d.App, Line: line, Kind: kind, Reason: reason, Raw: raw,
			}}
		}
		items = append(items, it)
	}
	for i := range d.IdentityMoves {
		m := &d.IdentityMoves[i]
		add(item{move: m}, within(maxUserID, m.PreviousBSUID, m.BSUID), m.Raw, m.Line, kindIdentity, m.Line, m.PhoneNumberID, m.PreviousBSUID, m.BSUID, m.Phone)
	}
	for i := range d.Messages {
		m := &d.Messages[i]
		fits := within(maxWAMID, m.WAMID) && len(m.From.BSUID) <= maxUserID && len(m.From.Phone) <= maxNumber && m.From.BSUID+m.From.Phone != ""
		add(item{message: m}, fits, m.Raw, m.Line, kindMessage, m.Line, m.PhoneNumberID, m.WAMID, m.Text, m.Type, m.ContextWAMID,
			m.From.BSUID, m.From.Phone, m.From.Name, m.From.Username)
	}
	for i := range d.Statuses {
		m := &d.Statuses[i]
		add(item{status: m}, within(maxWAMID, m.WAMID) && within(maxKind, string(m.Kind)), m.Raw, m.Line, kindStatus, m.Line, m.PhoneNumberID, m.WAMID, string(m.Kind), m.Participant, m.CallbackData)
	}
	for i := range d.Raw {
		c := &d.Raw[i]
		digest := digestOf(c.App, c.Line, c.WABAID, c.PhoneNumberID, c.Field, c.EntryTime, c.Raw)
		add(item{raw: c, digest: digest}, within(maxField, c.Field), c.Raw, c.Line, kindChange, c.App, c.Line, c.WABAID, c.PhoneNumberID, c.Field)
	}
	for i := range d.Unclaimed {
		c := &d.Unclaimed[i]
		digest := digestOf(c.App, "", c.WABAID, c.PhoneNumberID, c.Field, c.EntryTime, c.Raw)
		add(item{unclaimed: c, digest: digest}, within(maxField, c.Field), c.Raw, "", kindChange, c.App, c.WABAID, c.PhoneNumberID, c.Field)
	}
	for i := range d.DeadLetters {
		l := &d.DeadLetters[i]
		add(item{letter: l}, true, l.Raw, l.Line, l.Kind)
	}
	return items, bytes
}

// The kinds and reasons of dead letters that ingestion writes.
const (
	kindIdentity = "identity"
	kindMessage  = "message"
	kindStatus   = "status"
	kindChange   = "change"
	kindTurn     = "turn"

	reasonText       = "a text has a NUL or is not UTF-8"
	reasonConstraint = "the database refuses the row"
)

// storable tells whether every database can hold the texts.
func storable(texts []string) bool {
	for _, s := range texts {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

// digestOf tells a copy of a change from another one of the same content.
func digestOf(app, line, waba, number, field string, at time.Time, raw []byte) []byte {
	// Quoted, so that no two lists of names look the same.
	head := fmt.Appendf(nil, "%q %q %q %q %q %d ", app, line, waba, number, field, millis(at))
	sum := sha256.Sum256(append(head, raw...))
	return sum[:]
}

// order is the order in which a group is applied: first whose message it is,
// then the messages, by the row that they lock and within it as they happened,
// then the rest. Every writer of every store uses the same order.
func (it *item) order() (rank int, number, key string, at int64) {
	switch {
	case it.move != nil:
		return 0, it.move.PhoneNumberID, it.move.BSUID, millis(it.move.EventTime)
	case it.message != nil:
		m := it.message
		return 1, m.PhoneNumberID, cmp.Or(m.From.BSUID, m.From.Phone), millis(m.EventTime)
	case it.status != nil:
		return 2, it.status.PhoneNumberID, it.status.WAMID, int64(it.status.Kind.Rank())
	case it.raw != nil:
		return 3, "", string(it.digest), 0
	case it.unclaimed != nil:
		return 4, "", string(it.digest), 0
	default:
		return 5, "", "", 0
	}
}

func compareItems(a, b *item) int {
	aRank, aNumber, aKey, aAt := a.order()
	bRank, bNumber, bKey, bAt := b.order()
	return cmp.Or(cmp.Compare(aRank, bRank), cmp.Compare(aNumber, bNumber), cmp.Compare(aKey, bKey), cmp.Compare(aAt, bAt))
}

// bisect applies the items; if the data of one is at fault, it halves them
// until that one is alone, and makes it a dead letter.
func (t *tx) bisect(items []*item) error {
	err := t.savepoint(func() error { return t.apply(items) })
	if err == nil || !isDataError(err) {
		return err
	}
	if len(items) > 1 {
		middle := len(items) / 2
		if err := t.bisect(items[:middle]); err != nil {
			return err
		}
		return t.bisect(items[middle:])
	}
	items[0].outcome = outcomeDeadLettered
	return t.insertDeadLetter(items[0].deadLetter())
}

// apply writes the items, which are sorted, in the order of their locks.
func (t *tx) apply(items []*item) error {
	if err := t.applyThreads(items); err != nil {
		return err
	}
	if err := t.addStatuses(items); err != nil {
		return err
	}
	if err := t.addRawChanges(items); err != nil {
		return err
	}
	if err := t.addUnclaimed(items); err != nil {
		return err
	}
	for _, it := range items {
		if it.letter != nil {
			if err := t.insertDeadLetter(it.letter); err != nil {
				return err
			}
		}
	}
	return nil
}

// deadLetter is what remains of an item that cannot be stored.
func (it *item) deadLetter() *store.DeadLetter {
	l := store.DeadLetter{App: it.app, Reason: reasonConstraint}
	switch {
	case it.move != nil:
		l.Kind, l.Line, l.Raw = kindIdentity, it.move.Line, it.move.Raw
	case it.message != nil:
		l.Kind, l.Line, l.Raw = kindMessage, it.message.Line, it.message.Raw
	case it.status != nil:
		l.Kind, l.Line, l.Raw = kindStatus, it.status.Line, it.status.Raw
	case it.raw != nil:
		l.Kind, l.Line, l.Raw = kindChange, it.raw.Line, it.raw.Raw
	case it.unclaimed != nil:
		l.Kind, l.Raw = kindChange, it.unclaimed.Raw
	default:
		l = *it.letter
	}
	return &l
}

// insertDeadLetter keeps what could not be processed. It must not fail itself.
func (t *tx) insertDeadLetter(l *store.DeadLetter) error {
	_, err := t.exec(`INSERT INTO dead_letters (app, line, kind, reason, received_at, raw) VALUES ($1, $2, $3, $4, $5, $6)`,
		presentable(l.App), presentable(l.Line), presentable(l.Kind), presentable(l.Reason), t.now, l.Raw)
	return err
}

// presentable replaces what no text of PostgreSQL can hold.
func presentable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// addRawChanges keeps the raw changes that are new, with their reports.
func (t *tx) addRawChanges(items []*item) error {
	var changes []*item
	var digests, raws [][]byte
	var apps, lines, wabas, numbers, fields []string
	var ats []int64
	for _, it := range items {
		if c := it.raw; c != nil {
			changes, digests, raws = append(changes, it), append(digests, it.digest), append(raws, c.Raw)
			apps, lines, wabas = append(apps, c.App), append(lines, c.Line), append(wabas, c.WABAID)
			numbers, fields, ats = append(numbers, c.PhoneNumberID), append(fields, c.Field), append(ats, millis(c.EntryTime))
		}
	}
	err := t.keepChanges(changes, `
		INSERT INTO raw_changes (digest, app, line, waba_id, phone_number_id, field, entry_at, raw, received_at)
		SELECT *, $9 FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bytea[])
		ON CONFLICT (digest) DO NOTHING RETURNING digest`, digests, apps, lines, wabas, numbers, fields, ats, raws, t.now)
	if err != nil {
		return err
	}
	for _, it := range changes {
		if it.outcome == outcomeNew && it.raw.Report != nil {
			t.insertReport(*it.raw.Report)
		}
	}
	return nil
}

// addUnclaimed keeps the unclaimed changes that are new.
func (t *tx) addUnclaimed(items []*item) error {
	var changes []*item
	var digests, raws [][]byte
	var apps, wabas, numbers, fields []string
	var ats []int64
	for _, it := range items {
		if c := it.unclaimed; c != nil {
			changes, digests, raws = append(changes, it), append(digests, it.digest), append(raws, c.Raw)
			apps, wabas, numbers = append(apps, c.App), append(wabas, c.WABAID), append(numbers, c.PhoneNumberID)
			fields, ats = append(fields, c.Field), append(ats, millis(c.EntryTime))
		}
	}
	return t.keepChanges(changes, `
		INSERT INTO unclaimed_changes (digest, app, waba_id, phone_number_id, field, entry_at, raw, received_at)
		SELECT *, $8 FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
		ON CONFLICT (digest) DO NOTHING RETURNING digest`, digests, apps, wabas, numbers, fields, ats, raws, t.now)
}

// keepChanges runs an INSERT that returns the digests of the rows that were
// new, and tells the items.
func (t *tx) keepChanges(changes []*item, insert string, args ...any) error {
	if len(changes) == 0 {
		return nil
	}
	kept, err := rowsOf(t, pgx.RowTo[[]byte], insert, args...)
	if err != nil {
		return err
	}
	isNew := make(map[string]bool, len(kept))
	for _, digest := range kept {
		isNew[string(digest)] = true
	}
	for _, it := range changes {
		it.outcome = outcomeDuplicate
		if isNew[string(it.digest)] {
			it.outcome = outcomeNew
			delete(isNew, string(it.digest)) // the others of this delivery are copies
		}
	}
	return nil
}

// millis is the form in which instants are stored; the zero time is 0.
func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// instant reverses millis.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
