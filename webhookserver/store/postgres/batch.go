package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// thread is the part of a conversation row that ingestion reads and writes.
type thread struct {
	record.Thread

	number string

	// storedPhone is the phone that the row has: it must be given up before
	// another thread can take it.
	storedPhone string
	// renamed says that more has changed than what each message changes, told
	// that what is known of who answers has.
	begun, dirty, renamed, told bool
}

func scanThread(row pgx.CollectableRow) (*thread, error) {
	var h thread
	err := row.Scan(&h.ID, &h.Line, &h.number, &h.BSUID, &h.Phone, &h.PhoneAt, &h.Name, &h.Username, &h.State, &h.LastSeq, &h.AnsweredSeq,
		&h.FirstUnansweredID, &h.FirstUnansweredAt, &h.ReplyDueAt, &h.LastUserAt, &h.PersonAt, &h.ResumedAt, &h.OtherAt, &h.FreeAt, &h.StandbyAt)
	h.storedPhone = h.Phone
	return &h, err
}

// lineKey is an identity within a line, messageKey a message within a number.
type (
	lineKey    struct{ line, value string }
	messageKey struct{ number, wamid string }
)

// newMessage is a message that is to be inserted.
type newMessage struct {
	*store.InboundMessage
	id, seq, eventAt int64
	thread           *thread
}

// storedMessage is what is known of a message that is stored, or about to be.
type storedMessage struct {
	id     int64
	source store.Source
	kind   string
	// pending is its place in batch.messages, -1 if it has a row.
	pending int
}

// batch is one attempt to apply items: everything that they touch is read and
// locked at once, changed in memory, and written at once. It is thrown away if
// the attempt fails.
type batch struct {
	t       *tx
	byID    map[int64]*thread
	byBSUID map[lineKey]*thread
	byPhone map[lineKey]*thread
	stored  map[messageKey]storedMessage
	// waitingTests are the lines with test messages that wait for their tester.
	waitingTests map[string]bool
	// threadIDs and messageIDs are allotted and not used yet.
	threadIDs, messageIDs []int64

	unions   map[lineKey]*thread
	messages []newMessage
	replaced []int64
	// dirty lists the threads to write, in the order of their first change.
	dirty   []*thread
	testers []*thread
	// echoes are new messages of which statuses may have come before.
	echoes  []messageKey
	traffic map[traffic]bool
}

func newBatch(t *tx) *batch {
	return &batch{
		t: t, byID: map[int64]*thread{}, byBSUID: map[lineKey]*thread{}, byPhone: map[lineKey]*thread{},
		stored: map[messageKey]storedMessage{}, waitingTests: map[string]bool{}, unions: map[lineKey]*thread{}, traffic: map[traffic]bool{},
	}
}

// applyThreads applies moves and messages.
func (t *tx) applyThreads(items []*record.Item) error {
	if !slices.ContainsFunc(items, (*record.Item).OfThread) {
		return nil
	}
	b := t.loaded
	if t.loaded = nil; b == nil {
		b = newBatch(t)
		q := &pgx.Batch{}
		b.queueLoad(q, items)
		if err := t.send(q); err != nil {
			return err
		}
	}
	for _, it := range items {
		var err error
		switch {
		case it.Move != nil:
			it.Outcome, err = record.OutcomeNew, b.moveIdentity(it.Move)
		case it.Handover != nil:
			it.Outcome, err = record.OutcomeNew, b.handOver(it.Handover)
		case it.Message != nil:
			it.Outcome, err = b.addMessage(it.Message)
		}
		if err != nil {
			return err
		}
	}
	if err := b.finish(); err != nil {
		return err
	}
	t.afterCommit = append(t.afterCommit, func() { b.remember(items) })
	for _, key := range b.echoes {
		if err := t.joinStatuses(key.number, key.wamid); err != nil {
			return err
		}
	}
	for _, h := range b.testers {
		if err := t.releaseTestMessages(h); err != nil {
			return err
		}
	}
	for of := range b.traffic {
		t.traffic = append(t.traffic, of)
	}
	return nil
}

func (b *batch) addMessage(m *store.InboundMessage) (record.Outcome, error) {
	eventAt := min(record.Millis(m.EventTime), b.t.now)
	if eventAt <= 0 {
		eventAt = b.t.now
	}
	h, err := b.resolve(m.Line, m.PhoneNumberID, m.From, eventAt)
	if err != nil {
		return 0, err
	}
	result := record.OutcomeNew
	key := messageKey{m.PhoneNumberID, m.WAMID}
	known, copied := b.stored[key]
	b.note(h, h.Noted(m.Source, known.source == store.SourceOutbox, eventAt))
	if copied {
		if !m.Replaces(known.source, known.kind) {
			return record.OutcomeDuplicate, nil
		}
		// The one that came by the better way takes the place of the other.
		result = record.OutcomeUpgraded
		if known.pending >= 0 {
			b.messages[known.pending].InboundMessage = nil
		} else {
			b.replaced = append(b.replaced, known.id)
		}
	}
	n := newMessage{InboundMessage: m, id: take(&b.messageIDs), eventAt: eventAt, thread: h}
	if m.ReplyWorthy {
		h.LastSeq++
		n.seq = h.LastSeq
		h.Await(n.id, b.t.now)
	}
	b.stored[key] = storedMessage{id: n.id, source: m.Source, kind: m.Type, pending: len(b.messages)}
	if m.Source == store.SourceEcho {
		b.echoes = append(b.echoes, key)
	}
	b.messages = append(b.messages, n)
	if m.OpensWindow {
		h.LastUserAt = max(h.LastUserAt, eventAt)
		if b.waitingTests[m.Line] && !slices.Contains(b.testers, h) {
			b.testers = append(b.testers, h)
		}
		h.Settle(b.t.now)
	}
	b.touch(h)
	switch m.Source {
	case store.SourceMessages:
		b.traffic[traffic{m.Line, received}] = true
	case store.SourceStandby:
		b.traffic[traffic{m.Line, standby}] = true
	default:
	}
	return result, nil
}

// handOver gives a customer's thread to another owner.
func (b *batch) handOver(o *store.Handover) error {
	at := min(record.Millis(o.EventTime), b.t.now)
	h, err := b.resolve(o.Line, o.PhoneNumberID, o.From, at)
	if err == nil {
		b.note(h, h.HandOver(o.Owner, at))
	}
	return err
}

// note marks the thread as one of which it has changed who answers.
func (b *batch) note(h *thread, changed bool) {
	if changed {
		h.told = true
		h.Settle(b.t.now)
		b.touch(h)
	}
}

// take removes the first one of the ids.
func take(ids *[]int64) int64 {
	id := (*ids)[0]
	*ids = (*ids)[1:]
	return id
}

// touch marks the thread as changed.
func (b *batch) touch(h *thread) {
	if !h.dirty {
		h.dirty = true
		b.dirty = append(b.dirty, h)
	}
}

// rename marks the thread as changed beyond what each message changes.
func (b *batch) rename(h *thread) {
	h.renamed = true
	b.touch(h)
}

// flush writes what has changed so far, in one round trip.
func (b *batch) flush() error {
	q := b.changes()
	if q.Len() == 0 {
		return nil
	}
	return b.t.send(q)
}

// finish writes what has changed, with the commit if nothing else follows. A
// message that gives way to its better copy is the exception: another replica
// may have removed it, and only we would notice.
func (b *batch) finish() error {
	if len(b.replaced) > 0 {
		return b.flush()
	}
	if q := b.changes(); q.Len() > 0 {
		b.t.tail = q
	}
	return nil
}

// changes are the statements that write what has changed so far: contacts, then
// conversations, then messages, each sorted by its unique key.
func (b *batch) changes() *pgx.Batch {
	q := &pgx.Batch{}
	b.queueIdentities(q)
	b.queueThreads(q)
	b.queueMessages(q)
	for _, h := range b.dirty {
		h.dirty, h.begun, h.renamed, h.told, h.storedPhone = false, false, false, false, h.Phone
	}
	for i := range b.messages {
		if m := &b.messages[i]; m.InboundMessage != nil {
			b.stored[messageKey{m.PhoneNumberID, m.WAMID}] = storedMessage{id: m.id, source: m.Source, kind: m.Type, pending: -1}
		}
	}
	b.dirty, b.messages, b.replaced = b.dirty[:0], b.messages[:0], b.replaced[:0]
	clear(b.unions)
	return q
}

// all refuses a statement that changed fewer rows than it was given: another
// replica was there first.
func all(n int) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return errRace
		}
		return nil
	}
}

func (b *batch) queueIdentities(q *pgx.Batch) {
	if len(b.unions) == 0 {
		return
	}
	keys := make([]lineKey, 0, len(b.unions))
	for key := range b.unions {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y lineKey) int { return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(x.value, y.value)) })
	lines, bsuids, ids := make([]string, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		lines[i], bsuids[i], ids[i] = key.line, key.value, b.unions[key].ID
	}
	q.Queue(`
		INSERT INTO identities (line, bsuid, conversation_id) SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[])`,
		lines, bsuids, ids)
}

// threadRows are the threads of threadArguments, as rows. Arrays that are
// unnested side by side in a list give a row for each place, and unlike those in
// FROM are not first copied to a table each.
const threadRows = `(
	SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS line, unnest($3::text[]) AS number, unnest($4::text[]) AS bsuid,
	       unnest($5::text[]) AS phone, unnest($6::bigint[]) AS phone_at, unnest($7::text[]) AS name, unnest($8::text[]) AS username,
	       unnest($9::text[]) AS state, unnest($10::bigint[]) AS last_seq, unnest($11::bigint[]) AS first_id,
	       unnest($12::bigint[]) AS first_at, unnest($13::bigint[]) AS due_at, unnest($14::bigint[]) AS user_at) u`

// queueThreads gives up phones before anybody takes them: the index is checked
// row by row.
func (b *batch) queueThreads(q *pgx.Batch) {
	var leaving []int64
	var bsuids []string
	var begun, renamed, changed []*thread
	for _, h := range b.dirty {
		if h.begun {
			begun = append(begun, h)
			continue
		}
		if h.renamed {
			renamed = append(renamed, h)
		} else {
			changed = append(changed, h)
		}
		if h.storedPhone != "" && h.storedPhone != h.Phone {
			leaving, bsuids = append(leaving, h.ID), append(bsuids, h.BSUID)
		}
	}
	if len(leaving) > 0 {
		q.Queue(`
			UPDATE conversations c SET phone = '', bsuid = u.bsuid FROM unnest($1::bigint[], $2::text[]) u (id, bsuid) WHERE c.id = u.id`,
			leaving, bsuids).Exec(all(len(leaving)))
	}
	if len(begun) > 0 {
		slices.SortFunc(begun, func(x, y *thread) int { return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Phone, y.Phone)) })
		q.Queue(`
			INSERT INTO conversations (id, line, phone_number_id, bsuid, phone, phone_at, name, username, state, last_seq,
			                           first_unanswered_id, first_unanswered_at, reply_due_at, last_user_at, created_at)
			SELECT *, $15::bigint FROM `+threadRows, append(threadArguments(begun), b.t.now)...).Exec(all(len(begun)))
	}
	if len(renamed) > 0 {
		q.Queue(`
			UPDATE conversations c SET bsuid = u.bsuid, phone = u.phone, phone_at = u.phone_at, name = u.name, username = u.username, state = u.state,
			       last_seq = u.last_seq, first_unanswered_id = u.first_id, first_unanswered_at = u.first_at, reply_due_at = u.due_at, last_user_at = u.user_at
			FROM `+threadRows+` WHERE c.id = u.id`, threadArguments(renamed)...).Exec(all(len(renamed)))
	}
	if len(changed) > 0 {
		q.Queue(`
			UPDATE conversations c SET phone_at = u.phone_at, last_seq = u.last_seq, first_unanswered_id = u.first_id,
			       first_unanswered_at = u.first_at, reply_due_at = u.due_at, last_user_at = u.user_at
			FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS phone_at, unnest($3::bigint[]) AS last_seq, unnest($4::bigint[]) AS first_id,
			             unnest($5::bigint[]) AS first_at, unnest($6::bigint[]) AS due_at, unnest($7::bigint[]) AS user_at) u
			WHERE c.id = u.id`, countsOf(changed)...).Exec(all(len(changed)))
	}
	for _, h := range b.dirty {
		if h.told {
			queueTold(q, h)
		}
	}
}

// queueTold writes what is known of who answers. If it is not us, whoever has
// the turn claimed loses it.
func queueTold(q *pgx.Batch, h *thread) {
	q.Queue(`UPDATE conversations SET person_at = $1, resumed_at = $2, other_at = $3, free_at = $4, standby_at = $5 WHERE id = $6`,
		h.PersonAt, h.ResumedAt, h.OtherAt, h.FreeAt, h.StandbyAt, h.ID).Exec(all(1))
	if h.Silent() {
		q.Queue(`UPDATE conversations SET owner = '', lease_until = 0, epoch = epoch + 1, attempts = 0 WHERE id = $1 AND lease_until > 0`, h.ID)
	}
}

// threadArguments are the threads column by column.
func threadArguments(threads []*thread) []any {
	n := len(threads)
	ids, phoneAts, lastSeqs, firstIDs := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	firstAts, dueAts, userAts := make([]int64, n), make([]int64, n), make([]int64, n)
	lines, numbers, bsuids, phones := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	names, usernames, states := make([]string, n), make([]string, n), make([]string, n)
	for i, h := range threads {
		ids[i], lines[i], numbers[i], bsuids[i], phones[i], phoneAts[i] = h.ID, h.Line, h.number, h.BSUID, h.Phone, h.PhoneAt
		names[i], usernames[i], states[i], lastSeqs[i] = h.Name, h.Username, string(h.State), h.LastSeq
		firstIDs[i], firstAts[i], dueAts[i], userAts[i] = h.FirstUnansweredID, h.FirstUnansweredAt, h.ReplyDueAt, h.LastUserAt
	}
	return []any{ids, lines, numbers, bsuids, phones, phoneAts, names, usernames, states, lastSeqs, firstIDs, firstAts, dueAts, userAts}
}

// countsOf are what each message changes of the threads, column by column.
func countsOf(threads []*thread) []any {
	n := len(threads)
	ids, phoneAts, lastSeqs, firstIDs := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	firstAts, dueAts, userAts := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, h := range threads {
		ids[i], phoneAts[i], lastSeqs[i], firstIDs[i] = h.ID, h.PhoneAt, h.LastSeq, h.FirstUnansweredID
		firstAts[i], dueAts[i], userAts[i] = h.FirstUnansweredAt, h.ReplyDueAt, h.LastUserAt
	}
	return []any{ids, phoneAts, lastSeqs, firstIDs, firstAts, dueAts, userAts}
}

// queueMessages has no clause for copies: those that are known were left out,
// and one that another replica has just stored is a lost race.
func (b *batch) queueMessages(q *pgx.Batch) {
	if len(b.replaced) > 0 {
		q.Queue(`DELETE FROM messages WHERE id = ANY ($1)`, b.replaced).Exec(all(len(b.replaced)))
	}
	pending := make([]*newMessage, 0, len(b.messages))
	for i := range b.messages {
		if b.messages[i].InboundMessage != nil {
			pending = append(pending, &b.messages[i])
		}
	}
	n := len(pending)
	if n == 0 {
		return
	}
	slices.SortFunc(pending, func(x, y *newMessage) int {
		return cmp.Or(cmp.Compare(x.PhoneNumberID, y.PhoneNumberID), cmp.Compare(x.WAMID, y.WAMID))
	})
	ids, threads, seqs, eventAts, raws := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([][]byte, n)
	numbers, wamids, authors, sources := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	types, texts, contexts, targets := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, m := range pending {
		ids[i], threads[i], seqs[i], eventAts[i], raws[i] = m.id, m.thread.ID, m.seq, m.eventAt, m.Raw
		numbers[i], wamids[i], authors[i], sources[i] = m.PhoneNumberID, m.WAMID, string(record.AuthorOf(m.InboundMessage)), string(m.Source)
		types[i], texts[i], contexts[i], targets[i] = m.Type, m.Text, m.ContextWAMID, m.TargetWAMID
	}
	q.Queue(`
		INSERT INTO messages (id, phone_number_id, wamid, conversation_id, author, source, type, text, context_wamid, target_wamid, seq, event_at, raw, received_at)
		SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[]), unnest($6::text[]),
		       unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]), unnest($11::bigint[]), unnest($12::bigint[]),
		       unnest($13::bytea[]), $14::bigint`,
		ids, numbers, wamids, threads, authors, sources, types, texts, contexts, targets, seqs, eventAts, raws, b.t.now)
	for _, m := range pending {
		if f := m.Media; f != nil {
			q.Queue(`
				INSERT INTO media (phone_number_id, wamid, line, media_id, mime_type, sha256, filename, voice, received_at, conversation_id, state)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
				ON CONFLICT (phone_number_id, wamid) DO UPDATE SET
				  media_id = excluded.media_id, mime_type = excluded.mime_type, sha256 = excluded.sha256, filename = excluded.filename, voice = excluded.voice,
				  received_at = excluded.received_at, conversation_id = excluded.conversation_id, state = excluded.state
				WHERE media.state = 'skipped'`,
				m.PhoneNumberID, m.WAMID, m.Line, f.ID, f.MIMEType, f.SHA256, f.Filename, f.Voice, b.t.now, m.thread.ID, string(record.MediaState(m.InboundMessage)))
		}
	}
}
