package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// unknownSend is a send of which nobody knows whether Meta took it.
type unknownSend struct {
	sequence, conversation, stateAt, sentAt int64
	number, id                              string
	resends                                 int
	// age is how long it has been unknown.
	age int64
}

// ResolveUnknown implements store.Outbox. Each send is a transaction of its own
// that locks the conversation first, like all others do.
func (s *Store) ResolveUnknown(ctx context.Context) (store.Resolution, error) {
	var r store.Resolution
	expired, err := s.anyRow(ctx, `SELECT 1 FROM outbox WHERE state = 'sending' AND lease_until <= `+clockNow+` LIMIT 1`, []any{s.clockOverride()})
	if err != nil {
		return r, err
	}
	if expired {
		if r.Expired, err = s.expireSends(ctx); err != nil {
			return r, err
		}
	}
	sends, err := list(ctx, s, scanUnknown, unknownSends+` WHERE state = 'unknown' AND state_at <= `+clockNow+` - $2 ORDER BY state_at, sequence`,
		s.clockOverride(), store.ResendAfter.Milliseconds())
	if err != nil {
		return r, err
	}
	witnesses, err := s.witnesses(ctx, sends)
	if err != nil {
		return r, err
	}
	for i := range sends {
		u := &sends[i]
		witness := witnesses[u.number] > u.sentAt
		if u.resends == 0 && !witness && u.age < store.UnconfirmedAfter.Milliseconds() {
			continue
		}
		var one store.Resolution
		err := s.write(ctx, func(t *tx) (err error) {
			one, err = t.resolve(u, witness)
			return err
		})
		if err != nil {
			return r, err
		}
		r.Resent += one.Resent
		r.Unconfirmed += one.Unconfirmed
	}
	return r, nil
}

func (s *Store) expireSends(ctx context.Context) (int, error) {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.exec(`
			UPDATE outbox SET state = 'unknown', reason = $1, state_at = $2, lease_until = 0 WHERE sequence IN (
			  SELECT sequence FROM outbox WHERE state = 'sending' AND lease_until <= $2 ORDER BY sequence FOR UPDATE)`, store.ReasonLeaseExpired, t.now)
		return err
	})
	return int(n), err
}

// unknownSends begins a query of sends. Its first parameter is the clock.
const unknownSends = `SELECT sequence, conversation_id, state_at, sent_at, phone_number_id, id, resends, ` + clockNow + ` - state_at FROM outbox`

func scanUnknown(row pgx.CollectableRow) (u unknownSend, err error) {
	err = row.Scan(&u.sequence, &u.conversation, &u.stateAt, &u.sentAt, &u.number, &u.id, &u.resends, &u.age)
	return u, err
}

// witnessOf finds when the newest send of the number, later than the given time,
// was sent of which a status has told.
const witnessOf = `
	SELECT o.sent_at FROM outbox o JOIN messages m ON m.id = o.message_id
	WHERE o.phone_number_id = $1 AND o.sent_at > $2 AND m.status_rank > 0 ORDER BY o.sent_at DESC LIMIT 1`

// witnesses are the times of witnessOf by number. Each number is looked at once:
// while no status comes all of its later sends are read for it, which must not be
// done for each of thousands.
func (s *Store) witnesses(ctx context.Context, sends []unknownSend) (map[string]int64, error) {
	newest := map[string]int64{}
	for i := range sends {
		u := &sends[i]
		if since, known := newest[u.number]; u.resends == 0 && (!known || u.sentAt < since) {
			newest[u.number] = u.sentAt
		}
	}
	for number, since := range newest {
		at, err := list(ctx, s, pgx.RowTo[int64], witnessOf, number, since)
		if err != nil {
			return nil, err
		}
		newest[number] = append(at, 0)[0]
	}
	return newest, nil
}

// resolve decides on one send whose status had its time to come. A status for
// a later send of the same number is the witness that Meta's webhooks do come
// through, so that the silence about this one means that it was not taken.
func (t *tx) resolve(seen *unknownSend, witness bool) (r store.Resolution, err error) {
	if _, err := t.exec(`SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE`, seen.conversation); err != nil {
		return r, err
	}
	// What was seen may be settled, or even sent again, by now.
	found, err := rowsOf(t, scanUnknown, unknownSends+` WHERE sequence = $2 AND conversation_id = $3 AND state = 'unknown' AND state_at = $4 FOR UPDATE`,
		t.now, seen.sequence, seen.conversation, seen.stateAt)
	if err != nil || len(found) == 0 {
		return r, err
	}
	u := &found[0]
	if u.resends == 0 {
		if witness {
			r.Resent++
			return r, t.exec1(`UPDATE outbox SET state = 'pending', resends = 1, not_before = 0, state_at = $1 WHERE sequence = $2`, t.now, u.sequence)
		}
		if t.now-u.stateAt < store.UnconfirmedAfter.Milliseconds() {
			return r, nil
		}
	}
	r.Unconfirmed++
	if err := t.exec1(`UPDATE outbox SET state = 'unconfirmed', state_at = $1 WHERE sequence = $2`, t.now, u.sequence); err != nil {
		return r, err
	}
	if err := t.failTestMessage(u.id, 0, store.ReasonUnconfirmed); err != nil {
		return r, err
	}
	return r, t.setWaiting(u.conversation, store.ReasonUnconfirmed)
}

// StatusFailures implements store.Outbox.
func (s *Store) StatusFailures(ctx context.Context, since time.Duration) ([]store.StatusFailure, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (f store.StatusFailure, err error) {
		err = row.Scan(&f.PhoneNumberID, &f.Line, &f.Code, &f.Newest)
		return f, err
	}, `SELECT phone_number_id, line, error_code, max(id) FROM statuses WHERE status = 'failed' AND received_at > `+clockNow+` - $2
		GROUP BY phone_number_id, line, error_code ORDER BY 4`, s.clockOverride(), since.Milliseconds())
}

// ParkLine implements store.Outbox.
func (s *Store) ParkLine(ctx context.Context, line, reason, revision string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			INSERT INTO parked_lines (line, reason, credential_revision, since) VALUES ($1, $2, $3, $4)
			ON CONFLICT (line) DO UPDATE SET reason = excluded.reason, credential_revision = excluded.credential_revision`,
			line, reason, revision, t.now)
		return err
	})
}

// LiftParking implements store.Outbox.
func (s *Store) LiftParking(ctx context.Context, line, revision string) (bool, error) {
	parked, err := s.anyRow(ctx, `SELECT 1 FROM parked_lines WHERE line = $1 AND credential_revision <> $2`, []any{line, revision})
	if err != nil || !parked {
		return false, err
	}
	var n int64
	err = s.write(ctx, func(t *tx) (err error) {
		n, err = t.exec(`DELETE FROM parked_lines WHERE line = $1 AND credential_revision <> $2`, line, revision)
		return err
	})
	return n > 0, err
}

// ParkedLines implements store.Outbox.
func (s *Store) ParkedLines(ctx context.Context) ([]store.ParkedLine, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (p store.ParkedLine, err error) {
		var since, now int64
		err = row.Scan(&p.Line, &p.Reason, &p.CredentialRevision, &since, &now)
		p.Since, p.For = record.Instant(since), record.Instant(now).Sub(record.Instant(since))
		return p, err
	}, `SELECT line, reason, credential_revision, since, `+clockNow+` FROM parked_lines ORDER BY line`, s.clockOverride())
}
