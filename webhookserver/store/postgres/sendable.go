package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// burstMillis is how far ahead of the steady pace a pair may be.
var burstMillis = (store.PairBurst - 1) * store.PairInterval.Milliseconds()

// sendable locks the rows that are sent next, with their conversations. Its
// parameters: the clock, how far ahead of its pace a pair may be, the excluded
// lines, the limit per line, the line after which to look, and how many are
// looked for.
//
// The lines that have something pending are found by one probe each, in their
// order, and served until there are enough, so that ten thousand rows of one cost
// the others nothing: of a line's rows the first that may be sent, by urgency and
// age, as many as it has room for. A person's reply waits only for an earlier one
// of a person. Like claimable it skips what others have locked.
var sendable = `
	WITH RECURSIVE clock (now) AS (SELECT ` + clockNow + `), waiting (line) AS (
	  SELECT min(line) FROM outbox WHERE state = 'pending' AND line > $5
	  UNION ALL
	  SELECT (SELECT min(line) FROM outbox WHERE state = 'pending' AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT n.* FROM waiting w CROSS JOIN LATERAL (
	    SELECT o.sequence, o.id, o.line, o.conversation_id, o.answers_at, o.max_age, o.test_key, c.last_user_at,
	           o.author = 'assistant' AND ` + personAnswers + `, o.author = 'assistant' AND ` + ownedElsewhere + `
	    FROM outbox o JOIN conversations c ON c.id = o.conversation_id
	    WHERE o.line = w.line AND o.state = 'pending' AND o.not_before <= (SELECT now FROM clock) AND c.pair_next_at <= (SELECT now FROM clock) + $2::bigint
	      AND NOT EXISTS (
	        SELECT 1 FROM outbox e WHERE e.conversation_id = o.conversation_id AND e.sequence < o.sequence
	          AND e.state IN ('pending', 'sending', 'unknown')
	          AND (o.author <> 'person' OR e.author = 'person' AND e.state <> 'unknown'))
	    ORDER BY o.urgency, o.sequence
	    LIMIT greatest(0, $4::bigint - (SELECT count(*) FROM outbox b WHERE b.line = w.line AND b.state = 'sending' AND b.lease_until > (SELECT now FROM clock)))
	    FOR UPDATE OF o, c SKIP LOCKED) n
	WHERE w.line IS NOT NULL
	  AND w.line NOT IN (SELECT line FROM parked_lines)
	  AND w.line <> ALL ($3::text[])
	LIMIT $6`

// candidate is a row that sendable has picked.
type candidate struct {
	sequence, conversation, answersAt, maxAge, lastUserAt int64
	id, line, testKey                                     string
	// personAnswers and ownedElsewhere are false for rows of people.
	personAnswers, ownedElsewhere bool
}

func scanCandidate(row pgx.CollectableRow) (c candidate, err error) {
	err = row.Scan(&c.sequence, &c.id, &c.line, &c.conversation, &c.answersAt, &c.maxAge, &c.testKey, &c.lastUserAt, &c.personAnswers, &c.ownedElsewhere)
	return c, err
}

// ClaimSends implements store.Outbox.
func (s *Store) ClaimSends(ctx context.Context, req store.ClaimSendRequest) ([]*store.Send, error) {
	var sends []*store.Send
	limit := max(1, req.PerLineLimit)
	c := claim[candidate]{pick: sendable, scan: scanCandidate, exclude: req.ExcludeLines, args: func(exclude []string) []any {
		return []any{s.clockOverride(), burstMillis, exclude, limit, req.After, max(1, req.Limit)}
	}}
	err := c.run(ctx, s, func(t *tx, picked []candidate) (busy []string, again bool, err error) {
		sends = nil
		var rows []candidate
		pairs := map[int64]bool{} // of each one row, since it counts for the next one's pace
		room, err := t.room(lineOf(picked, func(c candidate) string { return c.line }), limit, `
			SELECT line, count(*) FROM outbox WHERE line = ANY ($1) AND state = 'sending' AND lease_until > $2 GROUP BY line`)
		if err != nil {
			return nil, false, err
		}
		for _, c := range picked {
			if reason := c.expired(t.now); reason != "" {
				if err := t.failExpired(c, reason); err != nil {
					return nil, false, err
				}
				continue
			}
			if !pairs[c.conversation] && room.take(c.line) {
				pairs[c.conversation] = true
				rows = append(rows, c)
			}
		}
		sends = t.leaseSends(rows, req)
		return room.full(), len(rows) == 0, nil
	})
	if err != nil {
		return nil, err
	}
	if len(sends) == 0 {
		return nil, store.ErrNothingDue
	}
	return sends, nil
}

// expired says why the row must not be sent any more, empty if it may.
func (c *candidate) expired(now int64) string {
	switch {
	case c.ownedElsewhere:
		return store.ReasonNotThreadOwner
	case c.personAnswers:
		return store.ReasonPersonAnswers
	case now >= c.lastUserAt+store.WindowLength.Milliseconds():
		return store.ReasonWindowClosed
	case c.maxAge > 0 && now > c.answersAt+c.maxAge:
		return store.ReasonReplyTooOld
	default:
		return ""
	}
}

func (t *tx) failExpired(c candidate, reason string) error {
	if err := t.exec1(`UPDATE outbox SET state = 'failed', reason = $1, state_at = $2 WHERE sequence = $3`, reason, t.now, c.sequence); err != nil {
		return err
	}
	if err := t.refund(c.id); err != nil {
		return err
	}
	if c.testKey == "" {
		return nil
	}
	// The tester can open the window again.
	return t.awaitTester(c.testKey)
}

// leaseSends leases rows that are locked, in the round trip of the commit.
func (t *tx) leaseSends(rows []candidate, req store.ClaimSendRequest) []*store.Send {
	if len(rows) == 0 {
		return nil
	}
	until := t.now + req.Lease.Milliseconds()
	sends, byID := make([]*store.Send, len(rows)), map[string]*store.Send{}
	sequences, conversations := make([]int64, len(rows)), make([]int64, len(rows))
	for i, c := range rows {
		sends[i] = &store.Send{ID: c.id, Owner: req.Owner, ClaimedAt: record.Instant(t.now), LeaseUntil: record.Instant(until)}
		byID[c.id], sequences[i], conversations[i] = sends[i], c.sequence, c.conversation
	}
	b := t.later()
	b.Queue(`
		UPDATE outbox SET state = 'sending', reason = '', state_at = $1, owner = $2, epoch = epoch + 1, lease_until = $3, sent_at = $1, attempts = attempts + 1
		WHERE sequence = ANY ($4)`, t.now, req.Owner, until, sequences)
	b.Queue(`
		SELECT o.id, o.line, o.phone_number_id, o.conversation_id, o.author, o.epoch, o.attempts, o.resends > 0, c.bsuid, c.phone, c.name, c.username,
		       m.type, m.context_wamid, m.raw, c.other_at > 0 OR c.standby_at > 0, o.media_id
		FROM outbox o JOIN conversations c ON c.id = o.conversation_id JOIN messages m ON m.id = o.message_id WHERE o.sequence = ANY ($1)`,
		sequences).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var id string
			var o store.Send
			err := rows.Scan(&id, &o.Line, &o.PhoneNumberID, &o.ConversationID, &o.Author, &o.Epoch, &o.Attempt, &o.Resend, &o.To.BSUID, &o.To.Phone, &o.To.Name, &o.To.Username,
				&o.Type, &o.ContextWAMID, &o.Payload, &o.Routed, &o.MediaID)
			if err != nil {
				return err
			}
			s := byID[id]
			o.ID, o.Owner, o.ClaimedAt, o.LeaseUntil = s.ID, s.Owner, s.ClaimedAt, s.LeaseUntil
			*s = o
		}
		return rows.Err()
	})
	// pair_next_at runs ahead of the clock by one interval per message, and
	// sendable lets it run ahead by the burst.
	b.Queue(`UPDATE conversations SET pair_next_at = greatest(pair_next_at, $1) + $2 WHERE id = ANY ($3)`,
		t.now, store.PairInterval.Milliseconds(), conversations)
	return sends
}
