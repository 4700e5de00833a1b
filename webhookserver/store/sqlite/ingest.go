package sqlite

import (
	"context"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Ingest implements store.Ingester.
func (s *Store) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	items, bytes := record.Flatten(d)
	if len(items) == 0 {
		return store.Receipt{}, ctx.Err()
	}
	if err := s.writer.do(ctx, &job{items: items, bytes: bytes, bounded: true}); err != nil {
		return store.Receipt{}, err
	}
	return record.ReceiptOf(items), nil
}

// ingest applies the deliveries of a group, sorted.
func (t *tx) ingest(group []*job) error {
	n := 0
	for _, j := range group {
		n += len(j.items)
	}
	if n == 0 {
		return nil
	}
	items := make([]*record.Item, 0, n)
	for _, j := range group {
		for i := range j.items {
			items = append(items, &j.items[i])
		}
	}
	items, err := t.dropErased(items)
	if err != nil || len(items) == 0 {
		return err
	}
	record.Sort(items)
	// Nearly every group is sound, and goes without a savepoint: its journal
	// would copy each page that the group changes.
	if err := t.apply(items); !isDataError(err) {
		return err
	}
	if err := t.restart(); err != nil {
		return err
	}
	return t.bisect(items)
}

// bisect applies the items; if the data of one is at fault, it halves them
// until that one is alone, and makes it a dead letter.
func (t *tx) bisect(items []*record.Item) error {
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
	items[0].Outcome = record.OutcomeDeadLettered
	return t.insertDeadLetter(items[0].DeadLetter())
}

// apply writes the items, and the conversations that they changed: before what
// else may change them.
func (t *tx) apply(items []*record.Item) error {
	b := newBatch(t)
	if err := b.preload(items); err != nil {
		return err
	}
	for _, it := range items {
		if !it.OfThread() {
			if err := b.flush(); err != nil {
				return err
			}
		}
		if err := b.applyItem(it); err != nil {
			return err
		}
	}
	t.afterCommit = append(t.afterCommit, func() { b.remember(items) })
	return b.flush()
}

func (b *batch) applyItem(it *record.Item) (err error) {
	switch {
	case it.Move != nil:
		return b.moveIdentity(it.Move)
	case it.Handover != nil:
		return b.handOver(it.Handover)
	case it.Contact != nil:
		return b.t.saveContact(it.Contact)
	case it.Message != nil:
		it.Outcome, err = b.addMessage(it.Message)
	case it.Status != nil:
		it.Outcome, err = b.t.addStatus(it.Status)
	case it.Raw != nil:
		it.Outcome, err = b.t.addRawChange(it.Raw, it.Digest)
	case it.Unclaimed != nil:
		it.Outcome, err = b.t.addUnclaimed(it.Unclaimed, it.Digest)
	default:
		err = b.t.insertDeadLetter(it.Letter)
	}
	return err
}

func (t *tx) insertDeadLetter(l *store.DeadLetter) error {
	_, err := t.exec(`INSERT INTO dead_letters (app, line, kind, reason, received_at, raw) VALUES (?, ?, ?, ?, ?, ?)`,
		l.App, l.Line, l.Kind, l.Reason, t.now, l.Raw)
	return err
}

func (t *tx) addRawChange(c *store.RawChange, digest []byte) (record.Outcome, error) {
	id, err := t.insert(`
		INSERT INTO raw_changes (digest, app, line, waba_id, phone_number_id, field, entry_at, received_at, pending, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
		digest, c.App, c.Line, c.WABAID, c.PhoneNumberID, c.Field, record.Millis(c.EntryTime), t.now, c.Pending, c.Raw)
	if err != nil || id == 0 {
		return record.OutcomeDuplicate, err
	}
	if c.Report != nil {
		return record.OutcomeNew, t.insertReport(*c.Report)
	}
	return record.OutcomeNew, nil
}

// saveContact keeps the newest of what the business calls a customer. Of two of
// the same time the later by name counts, so that their order does not matter.
func (t *tx) saveContact(c *store.SavedContact) error {
	_, err := t.exec(`
		INSERT INTO saved_contacts (line, phone, name, event_at, received_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (line, phone) DO UPDATE SET name = excluded.name, event_at = excluded.event_at, received_at = excluded.received_at
		WHERE (excluded.event_at, excluded.name) > (saved_contacts.event_at, saved_contacts.name)`,
		c.Line, c.Phone, c.Name, min(record.Millis(c.EventTime), t.now), t.now)
	return err
}

// PendingChanges implements store.Ingester.
func (s *Store) PendingChanges(ctx context.Context, after int64, limit int) ([]store.RawChange, error) {
	return s.rawChanges(ctx, `pending AND id > ?`, after, limit)
}

// MarkProjected implements store.Ingester.
func (s *Store) MarkProjected(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE raw_changes SET pending = FALSE WHERE id = ?`, id)
		return err
	})
}

func (t *tx) addUnclaimed(c *store.UnclaimedChange, digest []byte) (record.Outcome, error) {
	id, err := t.insert(`
		INSERT INTO unclaimed_changes (digest, app, waba_id, phone_number_id, field, entry_at, received_at, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
		digest, c.App, c.WABAID, c.PhoneNumberID, c.Field, record.Millis(c.EntryTime), t.now, c.Raw)
	if err != nil || id == 0 {
		return record.OutcomeDuplicate, err
	}
	return record.OutcomeNew, nil
}
