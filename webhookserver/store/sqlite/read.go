package sqlite

import (
	"context"
	"database/sql"
	"math"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// list reads rows from what is committed, without waiting for the writer.
func list[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	stmt, err := s.prepared(ctx, query) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, cmpErr(ctx.Err(), classify(err))
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, cmpErr(ctx.Err(), classify(err))
	}
	var out []T
	err = drain(rows, func(rows *sql.Rows) error {
		v, err := scan(rows)
		if err == nil {
			out = append(out, v)
		}
		return err
	})
	if err != nil {
		return nil, cmpErr(ctx.Err(), classify(err))
	}
	return out, nil
}

// prepared keeps each query compiled: that takes longer than most of them run.
// All of them are constants, so there are not many.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, ok := s.queries.Load(query); ok {
		return known.(*sql.Stmt), nil //nolint:forcetypeassert // nothing else is put there
	}
	stmt, err := s.reader.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	known, raced := s.queries.LoadOrStore(query, stmt)
	if raced {
		err = stmt.Close() //nolint:sqlclosecheck // the other one is kept
	}
	return known.(*sql.Stmt), err //nolint:forcetypeassert // nothing else is put there
}

// told selects the text of the newest message of a type about m that a condition
// (a constant) holds for.
func told(kind, condition string) string {
	return `(SELECT t.text FROM messages t WHERE t.phone_number_id = m.phone_number_id AND t.target_wamid = m.wamid AND t.target_wamid <> ''
	           AND t.conversation_id = m.conversation_id AND t.type = '` + kind + `' AND ` + condition + ` ORDER BY t.event_at DESC, t.wamid DESC LIMIT 1)`
}

// sameSide holds for what the author's side wrote about m.
const sameSide = `(t.author = 'customer') = (m.author = 'customer')`

// messagesQuery selects messages m as they are shown.
var messagesQuery = `
	SELECT m.id, c.line, m.phone_number_id, m.conversation_id, coalesce(m.wamid, ''), m.author, m.source, m.type, m.text, m.context_wamid,
	       m.seq, m.event_at, m.received_at, m.status, m.outbox_id, m.raw,
	       ` + told("edit", sameSide) + `, ` + told("revoke", sameSide) + `,
	       coalesce(` + told("reaction", `t.author = 'customer'`) + `, ''), coalesce(` + told("reaction", `t.author <> 'customer'`) + `, ''),
	       f.media_id, f.mime_type, f.sha256, f.filename, f.voice, f.state, f.reason, f.blob_key, f.size
	FROM messages m JOIN conversations c ON c.id = m.conversation_id
	LEFT JOIN media f ON f.phone_number_id = m.phone_number_id AND f.wamid = m.wamid `

// messages reads messages; where begins with WHERE and uses m and c.
func (s *Store) messages(ctx context.Context, where string, args ...any) ([]store.Message, error) {
	return list(ctx, s, func(rows *sql.Rows) (m store.Message, err error) {
		var eventAt, receivedAt int64
		var shown record.Shown
		err = rows.Scan(&m.ID, &m.Line, &m.PhoneNumberID, &m.ConversationID, &m.WAMID, &m.Author, &m.Source, &m.Type, &m.Text, &m.ContextWAMID,
			&m.Seq, &eventAt, &receivedAt, &m.Status, &m.OutboxID, &m.Raw,
			&shown.Edit, &shown.Revocation, &m.CustomerReaction, &m.BusinessReaction,
			&shown.MediaID, &shown.MIMEType, &shown.SHA256, &shown.Filename, &shown.Voice, &shown.State, &shown.Reason, &shown.BlobKey, &shown.Size)
		m.EventTime, m.ReceivedAt = record.Instant(eventAt), record.Instant(receivedAt)
		shown.Apply(&m)
		return m, err
	}, messagesQuery+where, args...)
}

// Messages implements store.Reader.
func (s *Store) Messages(ctx context.Context, line string, conversation, before int64, limit int) ([]store.Message, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	return s.messages(ctx, `
		WHERE c.line = ?3 AND m.id IN (`+pageBefore+`) ORDER BY m.id`,
		conversation, limit, line, before)
}

// pageBefore is of messages before ?4.
var pageBefore = newestMessages(`c.first_message_id`, `min(c.last_message_id, ?4 - 1)`, `m.target_wamid = ''`)

// Conversations implements store.Reader.
func (s *Store) Conversations(ctx context.Context, line string, after int64, limit int) ([]store.Conversation, error) {
	return list(ctx, s, func(rows *sql.Rows) (c store.Conversation, err error) {
		var dueAt, lastUserAt, personAt int64
		err = rows.Scan(&c.ID, &c.Line, &c.PhoneNumberID, &c.Contact.BSUID, &c.Contact.Phone, &c.Contact.Name, &c.Contact.Username,
			&c.Contact.SavedName, &c.State, &c.WaitingReason, &c.SkippedReason, &c.LastSeq, &c.AnsweredSeq, &dueAt, &lastUserAt, &personAt, &c.OwnedElsewhere)
		c.ReplyDueAt, c.LastUserMessageAt, c.LastPersonMessageAt = record.Instant(dueAt), record.Instant(lastUserAt), record.Instant(personAt)
		return c, err
	}, `SELECT id, line, phone_number_id, bsuid, phone, name, username,
		       coalesce((SELECT s.name FROM saved_contacts s WHERE s.line = c.line AND s.phone = c.phone), ''), iif(`+personAnswers+`, 'Human', state), waiting_reason, skipped_reason,
		       last_seq, answered_seq, reply_due_at, last_user_at, person_at, `+ownedElsewhere+`
		FROM conversations c WHERE line = ? AND id > ? ORDER BY id LIMIT +?`, line, after, limit)
}

// OutboxRows implements store.Reader.
func (s *Store) OutboxRows(ctx context.Context, line string, after int64, limit int) ([]store.OutboxRow, error) {
	return list(ctx, s, func(rows *sql.Rows) (o store.OutboxRow, err error) {
		err = rows.Scan(&o.Sequence, &o.ID, &o.Line, &o.ConversationID, &o.MessageID, &o.Author, &o.State, &o.Reason, &o.ErrorCode,
			&o.WAMID, &o.Status, &o.Attempts, &o.Resends)
		return o, err
	}, `SELECT o.sequence, o.id, o.line, o.conversation_id, o.message_id, o.author, o.state, o.reason, o.error_code,
		       coalesce(m.wamid, ''), m.status, o.attempts, o.resends
		FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.line = ? AND o.sequence > ? ORDER BY o.sequence LIMIT +?`, line, after, limit)
}

// RawChanges implements store.Reader.
func (s *Store) RawChanges(ctx context.Context, after int64, limit int) ([]store.RawChange, error) {
	return s.rawChanges(ctx, `id > ?`, after, limit)
}

// rawChanges reads the changes that a condition holds for, by id. The condition
// and the limit have one parameter each.
func (s *Store) rawChanges(ctx context.Context, where string, after int64, limit int) ([]store.RawChange, error) {
	return list(ctx, s, func(rows *sql.Rows) (c store.RawChange, err error) {
		var entryAt, at int64
		err = rows.Scan(&c.ID, &c.App, &c.Line, &c.WABAID, &c.PhoneNumberID, &c.Field, &entryAt, &at, &c.Pending, &c.Raw)
		c.EntryTime, c.ReceivedAt = record.Instant(entryAt), record.Instant(at)
		return c, err
	}, `SELECT id, app, line, waba_id, phone_number_id, field, entry_at, received_at, pending, raw FROM raw_changes WHERE `+where+` ORDER BY id LIMIT +?`, after, limit)
}

// DeadLetters implements store.Reader.
func (s *Store) DeadLetters(ctx context.Context, after int64, limit int) ([]store.DeadLetter, error) {
	return list(ctx, s, func(rows *sql.Rows) (l store.DeadLetter, err error) {
		var at int64
		err = rows.Scan(&l.ID, &l.App, &l.Line, &l.Kind, &l.Reason, &at, &l.Raw)
		l.Time = record.Instant(at)
		return l, err
	}, `SELECT id, app, line, kind, reason, received_at, raw FROM dead_letters WHERE id > ? ORDER BY id LIMIT +?`, after, limit)
}

// waitingConversations counts those that wait for a person.
const waitingConversations = `SELECT count(*) FROM ` + silent + ` AND c.state = 'Waiting'`

// unsettledSends counts by state what the index outbox_unfinished holds.
const unsettledSends = `SELECT state, count(*) FROM outbox WHERE state IN ('pending', 'sending', 'unknown') GROUP BY state`

// Stats implements store.Reader.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	st := store.Stats{Outbox: map[store.SendState]int64{store.SendPending: 0, store.SendSending: 0, store.SendUnknown: 0}}
	var oldest int64
	err := s.reader.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM conversations WHERE reply_due_at > 0 AND reply_due_at <= ?),
		       (SELECT coalesce(min(reply_due_at), 0) FROM conversations WHERE reply_due_at > 0),
		       (`+waitingConversations+`),
		       (SELECT count(*) FROM dead_letters),
		       (SELECT coalesce(sum(bytes), 0) FROM quarantine_usage),
		       (SELECT count(*) FROM unclaimed_changes),
		       (SELECT count(*) FROM parked_lines),
		       (SELECT coalesce(sum(bytes), 0) FROM line_blobs)`, s.clock().UnixMilli()).
		Scan(&st.DueConversations, &oldest, &st.WaitingConversations, &st.DeadLetters, &st.QuarantineBytes, &st.UnclaimedChanges, &st.ParkedLines, &st.BlobBytes)
	if err != nil {
		return st, classify(err)
	}
	st.OldestDueAt = record.Instant(oldest)
	rows, err := s.reader.QueryContext(ctx, unsettledSends)
	if err != nil {
		return st, classify(err)
	}
	err = drain(rows, func(rows *sql.Rows) error {
		var state store.SendState
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return err
		}
		st.Outbox[state] = n
		return nil
	})
	return st, classify(err)
}

// Ping implements store.Maintenance: only a commit proves that one is possible.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at`, t.now)
		return err
	})
}
