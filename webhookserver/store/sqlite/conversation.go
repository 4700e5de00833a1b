package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// The rules of record.Thread about who answers, as conditions on conversations c.
var (
	personAnswers  = `(c.person_at > c.resumed_at)`
	ownedElsewhere = fmt.Sprintf(`(c.other_at > 0 AND c.other_at >= c.free_at AND c.last_user_at <= max(c.other_at, c.standby_at) + %d)`,
		store.OwnershipLapses.Milliseconds())
)

// claimable picks the conversation that is answered next. Its parameters: the
// line after which to look, now three times, since when a file must have been
// received to be waited for, the excluded lines as a JSON array, now, and the
// limit of leases per line.
//
// The lines where something is due are found by one probe each, in their order,
// and the first that has room is served: of its conversations the one that has
// been due longest.
const claimable = `
	WITH RECURSIVE waiting (line) AS (
	  SELECT min(line) FROM conversations WHERE reply_due_at > 0 AND line > ?
	  UNION ALL
	  SELECT (SELECT min(line) FROM conversations WHERE reply_due_at > 0 AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT c.id, c.attempts FROM waiting w CROSS JOIN conversations c ON c.id = (
	    SELECT d.id FROM conversations d
	    WHERE d.line = w.line AND d.reply_due_at > 0 AND d.reply_due_at <= ? AND d.retry_at <= ? AND d.lease_until <= ?
	      AND NOT EXISTS (SELECT 1 FROM media f WHERE f.conversation_id = d.id AND f.state IN ('pending', 'fetching') AND f.received_at > ?)
	    ORDER BY d.reply_due_at LIMIT 1)
	WHERE w.line IS NOT NULL
	  AND w.line NOT IN (SELECT line FROM parked_lines)
	  AND w.line NOT IN (SELECT value FROM json_each(?))
	  AND (SELECT count(*) FROM conversations b WHERE b.line = w.line AND b.lease_until > 0 AND b.lease_until > ?) < ?
	LIMIT 1`

// leased is a conversation that was just claimed.
type leased struct {
	turn              *store.Turn
	answered, firstID int64
}

// ClaimConversations implements store.Turns.
func (s *Store) ClaimConversations(ctx context.Context, req store.ClaimRequest) ([]*store.Turn, error) {
	exclude, err := jsonLines(req.ExcludeLines)
	if err != nil {
		return nil, err
	}
	args := func(now int64) []any {
		return []any{req.After, now, now, now, now - record.AwaitedFor(req).Milliseconds(), exclude, now, max(1, req.PerLineLimit)}
	}
	// Looking first without writing keeps an idle server from committing.
	if due, err := s.anyRow(ctx, claimable, args(s.clock().UnixMilli())); err != nil || !due {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	var claimed []leased
	err = s.write(ctx, func(t *tx) error {
		for claimed = nil; len(claimed) < max(1, req.Limit); {
			var id int64
			var attempts int
			if found, err := t.found(claimable, args(t.now), &id, &attempts); err != nil || !found {
				return err
			}
			if attempts >= store.MaxTurnLosses {
				if err := t.giveUpTurn(id, store.ReasonTurnAbandoned, "the worker stopped in each attempt"); err != nil {
					return err
				}
				continue
			}
			l, err := t.leaseTurn(id, req)
			if err != nil {
				return err
			}
			claimed = append(claimed, l)
		}
		return nil
	})
	if err != nil || len(claimed) == 0 {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	turns := make([]*store.Turn, 0, len(claimed))
	for _, l := range claimed {
		if err := s.loadTurn(ctx, l, req.History); err != nil {
			return nil, err
		}
		turns = append(turns, l.turn)
	}
	return turns, nil
}

// cmpErr is err, or otherwise if err is nil.
func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func jsonLines(lines []string) (string, error) {
	if len(lines) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(lines)
	if err != nil {
		return "", fmt.Errorf("%w: lines: %w", store.ErrInvalid, err)
	}
	return string(b), nil
}

func (t *tx) leaseTurn(id int64, req store.ClaimRequest) (leased, error) {
	turn := &store.Turn{ConversationID: id, Owner: req.Owner, AllowSupersede: true, ClaimedAt: record.Instant(t.now)}
	until := t.now + req.Lease.Milliseconds()
	turn.LeaseUntil = record.Instant(until)
	l := leased{turn: turn}
	var firstAt int64
	err := t.row(`
		UPDATE conversations SET owner = ?, epoch = epoch + 1, lease_until = ?, attempts = attempts + 1 WHERE id = ?
		RETURNING line, phone_number_id, bsuid, phone, name, username, epoch, attempts, last_seq, answered_seq, superseded,
		          first_unanswered_id, first_unanswered_at, summary, summary_through`,
		[]any{req.Owner, until, id},
		&turn.Line, &turn.PhoneNumberID, &turn.Contact.BSUID, &turn.Contact.Phone, &turn.Contact.Name, &turn.Contact.Username,
		&turn.Epoch, &turn.Attempt, &turn.LoadedSeq, &l.answered, &turn.Superseded, &l.firstID, &firstAt,
		&turn.Summary.Text, &turn.Summary.Through)
	turn.FirstUnansweredAt = record.Instant(firstAt)
	return l, err
}

// loadTurn reads the turn's messages outside of the writer: what arrives
// meanwhile has a higher number and is left out.
func (s *Store) loadTurn(ctx context.Context, l leased, most int) error {
	t := l.turn
	var err error
	t.Unanswered, err = s.messages(ctx, newestOf(unanswered)+` ORDER BY m.event_at, m.seq`,
		t.ConversationID, store.MaxTurnMessages, store.MaxTurnBytes, l.firstID, l.answered, t.LoadedSeq)
	if err != nil || most <= 0 {
		return err
	}
	t.History, err = s.messages(ctx, newestOf(history)+` ORDER BY m.event_at, m.id`,
		t.ConversationID, min(most, store.MaxTurnMessages), store.MaxTurnBytes, l.answered)
	return err
}

var (
	// unanswered are messages from ?4 on whose numbers are above ?5, up to ?6.
	unanswered = newestMessages(`max(c.first_message_id, ?4)`, `c.last_message_id`, `m.seq > ?5 AND m.seq <= ?6`)
	// history are messages with numbers up to ?4.
	history = newestMessages(`max(c.first_message_id, c.discarded_through + 1)`, `c.last_message_id`, `m.seq <= ?4 AND m.target_wamid = ''`)
)

// newestOf selects the messages of a query of newestMessages: of at most ?3
// bytes, but at least one.
func newestOf(newest string) string {
	return `
		WHERE m.id IN (
		  SELECT id FROM (
		    SELECT id, row_number() OVER newest AS place, sum(size) OVER newest AS bytes
		    FROM (SELECT id, coalesce(length(raw), 0) + length(text) AS size FROM messages WHERE id IN (` + newest + `))
		    WINDOW newest AS (ORDER BY id DESC))
		  WHERE place = 1 OR bytes <= ?3)`
}

// held is what a turn's end has to know of the row.
type held struct {
	lastSeq, firstID, firstAt int64
	superseded, attempts      int
}

// hold checks that the turn still owns its conversation.
func (t *tx) hold(turn *store.Turn) (held, error) {
	var h held
	found, err := t.found(`
		SELECT last_seq, first_unanswered_id, first_unanswered_at, superseded, attempts FROM conversations WHERE id = ? AND epoch = ? AND owner = ? AND lease_until > 0`,
		[]any{turn.ConversationID, turn.Epoch, turn.Owner}, &h.lastSeq, &h.firstID, &h.firstAt, &h.superseded, &h.attempts)
	if err == nil && !found {
		err = store.ErrLeaseLost
	}
	return h, err
}

// ExtendLease implements store.Turns.
func (s *Store) ExtendLease(ctx context.Context, turn *store.Turn, lease time.Duration) error {
	var until int64
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.hold(turn); err != nil {
			return err
		}
		until = t.now + lease.Milliseconds()
		return t.exec1(`UPDATE conversations SET lease_until = ? WHERE id = ?`, until, turn.ConversationID)
	})
	if err == nil {
		turn.LeaseUntil = record.Instant(until)
	}
	return err
}

// KeepUnderstood implements store.Turns.
func (s *Store) KeepUnderstood(ctx context.Context, turn *store.Turn, messageID int64, text string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.hold(turn); err != nil {
			return err
		}
		return t.exec1(`UPDATE messages SET text = ? WHERE id = ? AND conversation_id = ? AND author = ?`,
			text, messageID, turn.ConversationID, store.AuthorCustomer)
	})
}

// SupersedeTurn implements store.Turns.
func (s *Store) SupersedeTurn(ctx context.Context, turn *store.Turn) (bool, error) {
	newer, err := s.anyRow(ctx, `SELECT 1 FROM conversations WHERE id = ? AND last_seq > ?`, []any{turn.ConversationID, turn.LoadedSeq})
	if err != nil || !newer {
		return false, err
	}
	var superseded bool
	err = s.write(ctx, func(t *tx) error {
		h, err := t.hold(turn)
		if err != nil {
			return err
		}
		if superseded = t.supersedes(turn, h, store.OutcomeAnswered); !superseded {
			return nil
		}
		return t.requeueSuperseded(turn, h)
	})
	return err == nil && superseded, err
}

// CommitReply implements store.Turns.
func (s *Store) CommitReply(ctx context.Context, turn *store.Turn, replies []store.OutboxDraft, o store.Outcome) error {
	var superseded bool
	err := s.write(ctx, func(t *tx) error {
		h, err := t.hold(turn)
		if err != nil {
			return err
		}
		if superseded = t.supersedes(turn, h, o.Kind); superseded {
			return t.requeueSuperseded(turn, h)
		}
		counted, err := t.charge(turn, o.Quota, int64(len(replies)))
		if err != nil {
			return err
		}
		for i := range replies {
			e := draftOf(turn, &replies[i])
			e.counted = counted
			if _, err := t.enqueue(e); err != nil {
				return err
			}
		}
		if err := t.writeOutcome(turn, &o); err != nil {
			return err
		}
		if err := t.finishTurn(turn, h, ""); err != nil || o.Kind != store.OutcomeHandOff {
			return err
		}
		return t.setWaiting(turn.ConversationID, o.Reason)
	})
	if err == nil && superseded {
		return store.ErrSuperseded
	}
	return err
}

func (t *tx) supersedes(turn *store.Turn, h held, o store.OutcomeKind) bool {
	return turn.AllowSupersede && o != store.OutcomeHandOff && h.lastSeq > turn.LoadedSeq &&
		h.superseded < store.MaxSupersedes && t.now-h.firstAt < store.SupersedeFor.Milliseconds()
}

func (t *tx) requeueSuperseded(turn *store.Turn, h held) error {
	return t.exec1(`
		UPDATE conversations SET owner = '', lease_until = 0, attempts = 0, superseded = superseded + 1, reply_due_at = ? WHERE id = ?`,
		record.DueAt(h.firstAt, t.now), turn.ConversationID)
}

func draftOf(turn *store.Turn, d *store.OutboxDraft) enqueued {
	e := enqueued{
		line: turn.Line, number: turn.PhoneNumberID, conversation: turn.ConversationID,
		author: store.AuthorAssistant, draft: d,
	}
	for i := range turn.Unanswered {
		e.answersAt = max(e.answersAt, record.Millis(turn.Unanswered[i].EventTime))
	}
	return e
}

// messagesOnceUnanswered are those since the first that was unanswered, ?2.
var messagesOnceUnanswered = messagesSince(`max(first_message_id, ?2)`)

// finishTurn records what the turn has dealt with. What came later makes the
// conversation due again. skipped is empty if the turn was answered.
func (t *tx) finishTurn(turn *store.Turn, h held, skipped string) error {
	var firstID, firstAt, due int64
	if h.lastSeq > turn.LoadedSeq {
		found, err := t.found(`
			SELECT id, received_at FROM messages WHERE seq > ?3 AND id >= ?2 AND id IN (`+messagesOnceUnanswered+`) ORDER BY id LIMIT 1`,
			[]any{turn.ConversationID, h.firstID, turn.LoadedSeq}, &firstID, &firstAt)
		if err != nil {
			return err
		}
		if found {
			due = record.DueAt(firstAt, t.now)
		}
	}
	return t.exec1(`
		UPDATE conversations SET answered_seq = ?, first_unanswered_id = ?, first_unanswered_at = ?, reply_due_at = ?,
		       owner = '', lease_until = 0, attempts = 0, superseded = 0, retry_at = 0, skipped_reason = ?
		WHERE id = ?`, turn.LoadedSeq, firstID, firstAt, due, skipped, turn.ConversationID)
}

// setWaiting leaves the conversation to a person. Whoever has it claimed loses
// it.
func (t *tx) setWaiting(id int64, reason string) error {
	return t.exec1(`
		UPDATE conversations SET state = 'Waiting', waiting_reason = ?, waiting_at = ?, reply_due_at = 0, retry_at = 0, owner = '', lease_until = 0, epoch = epoch + 1
		WHERE id = ?`, reason, t.now, id)
}

// SkipTurn implements store.Turns.
func (s *Store) SkipTurn(ctx context.Context, turn *store.Turn, reason string) error {
	return s.write(ctx, func(t *tx) error {
		h, err := t.hold(turn)
		if err != nil {
			return err
		}
		return t.finishTurn(turn, h, reason)
	})
}

// ReleaseTurn implements store.Turns.
func (s *Store) ReleaseTurn(ctx context.Context, turn *store.Turn, after time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.hold(turn); err != nil {
			return err
		}
		return t.exec1(`UPDATE conversations SET owner = '', lease_until = 0, attempts = attempts - 1, retry_at = ? WHERE id = ?`,
			t.now+after.Milliseconds(), turn.ConversationID)
	})
}

// FailTurn implements store.Turns.
func (s *Store) FailTurn(ctx context.Context, turn *store.Turn, cause string) error {
	return s.write(ctx, func(t *tx) error {
		h, err := t.hold(turn)
		if err != nil {
			return err
		}
		if h.attempts >= store.MaxTurnAttempts {
			return t.giveUpTurn(turn.ConversationID, store.ReasonTurnFailed, cause)
		}
		backoff := store.TurnBackoff.Milliseconds() << (2 * (h.attempts - 1))
		return t.exec1(`UPDATE conversations SET owner = '', lease_until = 0, retry_at = ? WHERE id = ?`, t.now+backoff, turn.ConversationID)
	})
}

// giveUpTurn leaves a turn that nobody could complete to a person.
func (t *tx) giveUpTurn(id int64, reason, cause string) error {
	var line string
	if err := t.row(`SELECT line FROM conversations WHERE id = ?`, []any{id}, &line); err != nil {
		return err
	}
	if err := t.insertDeadLetter(&store.DeadLetter{Line: line, Kind: record.KindTurn, Reason: reason + ": " + cause}); err != nil {
		return err
	}
	return t.setWaiting(id, reason)
}

// Resume implements store.Turns.
func (s *Store) Resume(ctx context.Context, line string, id int64) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`
			UPDATE conversations SET state = 'Active', waiting_reason = '', waiting_at = 0, answered_seq = last_seq, first_unanswered_id = 0, first_unanswered_at = 0,
			       reply_due_at = 0, retry_at = 0, attempts = 0, superseded = 0, resumed_at = max(resumed_at, person_at, ?)
			WHERE id = ? AND line = ? AND (state = 'Waiting' OR person_at > resumed_at)`, t.now-record.ResumeSlack, id, line)
		if err != nil || n > 0 {
			return err
		}
		// An Active one stays as it is: there is nothing to resume.
		return t.row(`SELECT id FROM conversations WHERE id = ? AND line = ?`, []any{id, line}, &id)
	})
}

// silent are the conversations in which the assistant keeps silent, in the words of the index conversations_silent: SQLite compares
// words, not meanings.
const silent = `conversations c INDEXED BY conversations_silent WHERE (c.state = 'Waiting' OR c.person_at > c.resumed_at)`

// idleConversations takes the period of each line as JSON, and the present.
var idleConversations = `
	SELECT c.id FROM json_each(?) p JOIN ` + silent + ` AND c.line = p.key AND NOT ` + ownedElsewhere + `
	  AND max(c.waiting_at, c.person_at) <= ? - p.value LIMIT 500`

// ResumeIdle implements store.Turns.
func (s *Store) ResumeIdle(ctx context.Context, after map[string]time.Duration) (int, error) {
	periods := make(map[string]int64, len(after))
	for line, period := range after {
		periods[line] = period.Milliseconds()
	}
	encoded, err := json.Marshal(periods)
	if err != nil {
		return 0, fmt.Errorf("%w: periods: %w", store.ErrInvalid, err)
	}
	if due, err := s.anyRow(ctx, idleConversations, []any{string(encoded), s.clock().UnixMilli()}); err != nil || !due {
		return 0, err
	}
	var n int64
	err = s.write(ctx, func(t *tx) (err error) {
		n, err = t.exec(`
			UPDATE conversations SET state = 'Active', waiting_reason = '', waiting_at = 0, retry_at = 0, attempts = 0, superseded = 0,
			       resumed_at = max(resumed_at, person_at, ?),
			       reply_due_at = CASE WHEN last_seq > answered_seq AND first_unanswered_id <> 0 THEN ? ELSE 0 END
			WHERE id IN (`+idleConversations+`)`, t.now-record.ResumeSlack, t.now, string(encoded), t.now)
		return err
	})
	return int(n), err
}

// exec1 runs a statement that must change a row.
func (t *tx) exec1(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// anyRow tells whether the query, limited to one row, finds anything in what is
// committed.
func (s *Store) anyRow(ctx context.Context, query string, args []any) (bool, error) {
	rows, err := list(ctx, s, func(*sql.Rows) (struct{}, error) { return struct{}{}, nil }, query, args...)
	return len(rows) > 0, err
}
