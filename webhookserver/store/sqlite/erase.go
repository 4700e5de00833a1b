package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// eraseBatch keeps a transaction that erases to some milliseconds, since
// deliveries wait for it.
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
	// place limits the rows to those of the line: ?1 is its id, ?2 that of its number, ?3 the latter as JSON.
	place string
	// key is the column that a row's mark is made of.
	key   string
	mark  func(m *record.Marker, e store.Erasure, key []byte) string
	count func(*store.Erased) *int
}

var mentioning = []mentions{
	{
		"statuses", "raw", `phone_number_id = ?2 AND line = ?1 AND ?3 <> ''`, "wamid",
		func(m *record.Marker, e store.Erasure, key []byte) string {
			return m.Message(e.PhoneNumberID, string(key))
		},
		func(d *store.Erased) *int { return &d.Statuses },
	},
	{
		"raw_changes", "raw", `(line = ?1 OR line = '' AND (phone_number_id = ?2 OR instr(raw, ?3) > 0))`, "digest",
		changeMark, func(d *store.Erased) *int { return &d.Changes },
	},
	{
		"unclaimed_changes", "raw", `?1 <> '' AND phone_number_id = ?2 AND ?3 <> ''`, "digest",
		changeMark, func(d *store.Erased) *int { return &d.Unclaimed },
	},
	{
		"dead_letters", "raw", `(line = ?1 OR line = '' AND ?2 <> '' AND instr(raw, ?3) > 0)`, "raw",
		func(m *record.Marker, _ store.Erasure, key []byte) string { return m.Letter(key) },
		func(d *store.Erased) *int { return &d.DeadLetters },
	},
}

func changeMark(m *record.Marker, _ store.Erasure, key []byte) string { return m.Change(key) }

// knownAs selects by which ids the thread ?1 is known.
const knownAs = `SELECT bsuid FROM identities WHERE conversation_id = ?1 UNION SELECT phone FROM conversations WHERE id = ?1`

// threadsOf selects a person's threads: ?1 is the line, ?2 his phone, ?3 his BSUID.
const threadsOf = `
	SELECT id FROM conversations WHERE line = ?1 AND phone = ?2 AND ?2 <> ''
	UNION SELECT conversation_id FROM identities WHERE line = ?1 AND bsuid = ?3`

// idsOf returns all ids that the person is known by.
func (s *Store) idsOf(ctx context.Context, e store.Erasure) ([]string, error) {
	threads, err := list(ctx, s, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		return id, err
	}, threadsOf, e.Line, e.Phone, e.BSUID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, thread := range threads {
		known, err := list(ctx, s, scanText, knownAs, thread)
		if err != nil {
			return nil, err
		}
		ids = append(ids, known...)
	}
	return record.KnownAs(e, ids), nil
}

func scanText(rows *sql.Rows) (text string, err error) {
	err = rows.Scan(&text)
	return text, err
}

// eraseThreads removes what hangs on the person's threads, and returns all ids
// that he is known by.
func (t *tx) eraseThreads(e store.Erasure, done *store.Erased) (ids []string, err error) {
	threads, err := t.threadsOf(e)
	if err != nil {
		return nil, err
	}
	var wamids, sends []string
	for _, id := range threads {
		for _, of := range []struct {
			query string
			into  *[]string
		}{
			{knownAs, &ids},
			{`SELECT wamid FROM messages WHERE wamid IS NOT NULL AND id IN (` + allMessages + `)`, &wamids},
			{`SELECT o.id FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.conversation_id = ?1 AND o.attempts > 0 AND m.wamid IS NULL`, &sends},
		} {
			err := t.each(of.query, []any{id}, func(rows *sql.Rows) error {
				text, err := scanText(rows)
				*of.into = append(*of.into, text)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	ids = record.KnownAs(e, ids)
	m, err := t.marker()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := t.addMark(m.Person(e.Line, id)); err != nil {
			return nil, err
		}
	}
	for _, wamid := range wamids {
		if err := t.addMark(m.Message(e.PhoneNumberID, wamid)); err != nil {
			return nil, err
		}
	}
	for _, send := range sends {
		if err := t.addMark(m.Send(e.PhoneNumberID, send)); err != nil {
			return nil, err
		}
	}
	return ids, t.deleteThreads(e, threads, ids, wamids, done)
}

func (t *tx) threadsOf(e store.Erasure) (threads []int64, err error) {
	err = t.each(threadsOf, []any{e.Line, e.Phone, e.BSUID}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		threads = append(threads, id)
		return err
	})
	return threads, err
}

func (t *tx) deleteThreads(e store.Erasure, threads []int64, ids, wamids []string, done *store.Erased) error {
	for _, id := range threads {
		n, err := t.exec(`DELETE FROM messages WHERE id IN (`+allMessages+`)`, id)
		if err != nil {
			return err
		}
		done.Messages += int(n)
	}
	threadList, err := jsonList(threads)
	if err != nil {
		return err
	}
	idList, err := jsonList(ids)
	if err != nil {
		return err
	}
	wamidList, err := jsonList(wamids)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		query string
		args  []any
		count *int
	}{
		{`DELETE FROM statuses WHERE phone_number_id = ? AND wamid IN (SELECT value FROM json_each(?))`, []any{e.PhoneNumberID, wamidList}, &done.Statuses},
		{`DELETE FROM outbox WHERE conversation_id IN (SELECT value FROM json_each(?))`, []any{threadList}, &done.Sends},
		{`DELETE FROM orders WHERE conversation_id IN (SELECT value FROM json_each(?))`, []any{threadList}, nil},
		{`DELETE FROM tool_calls WHERE conversation_id IN (SELECT value FROM json_each(?))`, []any{threadList}, nil},
		{`DELETE FROM media WHERE phone_number_id = ? AND wamid IN (SELECT value FROM json_each(?))`, []any{e.PhoneNumberID, wamidList}, nil},
		{`DELETE FROM saved_contacts WHERE line = ? AND phone IN (SELECT value FROM json_each(?))`, []any{e.Line, idList}, nil},
		{`DELETE FROM identities WHERE conversation_id IN (SELECT value FROM json_each(?))`, []any{threadList}, nil},
		{`DELETE FROM conversations WHERE id IN (SELECT value FROM json_each(?))`, []any{threadList}, &done.Conversations},
		{`DELETE FROM test_messages WHERE line = ? AND recipient IN (SELECT value FROM json_each(?))`, []any{e.Line, idList}, &done.TestMessages},
	} {
		n, err := t.exec(d.query, d.args...)
		if err != nil {
			return err
		}
		if d.count != nil {
			*d.count += int(n)
		}
	}
	return nil
}

func jsonList[T any](values []T) (string, error) {
	if values == nil {
		return "[]", nil
	}
	b, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return string(b), nil
}

// eraseMentions searches beside the writer, which then has only to delete.
func (s *Store) eraseMentions(ctx context.Context, m mentions, e store.Erasure, ids []string, done *store.Erased) error {
	found, err := s.mentioned(ctx, `SELECT id FROM `+m.table+` WHERE `+m.place+` AND instr(`+m.body+`, ?4) > 0`, e, ids)
	if err != nil {
		return err
	}
	return s.eraseRows(ctx, found, m.count(done), func(t *tx, id int64) (bool, error) {
		var key, body []byte
		found, err := t.found(`SELECT `+m.key+`, `+m.body+` FROM `+m.table+` WHERE id = ?`, []any{id}, &key, &body)
		if err != nil || !found {
			return false, err
		}
		if rest := record.Redact(body, record.Mentions(ids)); rest == nil {
			_, err = t.exec(`DELETE FROM `+m.table+` WHERE id = ?`, id)
		} else {
			_, err = t.exec(`UPDATE `+m.table+` SET `+m.body+` = ? WHERE id = ?`, rest, id)
		}
		if err != nil {
			return false, err
		}
		marker, err := t.marker()
		if err != nil {
			return false, err
		}
		return true, t.addMark(m.mark(marker, e, key))
	})
}

// eraseQuarantined leaves no marks: what a body holds meets those of the
// person when it comes again, or is verified after all. So one that names others
// as well stays for their sake: no part can be taken out of it, since its
// signature is of all its bytes.
func (s *Store) eraseQuarantined(ctx context.Context, e store.Erasure, ids []string, done *store.Erased) error {
	found, err := s.mentioned(ctx, `SELECT id FROM quarantine WHERE ?1 <> '' AND ?2 <> '' AND instr(body, ?3) > 0 AND instr(body, ?4) > 0`, e, ids)
	if err != nil {
		return err
	}
	var his []int64
	done.QuarantinedKept = 0 // not those of an earlier look
	for _, id := range found {
		bodies, err := list(ctx, s, func(rows *sql.Rows) (body []byte, err error) {
			err = rows.Scan(&body)
			return body, err
		}, `SELECT body FROM quarantine WHERE id = ?`, id)
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
		found, err := list(ctx, s, func(rows *sql.Rows) (id int64, err error) {
			err = rows.Scan(&id)
			return id, err
		}, query, e.Line, e.PhoneNumberID, []byte(`"`+e.PhoneNumberID+`"`), form)
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
