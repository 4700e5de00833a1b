package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// wanted are the keys of everything that items touch.
type wanted struct {
	bsuidLines, bsuids []string
	phoneLines, phones []string
	numbers, wamids    []string
	lines              []string
	// ids are of the conversations that the directory has.
	ids []int64
	// threads is how many may begin at most.
	threads int
	seen    map[string]bool
}

func (w *wanted) identity(line, bsuid, phone string) {
	if bsuid != "" && w.first("b", line, bsuid) {
		w.bsuidLines, w.bsuids = append(w.bsuidLines, line), append(w.bsuids, bsuid)
	}
	if phone != "" && w.first("p", line, phone) {
		w.phoneLines, w.phones = append(w.phoneLines, line), append(w.phones, phone)
	}
	w.threads++
}

func (w *wanted) first(kind, line, value string) bool {
	key := kind + "\x00" + line + "\x00" + value
	if w.seen[key] {
		return false
	}
	w.seen[key] = true
	return true
}

func (w *wanted) message(m *store.InboundMessage, known *record.Directory) {
	w.numbers, w.wamids = append(w.numbers, m.PhoneNumberID), append(w.wamids, m.WAMID)
	if len(w.lines) == 0 || w.lines[len(w.lines)-1] != m.Line { // they are sorted by number
		w.lines = append(w.lines, m.Line)
	}
	if id := known.Find(m.Line, m.From.BSUID); id == 0 {
		w.identity(m.Line, m.From.BSUID, m.From.Phone)
	} else if len(w.ids) == 0 || w.ids[len(w.ids)-1] != id {
		w.ids = append(w.ids, id)
	}
}

func wantedBy(items []*record.Item, known *record.Directory) wanted {
	w := wanted{seen: map[string]bool{}}
	for _, it := range items {
		switch {
		case it.Move != nil:
			w.identity(it.Move.Line, it.Move.BSUID, it.Move.Phone)
			w.identity(it.Move.Line, it.Move.PreviousBSUID, "")
		case it.Handover != nil:
			w.identity(it.Handover.Line, it.Handover.From.BSUID, it.Handover.From.Phone)
		case it.Message != nil:
			w.message(it.Message, known)
		}
	}
	return w
}

// The queries of load. The first one locks the conversations by id; those that
// follow see what whoever held them before has committed.
const (
	lockThreads = `
		SELECT id, line, phone_number_id, bsuid, phone, phone_at, name, username, state, last_seq, answered_seq,
		       first_unanswered_id, first_unanswered_at, reply_due_at, last_user_at, person_at, resumed_at, other_at, free_at, standby_at
		FROM conversations WHERE id IN (
		  SELECT unnest($5::bigint[])
		  UNION
		  SELECT i.conversation_id FROM (SELECT unnest($1::text[]) AS line, unnest($2::text[]) AS bsuid) k JOIN identities i ON i.line = k.line AND i.bsuid = k.bsuid
		  UNION
		  SELECT c.id FROM (SELECT unnest($3::text[]) AS line, unnest($4::text[]) AS phone) k JOIN conversations c ON c.line = k.line AND c.phone = k.phone AND c.phone <> '')
		ORDER BY id FOR UPDATE`
	threadsOfBSUIDs = `
		SELECT i.line, i.bsuid, i.conversation_id FROM (SELECT unnest($1::text[]) AS line, unnest($2::text[]) AS bsuid) k JOIN identities i ON i.line = k.line AND i.bsuid = k.bsuid`
	storedCopies = `
		SELECT m.phone_number_id, m.wamid, m.id, m.source, m.type FROM (SELECT unnest($1::text[]) AS number, unnest($2::text[]) AS wamid) k
		JOIN messages m ON m.phone_number_id = k.number AND m.wamid = k.wamid`
)

// queueLoad reads and locks all that the items touch. What other replicas begin
// afterwards, the changes run into.
func (b *batch) queueLoad(q *pgx.Batch, items []*record.Item) {
	w := wantedBy(items, &b.t.lane.directory)
	if w.threads+len(w.ids) == 0 {
		return
	}
	q.Queue(lockThreads, w.bsuidLines, w.bsuids, w.phoneLines, w.phones, w.ids).Query(func(rows pgx.Rows) error { return b.readThreads(rows, items) })
	if len(w.bsuids) > 0 {
		q.Queue(threadsOfBSUIDs, w.bsuidLines, w.bsuids).Query(b.readBSUIDs)
	}
	q.Queue(storedCopies, w.numbers, w.wamids).Query(b.readCopies)
	q.Queue(`SELECT DISTINCT line FROM test_messages WHERE state = 'Waiting' AND line = ANY ($1)`, w.lines).Query(b.readWaitingTests)
	// Drawn under the locks, so that ids rise within a conversation.
	q.Queue(`SELECT ARRAY (SELECT nextval('messages_id_seq') FROM generate_series(1, $1)), ARRAY (SELECT nextval('conversations_id_seq') FROM generate_series(1, $2))`,
		len(w.wamids), w.threads).QueryRow(func(row pgx.Row) error { return row.Scan(&b.messageIDs, &b.threadIDs) })
}

func (b *batch) readThreads(rows pgx.Rows, items []*record.Item) error {
	threads, err := pgx.CollectRows(rows, scanThread)
	for _, h := range threads {
		b.byID[h.ID] = h
		if h.Phone != "" {
			b.byPhone[lineKey{h.Line, h.Phone}] = h
		}
	}
	if err != nil {
		return err
	}
	return b.confirm(items)
}

// confirm holds the directory against the rows, which are locked now. Whom it
// was wrong about is looked up in the next attempt.
func (b *batch) confirm(items []*record.Item) (err error) {
	known := &b.t.lane.directory
	for _, it := range items {
		m := it.Message
		if m == nil {
			continue
		}
		id := known.Find(m.Line, m.From.BSUID)
		if id == 0 {
			continue
		}
		if h := b.byID[id]; h != nil && h.Confirmed(m.Line, m.From.BSUID, m.From.Phone) {
			b.byBSUID[lineKey{m.Line, m.From.BSUID}] = h
		} else {
			known.Drop(m.Line, m.From.BSUID)
			err = errRace
		}
	}
	return err
}

// remember notes in the directory whose threads the messages have led to. Not
// before the commit: the directory must not learn what is undone.
func (b *batch) remember(items []*record.Item) {
	for _, it := range items {
		if m := it.Message; m != nil {
			if h := b.byBSUID[lineKey{m.Line, m.From.BSUID}]; h != nil {
				b.t.lane.directory.Keep(m.Line, m.From.BSUID, m.From.Phone, &h.Thread)
			}
		}
	}
}

func (b *batch) readBSUIDs(rows pgx.Rows) error {
	var key lineKey
	var id int64
	_, err := pgx.ForEachRow(rows, []any{&key.line, &key.value, &id}, func() error {
		h := b.byID[id]
		if h == nil {
			return errRace // begun or merged while the locks were waited for
		}
		b.byBSUID[key] = h
		return nil
	})
	return err
}

func (b *batch) readCopies(rows pgx.Rows) error {
	var key messageKey
	known := storedMessage{pending: -1}
	_, err := pgx.ForEachRow(rows, []any{&key.number, &key.wamid, &known.id, &known.source, &known.kind}, func() error {
		b.stored[key] = known
		return nil
	})
	return err
}

func (b *batch) readWaitingTests(rows pgx.Rows) error {
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, line := range lines {
		b.waitingTests[line] = true
	}
	return err
}

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
	// A name counts only if it is as new as what we know.
	if h.TakeNames(id, at) {
		b.rename(h)
	}
	return h, nil
}

// find looks a customer up by BSUID, else by phone. A thread known by its phone
// alone is adopted by the first BSUID that comes with it.
func (b *batch) find(line, number string, id store.Identity, at int64) (*thread, error) {
	if id.BSUID == "" {
		if id.Phone == "" {
			return nil, fmt.Errorf("%w: a customer without any id", store.ErrInvalid)
		}
		if h := b.byPhone[lineKey{line, id.Phone}]; h != nil {
			return h, nil
		}
		return b.begin(line, number, "", id.Phone, at), nil
	}
	if h := b.byBSUID[lineKey{line, id.BSUID}]; h != nil {
		return h, nil
	}
	if known := b.byPhone[lineKey{line, id.Phone}]; id.Phone != "" && known != nil && known.BSUID == "" {
		b.adopt(known, id.BSUID)
		return known, nil
	}
	return b.begin(line, number, id.BSUID, "", at), nil
}

// begin makes a new thread.
func (b *batch) begin(line, number, bsuid, phone string, at int64) *thread {
	h := &thread{
		Thread: record.Thread{ID: take(&b.threadIDs), Line: line, Phone: phone, State: store.ConversationActive},
		number: number, begun: true,
	}
	b.byID[h.ID] = h
	if phone != "" {
		h.PhoneAt = at
		b.byPhone[lineKey{line, phone}] = h
	}
	b.touch(h)
	if bsuid != "" {
		b.adopt(h, bsuid)
	}
	return h
}

// adopt gives the thread a BSUID, which is the one to send to from now on.
func (b *batch) adopt(h *thread, bsuid string) {
	h.BSUID = bsuid
	b.rename(h)
	b.addBSUID(h, bsuid)
}

func (b *batch) addBSUID(h *thread, bsuid string) {
	key := lineKey{h.Line, bsuid}
	b.byBSUID[key], b.unions[key] = h, h
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
	key := lineKey{h.Line, phone}
	holder := b.byPhone[key]
	if holder != nil && holder.BSUID == "" {
		if err := b.merge(holder, h); err != nil {
			return nil, err
		}
		holder = nil
	}
	if at < h.PhoneAt || holder != nil && at <= holder.PhoneAt {
		return h, nil
	}
	if holder != nil {
		holder.Phone = ""
		b.rename(holder)
	}
	delete(b.byPhone, lineKey{h.Line, h.Phone})
	h.Phone, h.PhoneAt = phone, at
	b.byPhone[key] = h
	b.rename(h)
	return h, nil
}

// moveIdentity joins two BSUIDs of one person for good.
func (b *batch) moveIdentity(m *store.IdentityMove) error {
	if m.BSUID == "" || m.PreviousBSUID == "" {
		return fmt.Errorf("%w: a change of identity lacks an id", store.ErrInvalid)
	}
	at := min(record.Millis(m.EventTime), b.t.now)
	old, h := b.byBSUID[lineKey{m.Line, m.PreviousBSUID}], b.byBSUID[lineKey{m.Line, m.BSUID}]
	switch {
	case old == nil && h == nil:
		h = b.begin(m.Line, m.PhoneNumberID, m.BSUID, "", at)
		b.addBSUID(h, m.PreviousBSUID)
	case old == nil:
		b.addBSUID(h, m.PreviousBSUID)
	case h == nil:
		h = old
		b.adopt(h, m.BSUID)
	case old != h:
		if err := b.merge(old, h); err != nil {
			return err
		}
	}
	if m.Phone == "" {
		return nil
	}
	// The message that tells of the change is of the same second and may name the old phone.
	_, err := b.setPhone(h, m.Phone, at+1)
	return err
}

// merge moves everything of one thread to another and removes the first. What
// is unanswered in both stays unanswered; a turn that somebody has claimed on
// the first is lost with its row.
func (b *batch) merge(from, into *thread) error {
	if err := b.flush(); err != nil {
		return err
	}
	// The answered messages lose their number, the others follow the target's.
	shift := into.LastSeq - from.AnsweredSeq
	q := &pgx.Batch{}
	q.Queue(`UPDATE messages SET conversation_id = $1, seq = CASE WHEN seq > $2 THEN seq + $3 ELSE 0 END WHERE conversation_id = $4`,
		into.ID, from.AnsweredSeq, shift, from.ID)
	q.Queue(`UPDATE outbox SET conversation_id = $1 WHERE conversation_id = $2`, into.ID, from.ID)
	q.Queue(`UPDATE media SET conversation_id = $1 WHERE conversation_id = $2 AND state IN ('pending', 'fetching')`, into.ID, from.ID)
	q.Queue(`UPDATE orders SET conversation_id = $1 WHERE conversation_id = $2`, into.ID, from.ID)
	q.Queue(`UPDATE tool_calls SET conversation_id = $1 WHERE conversation_id = $2`, into.ID, from.ID)
	q.Queue(`UPDATE identities SET conversation_id = $1 WHERE conversation_id = $2`, into.ID, from.ID)
	// What Absorb does not know of: why it waits for a person and since when, and what limits are counted by.
	q.Queue(`
		UPDATE conversations c SET discarded_through = 0,
		       waiting_reason = CASE c.waiting_reason WHEN '' THEN f.waiting_reason ELSE c.waiting_reason END, waiting_at = greatest(c.waiting_at, f.waiting_at),
		       skipped_reason = CASE c.skipped_reason WHEN '' THEN f.skipped_reason ELSE c.skipped_reason END,
		       ai_until = greatest(c.ai_until, f.ai_until), pair_next_at = greatest(c.pair_next_at, f.pair_next_at),
		       rate_hour = greatest(c.rate_hour, f.rate_hour),
		       rate_count = CASE WHEN c.rate_hour >= f.rate_hour THEN c.rate_count ELSE 0 END + CASE WHEN f.rate_hour >= c.rate_hour THEN f.rate_count ELSE 0 END
		FROM conversations f WHERE c.id = $1 AND f.id = $2`, into.ID, from.ID)
	q.Queue(`DELETE FROM conversations WHERE id = $1`, from.ID)
	if err := b.t.send(q); err != nil {
		return err
	}
	into.Absorb(&from.Thread, b.t.now)
	into.told = true
	b.rename(into)
	delete(b.byID, from.ID)
	b.redirect(from, into)
	return nil
}

// redirect makes every key that led to one thread lead to another.
func (b *batch) redirect(from, into *thread) {
	for key, h := range b.byBSUID {
		if h == from {
			b.byBSUID[key] = into
		}
	}
	for key, h := range b.byPhone {
		if h == from || h == into {
			delete(b.byPhone, key)
		}
	}
	if into.Phone != "" {
		b.byPhone[lineKey{into.Line, into.Phone}] = into
	}
	for i, h := range b.testers {
		if h == from {
			b.testers[i] = into
		}
	}
}
