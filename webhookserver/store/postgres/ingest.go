package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Ingest implements store.Ingester.
func (s *Store) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	items, bytes := record.Flatten(d)
	if len(items) == 0 {
		return store.Receipt{}, ctx.Err()
	}
	if err := s.writer.do(ctx, &job{items: items, bytes: bytes, lane: laneOf(items[0].Number())}); err != nil {
		return store.Receipt{}, err
	}
	return record.ReceiptOf(items), nil
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

// apply writes the items, which are sorted, in the order of their locks.
func (t *tx) apply(items []*record.Item) error {
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
	if err := t.saveContacts(items); err != nil {
		return err
	}
	for _, it := range items {
		if it.Letter != nil {
			if err := t.insertDeadLetter(it.Letter); err != nil {
				return err
			}
		}
	}
	return nil
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
func (t *tx) addRawChanges(items []*record.Item) error {
	var changes []*record.Item
	var digests, raws [][]byte
	var apps, lines, wabas, numbers, fields []string
	var ats []int64
	var pendings []bool
	for _, it := range items {
		if c := it.Raw; c != nil {
			changes, digests, raws = append(changes, it), append(digests, it.Digest), append(raws, c.Raw)
			apps, lines, wabas = append(apps, c.App), append(lines, c.Line), append(wabas, c.WABAID)
			numbers, fields, ats = append(numbers, c.PhoneNumberID), append(fields, c.Field), append(ats, record.Millis(c.EntryTime))
			pendings = append(pendings, c.Pending)
		}
	}
	err := t.keepChanges(changes, `
		INSERT INTO raw_changes (digest, app, line, waba_id, phone_number_id, field, entry_at, raw, pending, received_at)
		SELECT *, $10 FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bytea[], $9::boolean[])
		ON CONFLICT (digest) DO NOTHING RETURNING digest`, digests, apps, lines, wabas, numbers, fields, ats, raws, pendings, t.now)
	if err != nil {
		return err
	}
	for _, it := range changes {
		if it.Outcome == record.OutcomeNew && it.Raw.Report != nil {
			t.insertReport(*it.Raw.Report)
		}
	}
	return nil
}

// saveContacts keeps the newest of what the business calls its customers. Of two
// of the same time the later by name counts, so that their order does not matter.
func (t *tx) saveContacts(items []*record.Item) error {
	q := &pgx.Batch{}
	for _, it := range items {
		if c := it.Contact; c != nil {
			q.Queue(`
				INSERT INTO saved_contacts AS s (line, phone, name, event_at, received_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (line, phone) DO UPDATE SET name = excluded.name, event_at = excluded.event_at, received_at = excluded.received_at
				WHERE (excluded.event_at, excluded.name COLLATE "C") > (s.event_at, s.name COLLATE "C")`,
				c.Line, c.Phone, c.Name, min(record.Millis(c.EventTime), t.now), t.now)
		}
	}
	if q.Len() == 0 {
		return nil
	}
	return t.send(q)
}

// PendingChanges implements store.Ingester.
func (s *Store) PendingChanges(ctx context.Context, after int64, limit int) ([]store.RawChange, error) {
	return s.rawChanges(ctx, `pending AND id > $1`, after, limit)
}

// MarkProjected implements store.Ingester.
func (s *Store) MarkProjected(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE raw_changes SET pending = FALSE WHERE id = $1`, id)
		return err
	})
}

// addUnclaimed keeps the unclaimed changes that are new.
func (t *tx) addUnclaimed(items []*record.Item) error {
	var changes []*record.Item
	var digests, raws [][]byte
	var apps, wabas, numbers, fields []string
	var ats []int64
	for _, it := range items {
		if c := it.Unclaimed; c != nil {
			changes, digests, raws = append(changes, it), append(digests, it.Digest), append(raws, c.Raw)
			apps, wabas, numbers = append(apps, c.App), append(wabas, c.WABAID), append(numbers, c.PhoneNumberID)
			fields, ats = append(fields, c.Field), append(ats, record.Millis(c.EntryTime))
		}
	}
	return t.keepChanges(changes, `
		INSERT INTO unclaimed_changes (digest, app, waba_id, phone_number_id, field, entry_at, raw, received_at)
		SELECT *, $8 FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
		ON CONFLICT (digest) DO NOTHING RETURNING digest`, digests, apps, wabas, numbers, fields, ats, raws, t.now)
}

// keepChanges runs an INSERT that returns the digests of the rows that were
// new, and tells the items.
func (t *tx) keepChanges(changes []*record.Item, insert string, args ...any) error {
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
		it.Outcome = record.OutcomeDuplicate
		if isNew[string(it.Digest)] {
			it.Outcome = record.OutcomeNew
			delete(isNew, string(it.Digest)) // the others of this delivery are copies
		}
	}
	return nil
}
