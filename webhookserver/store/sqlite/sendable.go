package sqlite

import (
	"context"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// burstMillis is how far ahead of the steady pace a pair may be.
var burstMillis = (store.PairBurst - 1) * store.PairInterval.Milliseconds()

// sendable picks the row that is sent next. Its parameters: the line after which
// to look, now, the burst's end, the excluded lines as a JSON array, now, and the
// limit per line.
//
// The lines that have something pending are found by one probe each, in their
// order, and the first that may send does, so that ten thousand rows of one cost
// the others nothing: of its rows the first that may be sent, by urgency and age.
// A person's reply waits only for an earlier one of a person.
var sendable = `
	WITH RECURSIVE waiting (line) AS (
	  SELECT min(line) FROM outbox WHERE state = 'pending' AND line > ?
	  UNION ALL
	  SELECT (SELECT min(line) FROM outbox WHERE state = 'pending' AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT o.sequence, o.id, o.answers_at, o.max_age, o.test_key, c.last_user_at,
	       o.author = 'assistant' AND ` + personAnswers + `, o.author = 'assistant' AND ` + ownedElsewhere + `
	FROM waiting w CROSS JOIN outbox o ON o.sequence = (
	    SELECT p.sequence FROM outbox p JOIN conversations d ON d.id = p.conversation_id
	    WHERE p.line = w.line AND p.state = 'pending' AND p.not_before <= ? AND d.pair_next_at <= ?
	      AND NOT EXISTS (
	        SELECT 1 FROM outbox e WHERE e.conversation_id = p.conversation_id AND e.sequence < p.sequence
	          AND e.state IN ('pending', 'sending', 'unknown')
	          AND (p.author <> 'person' OR e.author = 'person' AND e.state <> 'unknown'))
	    ORDER BY p.urgency, p.sequence LIMIT 1)
	  JOIN conversations c ON c.id = o.conversation_id
	WHERE w.line IS NOT NULL
	  AND w.line NOT IN (SELECT line FROM parked_lines)
	  AND w.line NOT IN (SELECT value FROM json_each(?))
	  AND (SELECT count(*) FROM outbox b WHERE b.line = w.line AND b.state = 'sending' AND b.lease_until > ?) < ?
	LIMIT 1`

// candidate is a row that sendable has picked.
type candidate struct {
	sequence, answersAt, maxAge, lastUserAt int64
	id, testKey                             string
	// personAnswers and ownedElsewhere are false for rows of people.
	personAnswers, ownedElsewhere bool
}

// ClaimSends implements store.Outbox.
func (s *Store) ClaimSends(ctx context.Context, req store.ClaimSendRequest) ([]*store.Send, error) {
	exclude, err := jsonLines(req.ExcludeLines)
	if err != nil {
		return nil, err
	}
	args := func(now int64) []any {
		return []any{req.After, now, now + burstMillis, exclude, now, max(1, req.PerLineLimit)}
	}
	if due, err := s.anyRow(ctx, sendable, args(s.clock().UnixMilli())); err != nil || !due {
		return nil, cmpErr(err, store.ErrNothingDue)
	}
	var sends []*store.Send
	err = s.write(ctx, func(t *tx) error {
		for sends = nil; len(sends) < max(1, req.Limit); {
			var c candidate
			found, err := t.found(sendable, args(t.now), &c.sequence, &c.id, &c.answersAt, &c.maxAge, &c.testKey, &c.lastUserAt, &c.personAnswers, &c.ownedElsewhere)
			if err != nil || !found {
				return err
			}
			if reason := c.expired(t.now); reason != "" {
				if err := t.failExpired(c, reason); err != nil {
					return err
				}
				continue
			}
			send, err := t.leaseSend(c.sequence, req)
			if err != nil {
				return err
			}
			sends = append(sends, send)
		}
		return nil
	})
	if err != nil || len(sends) == 0 {
		return nil, cmpErr(err, store.ErrNothingDue)
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
	if err := t.exec1(`UPDATE outbox SET state = 'failed', reason = ?, state_at = ? WHERE sequence = ?`, reason, t.now, c.sequence); err != nil {
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
		UPDATE outbox SET state = 'sending', reason = '', state_at = ?, owner = ?, epoch = epoch + 1, lease_until = ?, sent_at = ?, attempts = attempts + 1
		WHERE sequence = ?`, t.now, req.Owner, until, t.now, sequence)
	if err != nil {
		return nil, err
	}
	var resends int
	err = t.row(`
		SELECT o.id, o.line, o.phone_number_id, o.conversation_id, o.author, o.epoch, o.attempts, o.resends, c.bsuid, c.phone, c.name, c.username,
		       m.type, m.context_wamid, m.raw, c.other_at > 0 OR c.standby_at > 0, o.media_id
		FROM outbox o JOIN conversations c ON c.id = o.conversation_id JOIN messages m ON m.id = o.message_id WHERE o.sequence = ?`,
		[]any{sequence},
		&s.ID, &s.Line, &s.PhoneNumberID, &s.ConversationID, &s.Author, &s.Epoch, &s.Attempt, &resends, &s.To.BSUID, &s.To.Phone, &s.To.Name, &s.To.Username,
		&s.Type, &s.ContextWAMID, &s.Payload, &s.Routed, &s.MediaID)
	if err != nil {
		return nil, err
	}
	s.Resend = resends > 0
	// pair_next_at runs ahead of the clock by one interval per message, and
	// sendable lets it run ahead by the burst.
	return s, t.exec1(`UPDATE conversations SET pair_next_at = max(pair_next_at, ?) + ? WHERE id = ?`,
		t.now, store.PairInterval.Milliseconds(), s.ConversationID)
}
