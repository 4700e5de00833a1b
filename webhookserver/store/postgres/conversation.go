package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// The rules of record.Thread about who answers, as conditions on conversations c.
var (
	personAnswers  = `(c.person_at > c.resumed_at)`
	ownedElsewhere = fmt.Sprintf(`(c.other_at > 0 AND c.other_at >= c.free_at AND c.last_user_at <= greatest(c.other_at, c.standby_at) + %d)`,
		store.OwnershipLapses.Milliseconds())
)

// held is what a turn's end has to know of the row.
type held struct {
	id                        int64
	lastSeq, firstID, firstAt int64
	superseded, attempts      int
	// customer is what the turn's charge needs.
	customer record.Customer
}

// holding is what is to be done with a turn.
type holding struct {
	turn *store.Turn
	fn   func(*tx, held) error
	// refused is why nothing was written for this one, which is no reason for the
	// others that nothing is written for them.
	refused *error
}

// hold runs fn if the turn still owns its conversation, which is locked. Others
// may end their turns in the same transaction.
func (s *Store) hold(ctx context.Context, turn *store.Turn, fn func(*tx, held) error) error {
	var refused error
	err := s.turns.do(ctx, holding{turn, fn, &refused})
	return cmp.Or(err, refused)
}

func (h holding) key() string { return strconv.FormatInt(h.turn.ConversationID, 10) }

// holdAll runs jobs of different turns in one transaction.
func (s *Store) holdAll(ctx context.Context, jobs []holding) error {
	// Their lines' usage is locked in this order.
	slices.SortStableFunc(jobs, func(a, b holding) int {
		return cmp.Or(strings.Compare(a.turn.Line, b.turn.Line), cmp.Compare(a.turn.ConversationID, b.turn.ConversationID))
	})
	ids, epochs, owners := make([]int64, len(jobs)), make([]int64, len(jobs)), make([]string, len(jobs))
	for i, j := range jobs {
		ids[i], epochs[i], owners[i] = j.turn.ConversationID, j.turn.Epoch, j.turn.Owner
	}
	var rows []held
	return s.transact(ctx, s.work, func(t *tx, b *pgx.Batch) {
		t.queueClock(b)
		queueRows(b, &rows, func(row pgx.CollectableRow) (h held, err error) {
			err = row.Scan(&h.id, &h.lastSeq, &h.firstID, &h.firstAt, &h.superseded, &h.attempts, &h.customer.AIUntil, &h.customer.RateHour, &h.customer.Rate)
			return h, err
		}, `
			SELECT c.id, c.last_seq, c.first_unanswered_id, c.first_unanswered_at, c.superseded, c.attempts, c.ai_until, c.rate_hour, c.rate_count
			FROM unnest($1::bigint[], $2::bigint[], $3::text[]) k (id, epoch, owner)
			JOIN conversations c ON c.id = k.id AND c.epoch = k.epoch AND c.owner = k.owner AND c.lease_until > 0
			ORDER BY c.id FOR UPDATE OF c`, ids, epochs, owners)
	}, func(t *tx) error {
		for _, j := range jobs {
			i := slices.IndexFunc(rows, func(h held) bool { return h.id == j.turn.ConversationID })
			if *j.refused = nil; i < 0 {
				*j.refused = store.ErrLeaseLost
				continue
			}
			err := j.fn(t, rows[i])
			if _, limited := errors.AsType[*store.LimitError](err); limited {
				*j.refused, err = err, nil // found before anything was written
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ExtendLease implements store.Turns.
func (s *Store) ExtendLease(ctx context.Context, turn *store.Turn, lease time.Duration) error {
	var until int64
	err := s.hold(ctx, turn, func(t *tx, _ held) error {
		until = t.now + lease.Milliseconds()
		return t.exec1(`UPDATE conversations SET lease_until = $1 WHERE id = $2`, until, turn.ConversationID)
	})
	if err == nil {
		turn.LeaseUntil = record.Instant(until)
	}
	return err
}

// KeepUnderstood implements store.Turns.
func (s *Store) KeepUnderstood(ctx context.Context, turn *store.Turn, messageID int64, text string) error {
	return s.hold(ctx, turn, func(t *tx, _ held) error {
		return t.exec1(`UPDATE messages SET text = $1 WHERE id = $2 AND conversation_id = $3 AND author = $4`,
			text, messageID, turn.ConversationID, store.AuthorCustomer)
	})
}

// SupersedeTurn implements store.Turns.
func (s *Store) SupersedeTurn(ctx context.Context, turn *store.Turn) (bool, error) {
	newer, err := s.anyRow(ctx, `SELECT 1 FROM conversations WHERE id = $1 AND last_seq > $2`, []any{turn.ConversationID, turn.LoadedSeq})
	if err != nil || !newer {
		return false, err
	}
	var superseded bool
	err = s.hold(ctx, turn, func(t *tx, h held) error {
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
	err := s.hold(ctx, turn, func(t *tx, h held) error {
		if superseded = t.supersedes(turn, h, o.Kind); superseded {
			return t.requeueSuperseded(turn, h)
		}
		counted, err := t.charge(turn, o.Quota, int64(len(replies)), &h.customer)
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
	if err != nil {
		return err
	}
	s.hints.tell()
	if superseded {
		return store.ErrSuperseded
	}
	return nil
}

func (t *tx) supersedes(turn *store.Turn, h held, o store.OutcomeKind) bool {
	return turn.AllowSupersede && o != store.OutcomeHandOff && h.lastSeq > turn.LoadedSeq &&
		h.superseded < store.MaxSupersedes && t.now-h.firstAt < store.SupersedeFor.Milliseconds()
}

func (t *tx) requeueSuperseded(turn *store.Turn, h held) error {
	return t.exec1(`
		UPDATE conversations SET owner = '', lease_until = 0, attempts = 0, superseded = superseded + 1, reply_due_at = $1 WHERE id = $2`,
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

// finishTurn records what the turn has dealt with. What came later makes the
// conversation due again. skipped is empty if the turn was answered.
func (t *tx) finishTurn(turn *store.Turn, h held, skipped string) error {
	var firstID, firstAt, due int64
	if h.lastSeq > turn.LoadedSeq {
		found, err := t.found(`
			SELECT id, received_at FROM messages WHERE conversation_id = $1 AND id >= $2 AND seq > $3 ORDER BY id LIMIT 1`,
			[]any{turn.ConversationID, h.firstID, turn.LoadedSeq}, &firstID, &firstAt)
		if err != nil {
			return err
		}
		if found {
			due = record.DueAt(firstAt, t.now)
		}
	}
	t.later().Queue(`
		UPDATE conversations SET answered_seq = $1, first_unanswered_id = $2, first_unanswered_at = $3, reply_due_at = $4,
		       owner = '', lease_until = 0, attempts = 0, superseded = 0, retry_at = 0, skipped_reason = $5, ai_until = $6, rate_hour = $7, rate_count = $8
		WHERE id = $9`, turn.LoadedSeq, firstID, firstAt, due, skipped, h.customer.AIUntil, h.customer.RateHour, h.customer.Rate, turn.ConversationID)
	return nil
}

// setWaiting leaves the conversation to a person. Whoever has it claimed loses
// it.
func (t *tx) setWaiting(id int64, reason string) error {
	return t.exec1(`
		UPDATE conversations SET state = 'Waiting', waiting_reason = $1, waiting_at = $3, reply_due_at = 0, retry_at = 0, owner = '', lease_until = 0, epoch = epoch + 1
		WHERE id = $2`, reason, id, t.now)
}

// SkipTurn implements store.Turns.
func (s *Store) SkipTurn(ctx context.Context, turn *store.Turn, reason string) error {
	return s.hold(ctx, turn, func(t *tx, h held) error {
		return t.finishTurn(turn, h, reason)
	})
}

// ReleaseTurn implements store.Turns.
func (s *Store) ReleaseTurn(ctx context.Context, turn *store.Turn, after time.Duration) error {
	return s.hold(ctx, turn, func(t *tx, _ held) error {
		return t.exec1(`UPDATE conversations SET owner = '', lease_until = 0, attempts = attempts - 1, retry_at = $1 WHERE id = $2`,
			t.now+after.Milliseconds(), turn.ConversationID)
	})
}

// FailTurn implements store.Turns.
func (s *Store) FailTurn(ctx context.Context, turn *store.Turn, cause string) error {
	return s.hold(ctx, turn, func(t *tx, h held) error {
		if h.attempts >= store.MaxTurnAttempts {
			return t.giveUpTurn(turn.ConversationID, store.ReasonTurnFailed, cause)
		}
		backoff := store.TurnBackoff.Milliseconds() << (2 * (h.attempts - 1))
		return t.exec1(`UPDATE conversations SET owner = '', lease_until = 0, retry_at = $1 WHERE id = $2`, t.now+backoff, turn.ConversationID)
	})
}

// giveUpTurn leaves a turn that nobody could complete to a person.
func (t *tx) giveUpTurn(id int64, reason, cause string) error {
	var line string
	if err := t.row(`SELECT line FROM conversations WHERE id = $1`, []any{id}, &line); err != nil {
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
			       reply_due_at = 0, retry_at = 0, attempts = 0, superseded = 0, resumed_at = greatest(resumed_at, person_at, $3)
			WHERE id = $1 AND line = $2 AND (state = 'Waiting' OR person_at > resumed_at)`, id, line, t.now-record.ResumeSlack)
		if err != nil || n > 0 {
			return err
		}
		// An Active one stays as it is: there is nothing to resume.
		return t.row(`SELECT id FROM conversations WHERE id = $1 AND line = $2`, []any{id, line}, &id)
	})
}

// ResumeIdle implements store.Turns.
func (s *Store) ResumeIdle(ctx context.Context, after map[string]time.Duration) (int, error) {
	lines, periods := make([]string, 0, len(after)), make([]int64, 0, len(after))
	for line, period := range after {
		lines, periods = append(lines, line), append(periods, period.Milliseconds())
	}
	if len(lines) == 0 {
		return 0, nil
	}
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.exec(`
			UPDATE conversations SET state = 'Active', waiting_reason = '', waiting_at = 0, retry_at = 0, attempts = 0, superseded = 0,
			       resumed_at = greatest(resumed_at, person_at, $1 - $2::bigint),
			       reply_due_at = CASE WHEN last_seq > answered_seq AND first_unanswered_id <> 0 THEN $1 ELSE 0 END
			WHERE id IN (
			  SELECT c.id FROM unnest($3::text[], $4::bigint[]) p (line, period) JOIN conversations c ON c.line = p.line
			  WHERE (c.state = 'Waiting' OR c.person_at > c.resumed_at) AND NOT `+ownedElsewhere+`
			    AND greatest(c.waiting_at, c.person_at) <= $1 - p.period
			  ORDER BY c.id LIMIT 500 FOR UPDATE OF c SKIP LOCKED)`, t.now, int64(record.ResumeSlack), lines, periods)
		return err
	})
	if n > 0 {
		s.hints.tell()
	}
	return int(n), err
}

// anyRow tells whether the query, limited to one row, finds anything in what is
// committed.
func (s *Store) anyRow(ctx context.Context, query string, args []any) (bool, error) {
	rows, err := list(ctx, s, func(pgx.CollectableRow) (struct{}, error) { return struct{}{}, nil }, query, args...)
	return len(rows) > 0, err
}
