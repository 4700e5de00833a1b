package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// unknownSend is a send of which nobody knows whether Meta took it.
type unknownSend struct {
	sequence, conversation, stateAt, sentAt int64
	number, id                              string
	resends                                 int
}

// ResolveUnknown implements store.Outbox.
func (s *Store) ResolveUnknown(ctx context.Context) (store.Resolution, error) {
	var r store.Resolution
	now := s.clock().UnixMilli()
	work, err := s.anyRow(ctx, `
		SELECT 1 FROM outbox WHERE state = 'sending' AND lease_until <= ?
		UNION ALL SELECT 1 FROM outbox WHERE state = 'unknown' AND state_at <= ? LIMIT 1`,
		[]any{now, now - store.ResendAfter.Milliseconds()})
	if err != nil || !work {
		return r, err
	}
	err = s.write(ctx, func(t *tx) error {
		r = store.Resolution{}
		n, err := t.exec(`UPDATE outbox SET state = 'unknown', reason = ?, state_at = ?, lease_until = 0 WHERE state = 'sending' AND lease_until <= ?`,
			store.ReasonLeaseExpired, t.now, t.now)
		if err != nil {
			return err
		}
		r.Expired = int(n)
		sends, err := t.unknownSends()
		if err != nil {
			return err
		}
		witnesses, err := t.witnesses(sends)
		if err != nil {
			return err
		}
		for i := range sends {
			u := &sends[i]
			if err := t.resolve(u, witnesses[u.number] > u.sentAt, &r); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

// unknownSends selects those whose status had its time to come, the oldest first.
// Its parameter is since when. In the order of their sequence all sends would be
// read.
const unknownSends = `
	SELECT sequence, conversation_id, state_at, sent_at, phone_number_id, id, resends FROM outbox WHERE state = 'unknown' AND state_at <= ?
	ORDER BY state_at, sequence`

func (t *tx) unknownSends() ([]unknownSend, error) {
	var sends []unknownSend
	err := t.each(unknownSends,
		[]any{t.now - store.ResendAfter.Milliseconds()}, func(rows *sql.Rows) error {
			var u unknownSend
			if err := rows.Scan(&u.sequence, &u.conversation, &u.stateAt, &u.sentAt, &u.number, &u.id, &u.resends); err != nil {
				return err
			}
			sends = append(sends, u)
			return nil
		})
	return sends, err
}

// witnessOf finds when the newest send of the number, later than the given time,
// was sent of which a status has told.
const witnessOf = `
	SELECT o.sent_at FROM outbox o JOIN messages m ON m.id = o.message_id
	WHERE o.phone_number_id = ? AND o.sent_at > ? AND m.status_rank > 0 ORDER BY o.sent_at DESC LIMIT 1`

// witnesses are the times of witnessOf by number. Each number is looked at once:
// while no status comes all of its later sends are read for it, which must not be
// done for each of thousands while nothing else can be written.
func (t *tx) witnesses(sends []unknownSend) (map[string]int64, error) {
	newest := map[string]int64{}
	for i := range sends {
		u := &sends[i]
		if since, known := newest[u.number]; u.resends == 0 && (!known || u.sentAt < since) {
			newest[u.number] = u.sentAt
		}
	}
	for number, since := range newest {
		var at int64
		if _, err := t.found(witnessOf, []any{number, since}, &at); err != nil {
			return nil, err
		}
		newest[number] = at
	}
	return newest, nil
}

// resolve decides on one send whose status had its time to come. A status for
// a later send of the same number is the witness that Meta's webhooks do come
// through, so that the silence about this one means that it was not taken.
func (t *tx) resolve(u *unknownSend, witness bool, r *store.Resolution) error {
	if u.resends == 0 {
		if witness {
			r.Resent++
			return t.exec1(`UPDATE outbox SET state = 'pending', resends = 1, not_before = 0, state_at = ? WHERE sequence = ?`, t.now, u.sequence)
		}
		if t.now-u.stateAt < store.UnconfirmedAfter.Milliseconds() {
			return nil
		}
	}
	r.Unconfirmed++
	if err := t.exec1(`UPDATE outbox SET state = 'unconfirmed', state_at = ? WHERE sequence = ?`, t.now, u.sequence); err != nil {
		return err
	}
	if err := t.failTestMessage(u.id, 0, store.ReasonUnconfirmed); err != nil {
		return err
	}
	return t.setWaiting(u.conversation, store.ReasonUnconfirmed)
}

// StatusFailures implements store.Outbox.
func (s *Store) StatusFailures(ctx context.Context, since time.Duration) ([]store.StatusFailure, error) {
	return list(ctx, s, func(rows *sql.Rows) (f store.StatusFailure, err error) {
		err = rows.Scan(&f.PhoneNumberID, &f.Line, &f.Code, &f.Newest)
		return f, err
	}, `SELECT phone_number_id, line, error_code, max(id) FROM statuses WHERE status = 'failed' AND received_at > ?
		GROUP BY phone_number_id, line, error_code ORDER BY 4`, s.clock().Add(-since).UnixMilli())
}

// ParkLine implements store.Outbox.
func (s *Store) ParkLine(ctx context.Context, line, reason, revision string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			INSERT INTO parked_lines (line, reason, credential_revision, since) VALUES (?, ?, ?, ?)
			ON CONFLICT (line) DO UPDATE SET reason = excluded.reason, credential_revision = excluded.credential_revision`,
			line, reason, revision, t.now)
		return err
	})
}

// LiftParking implements store.Outbox.
func (s *Store) LiftParking(ctx context.Context, line, revision string) (bool, error) {
	parked, err := s.anyRow(ctx, `SELECT 1 FROM parked_lines WHERE line = ? AND credential_revision <> ?`, []any{line, revision})
	if err != nil || !parked {
		return false, err
	}
	var n int64
	err = s.write(ctx, func(t *tx) (err error) {
		n, err = t.exec(`DELETE FROM parked_lines WHERE line = ? AND credential_revision <> ?`, line, revision)
		return err
	})
	return n > 0, err
}

// ParkedLines implements store.Outbox.
func (s *Store) ParkedLines(ctx context.Context) ([]store.ParkedLine, error) {
	now := s.clock()
	return list(ctx, s, func(rows *sql.Rows) (p store.ParkedLine, err error) {
		var since int64
		err = rows.Scan(&p.Line, &p.Reason, &p.CredentialRevision, &since)
		p.Since, p.For = record.Instant(since), now.Sub(record.Instant(since))
		return p, err
	}, `SELECT line, reason, credential_revision, since FROM parked_lines ORDER BY line`)
}
