package sqlite

import (
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	threadByBSUID = `SELECT ` + threadColumns + ` FROM identities i JOIN conversations c ON c.id = i.conversation_id WHERE i.line = ? AND i.bsuid = ?`
	threadByPhone = `SELECT ` + threadColumns + ` FROM conversations c WHERE c.line = ? AND c.phone = ? AND c.phone <> ''`

	threadsByID = `SELECT ` + threadColumns + ` FROM json_each(?) k CROSS JOIN conversations c ON c.id = k.value`

	// The same for the members of {"line": ["id", ...]}.
	threadsByBSUID = `
		SELECT i.bsuid, ` + threadColumns + ` FROM json_each(?) l CROSS JOIN json_each(l.value) k
		CROSS JOIN identities i ON i.line = l.key AND i.bsuid = k.value CROSS JOIN conversations c ON c.id = i.conversation_id`
	threadsByPhone = `
		SELECT c.phone, ` + threadColumns + ` FROM json_each(?) l CROSS JOIN json_each(l.value) k
		CROSS JOIN conversations c ON c.line = l.key AND c.phone = k.value AND c.phone <> ''`
)

// wanted are identities by line, each once.
type wanted map[string][]string

// want adds an identity, unless it is known what it leads to. That of one which
// is asked for is nobody until the answer comes.
func (w wanted) want(known map[lineKey]*thread, key lineKey) {
	if _, ok := known[key]; !ok && key.value != "" {
		known[key] = nil
		w[key.line] = append(w[key.line], key.value)
	}
}

// preload reads the threads that messages lead to, with few statements: one for
// each would take longer than all the rest. What else is looked for is read when
// it is.
func (b *batch) preload(items []*record.Item) error {
	if err := b.preloadKnown(items); err != nil {
		return err
	}
	bsuids, phones := wanted{}, wanted{}
	for _, it := range items {
		if m := it.Message; m != nil {
			bsuids.want(b.byBSUID, lineKey{m.Line, m.From.BSUID})
		}
	}
	if err := b.loadAll(b.byBSUID, threadsByBSUID, bsuids); err != nil {
		return err
	}
	for _, it := range items {
		m := it.Message
		if m == nil {
			continue
		}
		// Mostly the phone is the one that the customer had before.
		if h := b.byBSUID[lineKey{m.Line, m.From.BSUID}]; h == nil || h.Phone != m.From.Phone {
			phones.want(b.byPhone, lineKey{m.Line, m.From.Phone})
		}
	}
	return b.loadAll(b.byPhone, threadsByPhone, phones)
}

// preloadKnown reads the threads of which the directory has the ids, but for
// those that are remembered.
func (b *batch) preloadKnown(items []*record.Item) error {
	directory := &b.t.w.directory
	var ids []int64
	for _, it := range items {
		m := it.Message
		if m == nil {
			continue
		}
		id := directory.Find(m.Line, m.From.BSUID)
		if id == 0 || b.byID[id] != nil {
			continue
		}
		if h := b.t.w.threads.find(id); h != nil {
			b.byID[id] = h
		} else {
			ids = append(ids, id)
		}
	}
	if err := b.loadByID(ids); err != nil {
		return err
	}
	for _, it := range items {
		m := it.Message
		if m == nil {
			continue
		}
		id := directory.Find(m.Line, m.From.BSUID)
		if id == 0 {
			continue
		}
		if h := b.byID[id]; h != nil && h.Confirmed(m.Line, m.From.BSUID, "") {
			b.byBSUID[lineKey{m.Line, m.From.BSUID}] = h
		} else {
			directory.Drop(m.Line, m.From.BSUID)
		}
	}
	return nil
}

func (b *batch) loadByID(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	keys, err := json.Marshal(slices.Compact(ids))
	if err != nil {
		return err
	}
	return b.t.each(threadsByID, []any{string(keys)}, func(rows *sql.Rows) error {
		h, err := scanThread(rows)
		if err == nil {
			b.byID[h.ID] = h
		}
		return err
	})
}

func (b *batch) loadAll(known map[lineKey]*thread, query string, w wanted) error {
	if len(w) == 0 {
		return nil
	}
	keys, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return b.t.each(query, []any{string(keys)}, func(rows *sql.Rows) error {
		var value string
		h, err := scanThread(rows, &value)
		if err == nil {
			known[lineKey{h.Line, value}] = b.only(h)
		}
		return err
	})
}

// remember notes in the directory whose threads the messages have led to.
func (b *batch) remember(items []*record.Item) {
	for _, it := range items {
		if m := it.Message; m != nil {
			if h := b.byBSUID[lineKey{m.Line, m.From.BSUID}]; h != nil {
				b.t.w.directory.Keep(m.Line, m.From.BSUID, m.From.Phone, &h.Thread)
			}
		}
	}
}

// scanThread scans what goes before a thread's columns, and these.
func scanThread(rows interface{ Scan(dest ...any) error }, before ...any) (*thread, error) {
	h := &thread{}
	err := rows.Scan(append(before, h.fields()...)...)
	h.stored()
	return h, err
}

// only returns the copy of a thread that another key has led to, or the thread
// itself if there is none: two copies would overwrite each other's changes.
func (b *batch) only(h *thread) *thread {
	if copied := b.byID[h.ID]; copied != nil {
		return copied
	}
	b.byID[h.ID] = h
	return h
}

func (b *batch) loadByBSUID(line, bsuid string) (*thread, error) {
	return b.load(b.byBSUID, threadByBSUID, lineKey{line, bsuid})
}

func (b *batch) loadByPhone(line, phone string) (*thread, error) {
	return b.load(b.byPhone, threadByPhone, lineKey{line, phone})
}

// load reads a thread. What a key leads to, if only to nobody, is read once.
func (b *batch) load(known map[lineKey]*thread, query string, key lineKey) (*thread, error) {
	if h, ok := known[key]; ok {
		return h, nil
	}
	known[key] = nil
	err := b.t.each(query, []any{key.line, key.value}, func(rows *sql.Rows) error {
		h, err := scanThread(rows)
		if err == nil {
			known[key] = b.only(h)
		}
		return err
	})
	return known[key], err
}
