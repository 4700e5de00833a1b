package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// eraseBatch keeps a transaction that erases to some milliseconds, since
// deliveries may wait for its locks.
const eraseBatch = 200

// Erase implements store.Eraser. What names him goes first, since only his threads
// tell by which ids: whoever repeats an erasure that was cut off still finds them.
// Then the marks are laid: what came meanwhile is seen by the search that follows,
// and what comes later is dropped by them.
func (s *Store) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	var done store.Erased
	if err := record.CheckErasure(e); err != nil {
		return done, err
	}
	ids, err := s.idsOf(ctx, e)
	if err != nil {
		return done, err
	}
	if err := s.eraseMentioning(ctx, e, ids, &done); err != nil {
		return done, err
	}
	before := done
	err = s.write(ctx, func(t *tx) (err error) {
		done = before
		ids, err = t.eraseThreads(e, &done)
		return err
	})
	if err != nil {
		return done, err
	}
	err = s.eraseMentioning(ctx, e, ids, &done)
	return done, err
}

// eraseMentioning goes through all tables whose rows may name the person.
func (s *Store) eraseMentioning(ctx context.Context, e store.Erasure, ids []string, done *store.Erased) error {
	for _, m := range mentioning {
		if err := s.eraseMentions(ctx, m, e, ids, done); err != nil {
			return err
		}
	}
	return s.eraseQuarantined(ctx, e, ids, done)
}

// mentions is a table whose rows may name a person.
type mentions struct {
	table, body string
	// place limits the rows to those of the line: $1 is its id, $2 that of its number, $3 the latter as JSON.
	place string
	// key is the column that a row's mark is made of.
	key   string
	mark  func(m *record.Marker, e store.Erasure, key []byte) string
	count func(*store.Erased) *int
}

var mentioning = []mentions{
	{
		"statuses", "raw", `phone_number_id = $2::text AND line = $1::text AND $3::bytea IS NOT NULL`, "wamid",
		func(m *record.Marker, e store.Erasure, key []byte) string {
			return m.Message(e.PhoneNumberID, string(key))
		},
		func(d *store.Erased) *int { return &d.Statuses },
	},
	{
		"raw_changes", "raw", `(line = $1::text OR line = '' AND (phone_number_id = $2::text OR position($3::bytea IN raw) > 0))`, "digest",
		changeMark, func(d *store.Erased) *int { return &d.Changes },
	},
	{
		"unclaimed_changes", "raw", `$1::text <> '' AND phone_number_id = $2::text AND $3::bytea IS NOT NULL`, "digest",
		changeMark, func(d *store.Erased) *int { return &d.Unclaimed },
	},
	{
		"dead_letters", "raw", `(line = $1::text OR line = '' AND $2::text <> '' AND position($3::bytea IN raw) > 0)`, "raw",
		func(m *record.Marker, _ store.Erasure, key []byte) string { return m.Letter(key) },
		func(d *store.Erased) *int { return &d.DeadLetters },
	},
}

func changeMark(m *record.Marker, _ store.Erasure, key []byte) string { return m.Change(key) }

// knownAs selects by which ids the threads of $1 are known.
const knownAs = `SELECT bsuid FROM identities WHERE conversation_id = ANY ($1) UNION SELECT phone FROM conversations WHERE id = ANY ($1)`

// threadsOf selects a person's threads: $1 is the line, $2 his phone, $3 his BSUID.
const threadsOf = `
	SELECT id FROM conversations WHERE line = $1 AND phone = $2 AND phone <> ''
	UNION SELECT conversation_id FROM identities WHERE line = $1 AND bsuid = $3`

// idsOf returns all ids that the person is known by.
func (s *Store) idsOf(ctx context.Context, e store.Erasure) ([]string, error) {
	threads, err := list(ctx, s, pgx.RowTo[int64], threadsOf, e.Line, e.Phone, e.BSUID)
	if err != nil {
		return nil, err
	}
	ids, err := list(ctx, s, pgx.RowTo[string], knownAs, threads)
	return record.KnownAs(e, ids), err
}

// eraseThreads removes what hangs on the person's threads, and returns all ids
// that he is known by. No delivery may be under way: it would not see the marks.
func (t *tx) eraseThreads(e store.Erasure, done *store.Erased) (ids []string, err error) {
	if err := t.lock(lockDeliveries); err != nil {
		return nil, err
	}
	threads, err := rowsOf(t, pgx.RowTo[int64], `SELECT id FROM conversations WHERE id IN (`+threadsOf+`) ORDER BY id FOR UPDATE`, e.Line, e.Phone, e.BSUID)
	if err != nil {
		return nil, err
	}
	ids, err = rowsOf(t, pgx.RowTo[string], knownAs, threads)
	if err != nil {
		return nil, err
	}
	ids = record.KnownAs(e, ids)
	wamids, err := rowsOf(t, pgx.RowTo[string], `SELECT wamid FROM messages WHERE conversation_id = ANY ($1) AND wamid IS NOT NULL ORDER BY id`, threads)
	if err != nil {
		return nil, err
	}
	sends, err := rowsOf(t, pgx.RowTo[string], `
		SELECT o.id FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.conversation_id = ANY ($1) AND o.attempts > 0 AND m.wamid IS NULL`, threads)
	if err != nil {
		return nil, err
	}
	m, err := t.marker()
	if err != nil {
		return nil, err
	}
	marks := make([]string, 0, len(ids)+len(wamids)+len(sends))
	for _, id := range ids {
		marks = append(marks, m.Person(e.Line, id))
	}
	for _, wamid := range wamids {
		marks = append(marks, m.Message(e.PhoneNumberID, wamid))
	}
	for _, send := range sends {
		marks = append(marks, m.Send(e.PhoneNumberID, send))
	}
	if err := t.addMarks(marks); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		query string
		args  []any
		count *int
	}{
		{`DELETE FROM statuses WHERE phone_number_id = $1 AND wamid = ANY ($2)`, []any{e.PhoneNumberID, wamids}, &done.Statuses},
		{`DELETE FROM messages WHERE conversation_id = ANY ($1)`, []any{threads}, &done.Messages},
		{`DELETE FROM outbox WHERE conversation_id = ANY ($1)`, []any{threads}, &done.Sends},
		{`DELETE FROM orders WHERE conversation_id = ANY ($1)`, []any{threads}, new(int)},
		{`DELETE FROM tool_calls WHERE conversation_id = ANY ($1)`, []any{threads}, new(int)},
		{`DELETE FROM media WHERE phone_number_id = $1 AND wamid = ANY ($2)`, []any{e.PhoneNumberID, wamids}, new(int)},
		{`DELETE FROM saved_contacts WHERE line = $1 AND phone = ANY ($2)`, []any{e.Line, ids}, new(int)},
		{`DELETE FROM identities WHERE conversation_id = ANY ($1)`, []any{threads}, new(int)},
		{`DELETE FROM conversations WHERE id = ANY ($1)`, []any{threads}, &done.Conversations},
		{`DELETE FROM test_messages WHERE line = $1 AND recipient = ANY ($2)`, []any{e.Line, ids}, &done.TestMessages},
	} {
		n, err := t.exec(d.query, d.args...)
		if err != nil {
			return nil, err
		}
		*d.count += int(n)
	}
	return ids, nil
}

// eraseMentions searches first, and then deletes in short transactions. No delivery
// may be under way then: a copy would wait for the row to go, and not see its mark.
func (s *Store) eraseMentions(ctx context.Context, m mentions, e store.Erasure, ids []string, done *store.Erased) error {
	found, err := s.mentioned(ctx, `SELECT id FROM `+m.table+` WHERE `+m.place+` AND position($4::bytea IN `+m.body+`) > 0`, e, ids)
	if err != nil {
		return err
	}
	return s.eraseRows(ctx, found, m.count(done), func(t *tx, id int64) (bool, error) {
		if err := t.lock(lockDeliveries); err != nil {
			return false, err
		}
		var key, body []byte
		found, err := t.found(`SELECT `+m.key+`, `+m.body+` FROM `+m.table+` WHERE id = $1`, []any{id}, &key, &body)
		if err != nil || !found {
			return false, err
		}
		if rest := record.Redact(body, record.Mentions(ids)); rest == nil {
			_, err = t.exec(`DELETE FROM `+m.table+` WHERE id = $1`, id)
		} else {
			_, err = t.exec(`UPDATE `+m.table+` SET `+m.body+` = $1 WHERE id = $2`, rest, id)
		}
		if err != nil {
			return false, err
		}
		marker, err := t.marker()
		if err != nil {
			return false, err
		}
		return true, t.addMarks([]string{m.mark(marker, e, key)})
	})
}

// eraseQuarantined leaves no marks: what a body holds meets those of the
// person when it comes again, or is verified after all. So one that names others
// as well stays for their sake: no part can be taken out of it, since its
// signature is of all its bytes.
func (s *Store) eraseQuarantined(ctx context.Context, e store.Erasure, ids []string, done *store.Erased) error {
	found, err := s.mentioned(ctx, `SELECT id FROM quarantine WHERE $1::text <> '' AND $2::text <> '' AND position($3::bytea IN body) > 0 AND position($4::bytea IN body) > 0`, e, ids)
	if err != nil {
		return err
	}
	var his []int64
	done.QuarantinedKept = 0 // not those of an earlier look
	for _, id := range found {
		bodies, err := list(ctx, s, pgx.RowTo[[]byte], `SELECT body FROM quarantine WHERE id = $1`, id)
		if err != nil {
			return err
		}
		switch {
		case len(bodies) == 0: // verified meanwhile
		case record.Redact(bodies[0], record.Mentions(ids)) != nil:
			done.QuarantinedKept++
		default:
			his = append(his, id)
		}
	}
	return s.eraseRows(ctx, his, &done.Quarantined, func(t *tx, id int64) (bool, error) { return true, t.deleteQuarantine(id) })
}

// mentioned returns the rows that name one of the ids.
func (s *Store) mentioned(ctx context.Context, query string, e store.Erasure, ids []string) ([]int64, error) {
	var all []int64
	for _, form := range record.Mentions(ids) {
		found, err := list(ctx, s, pgx.RowTo[int64], query, e.Line, e.PhoneNumberID, []byte(`"`+e.PhoneNumberID+`"`), form)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (s *Store) eraseRows(ctx context.Context, ids []int64, count *int, erase func(t *tx, id int64) (bool, error)) error {
	for batch := range slices.Chunk(ids, eraseBatch) {
		gone := 0
		err := s.write(ctx, func(t *tx) error {
			gone = 0
			for _, id := range batch {
				there, err := erase(t, id)
				if err != nil {
					return err
				}
				if there {
					gone++
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		*count += gone
	}
	return nil
}
