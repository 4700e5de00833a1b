package sqlite

import (
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
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
	if h.TakeNames(id, at) {
		err = b.change(h, `UPDATE conversations SET name = ?, username = ? WHERE id = ?`, h.Name, h.Username, h.ID)
	}
	return h, err
}

// change writes a member of a thread at once, unless the thread itself is yet
// to be written.
func (b *batch) change(h *thread, update string, args ...any) error {
	if h.begun {
		return nil
	}
	_, err := b.t.exec(update, args...)
	return err
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
		if known != nil && known.BSUID == "" {
			return known, b.adopt(known, id.BSUID)
		}
	}
	return b.begin(line, number, id.BSUID, "", at)
}

// begin makes a new thread. It becomes a row with the flush, once all is known
// of it.
func (b *batch) begin(line, number, bsuid, phone string, at int64) (*thread, error) {
	if b.lastID == 0 {
		// Nobody else writes, so the next ids are ours. None is given twice.
		if err := b.t.row(`SELECT max(last, coalesce((SELECT max(id) FROM conversations), 0)) FROM gone_conversations WHERE id = 1`, nil, &b.lastID); err != nil {
			return nil, err
		}
	}
	b.lastID++
	h := &thread{
		Thread: record.Thread{ID: b.lastID, Line: line, BSUID: bsuid, Phone: phone, State: store.ConversationActive},
		reach:  unreached,
		number: number, begun: true,
	}
	b.byID[h.ID] = h
	b.touch(h)
	if phone != "" {
		h.PhoneAt = at
		b.byPhone[lineKey{line, phone}] = h
	}
	if bsuid != "" {
		return h, b.addBSUID(h, bsuid)
	}
	return h, nil
}

// adopt gives the thread a BSUID, which is the one to send to from now on.
func (b *batch) adopt(h *thread, bsuid string) error {
	h.BSUID = bsuid
	if err := b.change(h, `UPDATE conversations SET bsuid = ? WHERE id = ?`, bsuid, h.ID); err != nil {
		return err
	}
	return b.addBSUID(h, bsuid)
}

func (b *batch) addBSUID(h *thread, bsuid string) error {
	b.byBSUID[lineKey{h.Line, bsuid}] = h
	_, err := b.t.exec(`INSERT INTO identities (line, bsuid, conversation_id) VALUES (?, ?, ?)`, h.Line, bsuid, h.ID)
	return err
}

// setPhone gives the thread the phone, unless a later event gave it to somebody
// else. It never joins two BSUIDs: phones change hands. A thread that is known
// by this phone alone is the same customer, though, and is merged. It returns
// the thread to go on with.
func (b *batch) setPhone(h *thread, phone string, at int64) (*thread, error) {
	if h.Phone == phone {
		if at > h.PhoneAt {
			h.PhoneAt = at
			b.touch(h)
		}
		return h, nil
	}
	holder, err := b.loadByPhone(h.Line, phone)
	if err != nil {
		return nil, err
	}
	if holder != nil && holder.BSUID == "" {
		if h, err = b.merge(holder, h); err != nil {
			return nil, err
		}
		holder = nil
	}
	if at < h.PhoneAt || holder != nil && at <= holder.PhoneAt {
		return h, nil
	}
	if holder != nil {
		holder.Phone = ""
		if err := b.change(holder, `UPDATE conversations SET phone = '' WHERE id = ?`, holder.ID); err != nil {
			return nil, err
		}
	}
	delete(b.byPhone, lineKey{h.Line, h.Phone})
	h.Phone, h.PhoneAt = phone, at
	b.byPhone[lineKey{h.Line, phone}] = h
	return h, b.change(h, `UPDATE conversations SET phone = ?, phone_at = ? WHERE id = ?`, phone, at, h.ID)
}

// moveIdentity joins two BSUIDs of one person for good.
func (b *batch) moveIdentity(m *store.IdentityMove) error {
	if m.BSUID == "" || m.PreviousBSUID == "" {
		return fmt.Errorf("%w: a change of identity lacks an id", store.ErrInvalid)
	}
	at := min(record.Millis(m.EventTime), b.t.now)
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
		// The message that tells of the change is of the same second and may name the old phone.
		_, err = b.setPhone(h, m.Phone, at+1)
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
	shift := into.LastSeq - from.AnsweredSeq
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`UPDATE messages SET seq = CASE WHEN seq > ?2 THEN seq + ?3 ELSE 0 END WHERE seq > 0 AND id IN (` + allMessages + `)`,
			[]any{from.ID, from.AnsweredSeq, shift}},
		{`UPDATE messages SET conversation_id = ?2 WHERE id IN (` + allMessages + `)`, []any{from.ID, into.ID}},
		{`UPDATE outbox SET conversation_id = ? WHERE conversation_id = ?`, []any{into.ID, from.ID}},
		{`UPDATE media SET conversation_id = ? WHERE conversation_id = ? AND state IN ('pending', 'fetching')`, []any{into.ID, from.ID}},
		{`UPDATE orders SET conversation_id = ? WHERE conversation_id = ?`, []any{into.ID, from.ID}},
		{`UPDATE tool_calls SET conversation_id = ? WHERE conversation_id = ?`, []any{into.ID, from.ID}},
		{`UPDATE identities SET conversation_id = ? WHERE conversation_id = ?`, []any{into.ID, from.ID}},
		// What Absorb does not know of: why it waits for a person and since when, and what limits are counted by.
		{`UPDATE conversations AS c SET discarded_through = 0,
		       waiting_reason = CASE c.waiting_reason WHEN '' THEN f.waiting_reason ELSE c.waiting_reason END, waiting_at = max(c.waiting_at, f.waiting_at),
		       skipped_reason = CASE c.skipped_reason WHEN '' THEN f.skipped_reason ELSE c.skipped_reason END,
		       ai_until = max(c.ai_until, f.ai_until), pair_next_at = max(c.pair_next_at, f.pair_next_at),
		       rate_hour = max(c.rate_hour, f.rate_hour),
		       rate_count = CASE WHEN c.rate_hour >= f.rate_hour THEN c.rate_count ELSE 0 END + CASE WHEN f.rate_hour >= c.rate_hour THEN f.rate_count ELSE 0 END
		  FROM conversations AS f WHERE c.id = ? AND f.id = ?`, []any{into.ID, from.ID}},
		{`DELETE FROM conversations WHERE id = ?`, []any{from.ID}},
	} {
		if _, err := b.t.exec(step.query, step.args...); err != nil {
			return nil, err
		}
	}
	into.Absorb(&from.Thread, b.t.now)
	into.extend(from.reach)
	_, err := b.t.exec(`UPDATE conversations SET state = ?, phone = ? WHERE id = ?`, string(into.State), into.Phone, into.ID)
	if err != nil {
		return nil, err
	}
	into.dirty, into.told = false, true
	b.touch(into)
	if err := b.flush(); err != nil {
		return nil, err
	}
	// Every key that led to the removed thread is read afresh.
	delete(b.byID, from.ID)
	clear(b.byBSUID)
	clear(b.byPhone)
	return into, nil
}
