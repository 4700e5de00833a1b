package sqlite

import (
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// resolve finds the thread of a customer, or begins it, and takes over what
// the webhook says about him.
func (b *batch) resolve(line, number string, id store.Identity, at int64) (*thread, error) {
	h, err := b.find(line, number, id, at)
	if err != nil {
		return nil, err
	}
	if id.Phone != "" {
		if h, err = b.setPhone(h, id.Phone, at); err != nil {
			return nil, err
		}
	}
	// A name is worth a write only if it is as new as what we know.
	changed := id.Name != "" && id.Name != h.name || id.Username != "" && id.Username != h.username
	if changed && at >= h.lastUserAt {
		if id.Name != "" {
			h.name = id.Name
		}
		if id.Username != "" {
			h.username = id.Username
		}
		_, err = b.t.exec(`UPDATE conversations SET name = ?, username = ? WHERE id = ?`, h.name, h.username, h.id)
	}
	return h, err
}

// find looks a customer up by BSUID, else by phone. A thread known by its phone
// alone is adopted by the first BSUID that comes with it.
func (b *batch) find(line, number string, id store.Identity, at int64) (*thread, error) {
	if id.BSUID == "" {
		if id.Phone == "" {
			return nil, fmt.Errorf("%w: a customer without any id", store.ErrInvalid)
		}
		h, err := b.loadByPhone(line, id.Phone)
		if h == nil && err == nil {
			h, err = b.begin(line, number, "", id.Phone, at)
		}
		return h, err
	}
	h, err := b.loadByBSUID(line, id.BSUID)
	if h != nil || err != nil {
		return h, err
	}
	if id.Phone != "" {
		known, err := b.loadByPhone(line, id.Phone)
		if err != nil {
			return nil, err
		}
		if known != nil && known.bsuid == "" {
			return known, b.adopt(known, id.BSUID)
		}
	}
	return b.begin(line, number, id.BSUID, "", at)
}

// begin makes a new thread.
func (b *batch) begin(line, number, bsuid, phone string, at int64) (*thread, error) {
	h := &thread{line: line, bsuid: bsuid, phone: phone, state: string(store.ConversationActive)}
	if phone != "" {
		h.phoneAt = at
	}
	var err error
	h.id, err = b.t.insert(`INSERT INTO conversations (line, phone_number_id, bsuid, phone, phone_at, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		line, number, bsuid, phone, h.phoneAt, b.t.now)
	if err != nil {
		return nil, err
	}
	b.byID[h.id] = h
	if phone != "" {
		b.byPhone[lineKey{line, phone}] = h
	}
	if bsuid != "" {
		err = b.addBSUID(h, bsuid)
	}
	return h, err
}

// adopt gives the thread a BSUID, which is the one to send to from now on.
func (b *batch) adopt(h *thread, bsuid string) error {
	h.bsuid = bsuid
	if _, err := b.t.exec(`UPDATE conversations SET bsuid = ? WHERE id = ?`, bsuid, h.id); err != nil {
		return err
	}
	return b.addBSUID(h, bsuid)
}

func (b *batch) addBSUID(h *thread, bsuid string) error {
	b.byBSUID[lineKey{h.line, bsuid}] = h
	_, err := b.t.exec(`INSERT INTO identities (line, bsuid, conversation_id) VALUES (?, ?, ?)`, h.line, bsuid, h.id)
	return err
}

// setPhone gives the thread the phone, unless a later event gave it to somebody
// else. It never joins two BSUIDs: phones change hands. A thread that is known
// by this phone alone is the same customer, though, and is merged. It returns
// the thread to go on with.
func (b *batch) setPhone(h *thread, phone string, at int64) (*thread, error) {
	if h.phone == phone {
		if at > h.phoneAt {
			h.phoneAt = at
			b.touch(h)
		}
		return h, nil
	}
	holder, err := b.loadByPhone(h.line, phone)
	if err != nil {
		return nil, err
	}
	if holder != nil && holder.bsuid == "" {
		if h, err = b.merge(holder, h); err != nil {
			return nil, err
		}
		holder = nil
	}
	if at < h.phoneAt || holder != nil && at <= holder.phoneAt {
		return h, nil
	}
	if holder != nil {
		holder.phone = ""
		if _, err := b.t.exec(`UPDATE conversations SET phone = '' WHERE id = ?`, holder.id); err != nil {
			return nil, err
		}
	}
	delete(b.byPhone, lineKey{h.line, h.phone})
	h.phone, h.phoneAt = phone, at
	b.byPhone[lineKey{h.line, phone}] = h
	_, err = b.t.exec(`UPDATE conversations SET phone = ?, phone_at = ? WHERE id = ?`, phone, at, h.id)
	return h, err
}

// moveIdentity joins two BSUIDs of one person for good.
func (b *batch) moveIdentity(m *store.IdentityMove) error {
	if m.BSUID == "" || m.PreviousBSUID == "" {
		return fmt.Errorf("%w: a change of identity lacks an id", store.ErrInvalid)
	}
	at := min(millis(m.EventTime), b.t.now)
	old, err := b.loadByBSUID(m.Line, m.PreviousBSUID)
	if err != nil {
		return err
	}
	h, err := b.loadByBSUID(m.Line, m.BSUID)
	if err != nil {
		return err
	}
	switch {
	case old == nil && h == nil:
		if h, err = b.begin(m.Line, m.PhoneNumberID, m.BSUID, "", at); err == nil {
			err = b.addBSUID(h, m.PreviousBSUID)
		}
	case old == nil:
		err = b.addBSUID(h, m.PreviousBSUID)
	case h == nil:
		h, err = old, b.adopt(old, m.BSUID)
	case old != h:
		h, err = b.merge(old, h)
	}
	if err == nil && m.Phone != "" {
		_, err = b.setPhone(h, m.Phone, at)
	}
	return err
}

// merge moves everything of one thread to another and removes the first. What
// is unanswered in both stays unanswered; a turn that somebody has claimed on
// the first is lost with its row. It returns the merged thread.
func (b *batch) merge(from, into *thread) (*thread, error) {
	if err := b.flush(); err != nil {
		return nil, err
	}
	// The answered messages lose their number, the others follow the target's.
	shift := into.lastSeq - from.answeredSeq
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`UPDATE messages SET seq = CASE WHEN seq > ? THEN seq + ? ELSE 0 END WHERE conversation_id = ? AND seq > 0`,
			[]any{from.answeredSeq, shift, from.id}},
		{`UPDATE messages SET conversation_id = ? WHERE conversation_id = ?`, []any{into.id, from.id}},
		{`UPDATE outbox SET conversation_id = ? WHERE conversation_id = ?`, []any{into.id, from.id}},
		{`UPDATE identities SET conversation_id = ? WHERE conversation_id = ?`, []any{into.id, from.id}},
		{`DELETE FROM conversations WHERE id = ?`, []any{from.id}},
	} {
		if _, err := b.t.exec(step.query, step.args...); err != nil {
			return nil, err
		}
	}
	into.absorb(from)
	_, err := b.t.exec(`UPDATE conversations SET state = ?, phone = ? WHERE id = ?`, into.state, into.phone, into.id)
	if err != nil {
		return nil, err
	}
	into.dirty = false
	b.touch(into)
	if err := b.flush(); err != nil {
		return nil, err
	}
	// Every key that led to the removed thread is read afresh.
	delete(b.byID, from.id)
	clear(b.byBSUID)
	clear(b.byPhone)
	return into, nil
}

// absorb combines the queue state of two threads.
func (h *thread) absorb(from *thread) {
	h.lastSeq += from.lastSeq - from.answeredSeq
	h.lastUserAt = max(h.lastUserAt, from.lastUserAt)
	if from.phone != "" && from.phoneAt > h.phoneAt {
		h.phone, h.phoneAt = from.phone, from.phoneAt
	}
	h.firstUnansweredID = minSet(h.firstUnansweredID, from.firstUnansweredID)
	h.firstUnansweredAt = minSet(h.firstUnansweredAt, from.firstUnansweredAt)
	h.replyDueAt = minSet(h.replyDueAt, from.replyDueAt)
	if from.state == string(store.ConversationWaiting) {
		h.state = from.state
	}
	if h.state == string(store.ConversationWaiting) {
		h.replyDueAt = 0
	}
}

// minSet is the smaller one of two figures of which 0 means none.
func minSet(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

const (
	threadByBSUID = `SELECT ` + threadColumns + ` FROM identities i JOIN conversations c ON c.id = i.conversation_id WHERE i.line = ? AND i.bsuid = ?`
	threadByPhone = `SELECT ` + threadColumns + ` FROM conversations c WHERE c.line = ? AND c.phone = ? AND c.phone <> ''`
)

func (b *batch) loadByBSUID(line, bsuid string) (*thread, error) {
	key := lineKey{line, bsuid}
	if h := b.byBSUID[key]; h != nil {
		return h, nil
	}
	h, err := b.load(threadByBSUID, line, bsuid)
	if h != nil {
		b.byBSUID[key] = h
	}
	return h, err
}

func (b *batch) loadByPhone(line, phone string) (*thread, error) {
	key := lineKey{line, phone}
	if h := b.byPhone[key]; h != nil && h.phone == phone {
		return h, nil
	}
	h, err := b.load(threadByPhone, line, phone)
	if h != nil {
		b.byPhone[key] = h
	}
	return h, err
}

// load reads a thread, or finds the copy that another key has led to: there
// must be only one, or one would overwrite the other's changes.
func (b *batch) load(query, line, value string) (*thread, error) {
	var h thread
	found, err := b.t.found(query, []any{line, value}, h.fields()...)
	if err != nil || !found {
		return nil, err
	}
	if known := b.byID[h.id]; known != nil {
		return known, nil
	}
	b.byID[h.id] = &h
	return &h, nil
}
