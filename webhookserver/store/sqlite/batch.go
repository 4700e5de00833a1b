package sqlite

import (
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// thread is the part of a conversation row that ingestion reads and writes.
type thread struct {
	record.Thread
	reach

	// number is set in a thread that has begun, and has no row yet.
	number string
	begun  bool
	// storedDueAt is the row's reply_due_at, which has an index, and storedFirst
	// its first_message_id, which hardly ever changes.
	storedDueAt, storedFirst int64
	// told says that what is known of who answers has changed.
	dirty, told bool
}

const threadColumns = `c.id, c.line, c.bsuid, c.phone, c.phone_at, c.name, c.username, c.state, c.last_seq, c.answered_seq,
	c.first_unanswered_id, c.first_unanswered_at, c.reply_due_at, c.last_user_at, c.person_at, c.resumed_at, c.other_at, c.free_at, c.standby_at, c.first_message_id, c.last_message_id`

func (h *thread) fields() []any {
	return []any{
		&h.ID, &h.Line, &h.BSUID, &h.Phone, &h.PhoneAt, &h.Name, &h.Username, &h.State, &h.LastSeq, &h.AnsweredSeq,
		&h.FirstUnansweredID, &h.FirstUnansweredAt, &h.ReplyDueAt, &h.LastUserAt,
		&h.PersonAt, &h.ResumedAt, &h.OtherAt, &h.FreeAt, &h.StandbyAt,
		&h.first, &h.last,
	}
}

// lineKey is an identity within a line.
type lineKey struct{ line, value string }

// traffic is that a line receives something by some way.
type traffic struct {
	line string
	way  store.Source
}

// batch is one attempt to apply items: the conversations that it has loaded,
// each read once and written once. It is thrown away if the attempt fails.
type batch struct {
	t       *tx
	byID    map[int64]*thread
	byBSUID map[lineKey]*thread
	byPhone map[lineKey]*thread
	traffic map[traffic]bool
	// lastID is that of the last thread that began, 0 if none did.
	lastID int64
	// dirty lists the threads to write, in the order of their first change.
	dirty []*thread
	// testers lists the threads whose customer may be awaited by a test message.
	testers []*thread
}

func newBatch(t *tx) *batch {
	return &batch{
		t:    t,
		byID: map[int64]*thread{}, byBSUID: map[lineKey]*thread{}, byPhone: map[lineKey]*thread{},
		traffic: map[traffic]bool{},
	}
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
	var seq int64
	if m.ReplyWorthy {
		seq = h.LastSeq + 1
	}
	result := record.OutcomeNew
	id, err := b.t.insertInbound(m, h.ID, seq, eventAt)
	if err == nil && id == 0 {
		var ours bool
		result, id, ours, err = b.t.meetCopy(m, h.ID, seq, eventAt)
		b.note(h, h.Noted(m.Source, ours, eventAt))
	} else {
		b.note(h, h.Noted(m.Source, false, eventAt))
	}
	if err == nil && id != 0 && m.Source == store.SourceEcho {
		err = b.t.joinStatuses(m.PhoneNumberID, m.WAMID)
	}
	if err != nil || id == 0 {
		return result, err
	}
	h.extend(reach{id, id})
	if seq > 0 {
		h.LastSeq = seq
		h.Await(id, b.t.now)
	}
	if m.OpensWindow {
		h.LastUserAt = max(h.LastUserAt, eventAt)
		if b.t.w.waitingTests[m.Line] {
			b.testers = append(b.testers, h)
		}
		h.Settle(b.t.now)
	}
	b.touch(h)
	return result, b.noteTraffic(m)
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

func (t *tx) insertInbound(m *store.InboundMessage, conversation, seq, eventAt int64) (int64, error) {
	id, err := t.insert(`
		INSERT INTO messages (phone_number_id, wamid, conversation_id, author, source, type, text, context_wamid, target_wamid, seq, event_at, received_at, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (phone_number_id, wamid) DO NOTHING`,
		m.PhoneNumberID, m.WAMID, conversation, string(record.AuthorOf(m)), string(m.Source), m.Type, m.Text, m.ContextWAMID, m.TargetWAMID, seq, eventAt, t.now, m.Raw)
	if err != nil || id == 0 || m.Media == nil {
		return id, err
	}
	_, err = t.exec(`
		INSERT INTO media (phone_number_id, wamid, line, media_id, mime_type, sha256, filename, voice, received_at, conversation_id, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (phone_number_id, wamid) DO UPDATE SET
		  media_id = excluded.media_id, mime_type = excluded.mime_type, sha256 = excluded.sha256, filename = excluded.filename, voice = excluded.voice,
		  received_at = excluded.received_at, conversation_id = excluded.conversation_id, state = excluded.state
		WHERE media.state = 'skipped'`,
		m.PhoneNumberID, m.WAMID, m.Line, m.Media.ID, m.Media.MIMEType, m.Media.SHA256, m.Media.Filename, m.Media.Voice, t.now, conversation, string(record.MediaState(m)))
	return id, err
}

// meetCopy decides between m and the copy of it that is stored: m takes its
// place if it came by a better way. It returns the id of m's row, 0 if the copy
// stays, and whether that is a message of ours.
func (t *tx) meetCopy(m *store.InboundMessage, conversation, seq, eventAt int64) (result record.Outcome, id int64, ours bool, err error) {
	var stored int64
	var source store.Source
	var kind string
	err = t.row(`SELECT id, source, type FROM messages WHERE phone_number_id = ? AND wamid = ?`, []any{m.PhoneNumberID, m.WAMID}, &stored, &source, &kind)
	if err != nil || !m.Replaces(source, kind) {
		return record.OutcomeDuplicate, 0, source == store.SourceOutbox, err
	}
	if _, err := t.exec(`DELETE FROM messages WHERE id = ?`, stored); err != nil {
		return 0, 0, false, err
	}
	if id, err = t.insertInbound(m, conversation, seq, eventAt); err == nil {
		err = t.spare(conversation, id)
	}
	return record.OutcomeUpgraded, id, false, err
}

// tell writes what is known of who answers. If it is not us, whoever has the
// turn claimed loses it.
func (t *tx) tell(h *record.Thread) error {
	_, err := t.exec(`UPDATE conversations SET person_at = ?, resumed_at = ?, other_at = ?, free_at = ?, standby_at = ? WHERE id = ?`,
		h.PersonAt, h.ResumedAt, h.OtherAt, h.FreeAt, h.StandbyAt, h.ID)
	if err != nil || !h.Silent() {
		return err
	}
	_, err = t.exec(`UPDATE conversations SET owner = '', lease_until = 0, epoch = epoch + 1, attempts = 0 WHERE id = ? AND lease_until > 0`, h.ID)
	return err
}

// touch marks the thread as changed.
func (b *batch) touch(h *thread) {
	if !h.dirty {
		h.dirty = true
		b.dirty = append(b.dirty, h)
	}
}

// flush writes the changed threads, then the test messages that they allow.
func (b *batch) flush() error {
	for _, h := range b.dirty {
		if err := b.t.writeThread(h); err != nil {
			return err
		}
		if h.told {
			if err := b.t.tell(&h.Thread); err != nil {
				return err
			}
		}
		h.begun, h.dirty, h.told = false, false, false
		h.stored()
		b.t.w.threads.keep(h)
	}
	b.dirty = b.dirty[:0]
	for _, h := range b.testers {
		if err := b.t.releaseTestMessages(h); err != nil {
			return err
		}
	}
	b.testers = b.testers[:0]
	return nil
}

// stored notes that the row is as the thread.
func (h *thread) stored() { h.storedDueAt, h.storedFirst = h.ReplyDueAt, h.first }

// writeThread writes what a message changes of a thread, or all of one that has
// begun.
func (t *tx) writeThread(h *thread) error {
	if !h.begun && h.ReplyDueAt == h.storedDueAt && h.first == h.storedFirst {
		// SQLite rewrites the index of a column that is set, be it to what it was.
		_, err := t.exec(`
			UPDATE conversations SET phone_at = ?, last_seq = ?, first_unanswered_id = ?, first_unanswered_at = ?, last_user_at = ?,
			       last_message_id = max(last_message_id, ?) WHERE id = ?`,
			h.PhoneAt, h.LastSeq, h.FirstUnansweredID, h.FirstUnansweredAt, h.LastUserAt, h.last, h.ID)
		return err
	}
	if !h.begun {
		_, err := t.exec(`
			UPDATE conversations SET phone_at = ?, last_seq = ?, first_unanswered_id = ?, first_unanswered_at = ?, reply_due_at = ?, last_user_at = ?,
			       first_message_id = min(first_message_id, ?), last_message_id = max(last_message_id, ?) WHERE id = ?`,
			h.PhoneAt, h.LastSeq, h.FirstUnansweredID, h.FirstUnansweredAt, h.ReplyDueAt, h.LastUserAt, h.first, h.last, h.ID)
		return err
	}
	_, err := t.exec(`
		INSERT INTO conversations (id, line, phone_number_id, bsuid, phone, phone_at, name, username, last_seq,
		                           first_unanswered_id, first_unanswered_at, reply_due_at, last_user_at, first_message_id, last_message_id, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		h.ID, h.Line, h.number, h.BSUID, h.Phone, h.PhoneAt, h.Name, h.Username, h.LastSeq,
		h.FirstUnansweredID, h.FirstUnansweredAt, h.ReplyDueAt, h.LastUserAt, h.first, h.last, t.now)
	return err
}

// noteTraffic reports, once per line, way and hour, that messages come in.
func (b *batch) noteTraffic(m *store.InboundMessage) error {
	of := traffic{m.Line, m.Source}
	hour := b.t.hour()
	if m.Source == store.SourceEcho || m.Source == store.SourceHistory || b.traffic[of] || b.t.w.trafficHour[of] >= hour {
		return nil
	}
	b.traffic[of] = true
	w := b.t.w
	b.t.afterCommit = append(b.t.afterCommit, func() { w.trafficHour[of] = hour })
	if m.Source == store.SourceStandby {
		return b.t.noteStandby(m.Line, hour)
	}
	return b.t.reportTraffic(m.Line, hour)
}
