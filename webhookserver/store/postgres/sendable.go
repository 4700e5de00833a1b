package postgres

import (
	"cmp"
	"context"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// burstMillis is how far ahead of the steady pace a pair may be.
var burstMillis = (store.PairBurst - 1) * store.PairInterval.Milliseconds()

// sendable locks the row that is sent next, with its conversation. Its
// parameters: now, the burst's end, the excluded lines, the limit per line, and
// the line after which to look.
//
// The lines that have something pending are found by one probe each, in their
// order, and the first that may send does, so that ten thousand rows of one cost
// the others nothing: of its rows the first that may be sent, by urgency and age.
// A person's reply waits only for an earlier one of a person. Like claimable it
// skips what others have locked.
var sendable = `
	WITH RECURSIVE waiting (line) AS (
	  SELECT min(line) FROM outbox WHERE state = 'pending' AND line > $5
	  UNION ALL
	  SELECT (SELECT min(line) FROM outbox WHERE state = 'pending' AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT n.* FROM waiting w CROSS JOIN LATERAL (
	    SELECT o.sequence, o.id, o.line, o.answers_at, o.max_age, o.test_key, c.last_user_at,
	           o.author = 'assistant' AND ` + personAnswers + `, o.author = 'assistant' AND ` + ownedElsewhere + `
	    FROM outbox o JOIN conversations c ON c.id = o.conversation_id
	    WHERE o.line = w.line AND o.state = 'pending' AND o.not_before <= $1 AND c.pair_next_at <= $2
	      AND NOT EXISTS (
	        SELECT 1 FROM outbox e WHERE e.conversation_id = o.conversation_id AND e.sequence < o.sequence
	          AND e.state IN ('pending', 'sending', 'unknown')
	          AND (o.author <> 'person' OR e.author = 'person' AND e.state <> 'unknown'))
	    ORDER BY o.urgency, o.sequence LIMIT 1 FOR UPDATE OF o, c SKIP LOCKED) n
	WHERE w.line IS NOT NULL
	  AND w.line NOT IN (SELECT line FROM parked_lines)
	  AND w.line <> ALL ($3::text[])
	  AND (SELECT count(*) FROM outbox b WHERE b.line = w.line AND b.state = 'sending' AND b.lease_until > $1) < $4
	LIMIT 1`

// candidate is a row that sendable has picked.
type candidate struct {
	sequence, answersAt, maxAge, lastUserAt int64
	id, testKey                             string
	// personAnswers and ownedElsewhere are false for rows of people.
	personAnswers, ownedElsewhere bool
}

// ClaimSend implements store.Outbox.
func (s *Store) ClaimSend(ctx context.Context, req store.ClaimSendRequest) (*store.Send, error) {
	var send *store.Send
	err := s.claim(ctx, req.ExcludeLines, func(t *tx, exclude []string) (busy string, again bool, err error) {
		send = nil
		var c candidate
		var line string
		limit := max(1, req.PerLineLimit)
		found, err := t.found(sendable, []any{t.now, t.now + burstMillis, exclude, limit, req.After},
			&c.sequence, &c.id, &line, &c.answersAt, &c.maxAge, &c.testKey, &c.lastUserAt, &c.personAnswers, &c.ownedElsewhere)
		if err != nil || !found {
			return "", false, err
		}
		if reason := c.expired(t.now); reason != "" {
			return "", true, t.failExpired(c, reason)
		}
		leased, err := t.leasesOf(line, `SELECT count(*) FROM outbox WHERE line = $1 AND state = 'sending' AND lease_until > $2`)
		if err != nil || leased >= limit {
			return line, true, err
		}
		send, err = t.leaseSend(c.sequence, req)
		return "", false, err
	})
	if err != nil || send == nil {
		return nil, cmp.Or(err, store.ErrNothingDue)
	}
	return send, nil
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

func (t *tx) leaseSend(sequence int64, req store.ClaimSendRequest) (*store.Send, error) {
	s := &store.Send{Owner: req.Owner, ClaimedAt: record.Instant(t.now)}
	until := t.now + req.Lease.Milliseconds()
	s.LeaseUntil = record.Instant(until)
	err := t.exec1(`
		UPDATE outbox SET state = 'sending', reason = '', state_at = $1, owner = $2, epoch = epoch + 1, lease_until = $3, sent_at = $1, attempts = attempts + 1
		WHERE sequence = $4`, t.now, req.Owner, until, sequence)
	if err != nil {
		return nil, err
	}
	var resends int
	err = t.row(`
		SELECT o.id, o.line, o.phone_number_id, o.conversation_id, o.author, o.epoch, o.attempts, o.resends, c.bsuid, c.phone, c.name, c.username,
		       m.type, m.context_wamid, m.raw, c.other_at > 0 OR c.standby_at > 0, o.media_id
		FROM outbox o JOIN conversations c ON c.id = o.conversation_id JOIN messages m ON m.id = o.message_id WHERE o.sequence = $1`,
		[]any{sequence},
		&s.ID, &s.Line, &s.PhoneNumberID, &s.ConversationID, &s.Author, &s.Epoch, &s.Attempt, &resends, &s.To.BSUID, &s.To.Phone, &s.To.Name, &s.To.Username,
		&s.Type, &s.ContextWAMID, &s.Payload, &s.Routed, &s.MediaID)
	if err != nil {
		return nil, err
	}
	s.Resend = resends > 0
	// pair_next_at runs ahead of the clock by one interval per message, and
	// sendable lets it run ahead by the burst.
	return s, t.exec1(`UPDATE conversations SET pair_next_at = greatest(pair_next_at, $1) + $2 WHERE id = $3`,
		t.now, store.PairInterval.Milliseconds(), s.ConversationID)
}
