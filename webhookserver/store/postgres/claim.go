package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// claimable locks the conversations that are answered next. Its parameters: the
// clock, the excluded lines, the limit of leases per line, the line after which
// to look, how long ago a file was received that is not waited for any more, and
// how many are looked for. It and sendable are the statements that skip what
// others have locked: they are claiming it.
//
// The lines where something is due are found by one probe each, in their order,
// and served until there are enough: of a line's conversations those that have
// been due longest, as many as it has room for.
const claimable = `
	WITH RECURSIVE clock (now) AS (SELECT ` + clockNow + `), waiting (line) AS (
	  SELECT min(line) FROM conversations WHERE reply_due_at > 0 AND line > $4
	  UNION ALL
	  SELECT (SELECT min(line) FROM conversations WHERE reply_due_at > 0 AND line > w.line) FROM waiting w WHERE w.line IS NOT NULL
	)
	SELECT n.* FROM waiting w CROSS JOIN LATERAL (
	    SELECT c.id, c.line, c.attempts FROM conversations c
	    WHERE c.line = w.line AND c.reply_due_at > 0 AND c.reply_due_at <= (SELECT now FROM clock)
	      AND c.retry_at <= (SELECT now FROM clock) AND c.lease_until <= (SELECT now FROM clock)
	      AND NOT EXISTS (SELECT 1 FROM media f WHERE f.conversation_id = c.id AND f.state IN ('pending', 'fetching') AND f.received_at > (SELECT now FROM clock) - $5::bigint)
	    ORDER BY c.reply_due_at, c.id
	    LIMIT greatest(0, $3::bigint - (SELECT count(*) FROM conversations b WHERE b.line = w.line AND b.lease_until > 0 AND b.lease_until > (SELECT now FROM clock)))
	    FOR UPDATE SKIP LOCKED) n
	WHERE w.line IS NOT NULL
	  AND w.line NOT IN (SELECT line FROM parked_lines)
	  AND w.line <> ALL ($2::text[])
	LIMIT $6`

// due is a conversation that claimable has picked.
type due struct {
	id       int64
	line     string
	attempts int
}

// ClaimConversations implements store.Turns.
func (s *Store) ClaimConversations(ctx context.Context, req store.ClaimRequest) ([]*store.Turn, error) {
	s.writer.giveWay(ctx)
	var turns []*store.Turn
	c := claim[due]{scan: func(row pgx.CollectableRow) (d due, err error) {
		err = row.Scan(&d.id, &d.line, &d.attempts)
		return d, err
	}, pick: claimable, exclude: req.ExcludeLines, args: func(exclude []string) []any {
		return []any{s.clockOverride(), exclude, max(1, req.PerLineLimit), req.After, record.AwaitedFor(req).Milliseconds(), max(1, req.Limit)}
	}}
	err := c.run(ctx, s, func(t *tx, picked []due) (busy []string, again bool, err error) {
		turns = nil
		var ids []int64
		room, err := t.room(lineOf(picked, func(d due) string { return d.line }), max(1, req.PerLineLimit), `
			SELECT line, count(*) FROM conversations WHERE line = ANY ($1) AND lease_until > 0 AND lease_until > $2 GROUP BY line`)
		if err != nil {
			return nil, false, err
		}
		for _, d := range picked {
			switch {
			case d.attempts >= store.MaxTurnLosses:
				err = t.giveUpTurn(d.id, store.ReasonTurnAbandoned, "the worker stopped in each attempt")
			case room.take(d.line):
				ids = append(ids, d.id)
			}
			if err != nil {
				return nil, false, err
			}
		}
		turns = t.leaseTurns(ids, req)
		return room.full(), len(ids) == 0, nil
	})
	if err != nil {
		return nil, err
	}
	if len(turns) == 0 {
		return nil, store.ErrNothingDue
	}
	return turns, nil
}

// claim is how work of one kind is claimed.
type claim[T any] struct {
	// pick locks candidates, which scan reads.
	pick string
	scan pgx.RowToFunc[T]
	// args are those of pick, where nothing of some lines is to be picked.
	args    func(exclude []string) []any
	exclude []string
}

// run leases what is picked, in transactions of their own until there is nothing
// to do again. Lines that turn out to be busy are excluded from then on.
func (c claim[T]) run(ctx context.Context, s *Store, lease func(t *tx, picked []T) (busy []string, again bool, err error)) error {
	exclude := append([]string{}, c.exclude...) // never null: that would exclude everything
	for {
		var picked []T
		var busy []string
		var again bool
		err := s.transact(ctx, s.work, func(t *tx, b *pgx.Batch) {
			t.queueClock(b)
			queueRows(b, &picked, c.scan, c.pick, c.args(exclude)...)
		}, func(t *tx) (err error) {
			if busy, again = nil, false; len(picked) == 0 {
				return nil
			}
			busy, again, err = lease(t, picked)
			return err
		})
		if err != nil || !again {
			return err
		}
		exclude = append(exclude, busy...)
	}
}

// queueRows queues a query all of whose rows are wanted.
func queueRows[T any](b *pgx.Batch, into *[]T, scan pgx.RowToFunc[T], query string, args ...any) {
	b.Queue(query, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, scan)
		return err
	})
}

// lineOf lists the lines of what was picked, sorted.
func lineOf[T any](picked []T, of func(T) string) []string {
	lines := map[string]bool{}
	for _, p := range picked {
		lines[of(p)] = true
	}
	return slices.Sorted(maps.Keys(lines))
}

// room is how many more leases each line may have.
type room map[string]int

// room counts the leases of lines while nobody else claims on them: claims that
// run at the same time do not see each other. leases is the query for it; its
// parameters are the lines, and now.
func (t *tx) room(lines []string, limit int, leases string) (room, error) {
	keys := make([]int64, 0, len(lines))
	r := room{}
	for _, line := range lines {
		keys = append(keys, t.s.key("claim "+line))
		r[line] = limit
	}
	slices.Sort(keys) // all take them in one order
	b := &pgx.Batch{}
	b.Queue(`SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k`, keys)
	b.Queue(leases, lines, t.now).Query(func(rows pgx.Rows) error {
		var line string
		var n int
		_, err := pgx.ForEachRow(rows, []any{&line, &n}, func() error {
			r[line] -= n
			return nil
		})
		return err
	})
	return r, t.send(b)
}

// take uses a place of the line, if there is one.
func (r room) take(line string) bool {
	if r[line] <= 0 {
		return false
	}
	r[line]--
	return true
}

// full lists the lines without a place.
func (r room) full() (lines []string) {
	for line, n := range r {
		if n <= 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// leaseTurns leases conversations that are locked, and reads their messages, in
// the round trip of the commit.
func (t *tx) leaseTurns(ids []int64, req store.ClaimRequest) []*store.Turn {
	if len(ids) == 0 {
		return nil
	}
	turns, byID := make([]*store.Turn, len(ids)), map[int64]*store.Turn{}
	until := t.now + req.Lease.Milliseconds()
	for i, id := range ids {
		turns[i] = &store.Turn{Owner: req.Owner, ClaimedAt: record.Instant(t.now), LeaseUntil: record.Instant(until)}
		byID[id] = turns[i]
	}
	b := t.later()
	// Nothing that must not happen twice follows from a claim alone: whatever does
	// is committed first, and with it the claim. So the claim does not wait for the
	// disk; if the database's power is cut right now, the turn is claimed again.
	b.Queue(`SELECT set_config('synchronous_commit', 'off', true)`)
	b.Queue(`
		UPDATE conversations SET owner = $1, epoch = epoch + 1, lease_until = $2, attempts = attempts + 1 WHERE id = ANY ($3)
		RETURNING id, line, phone_number_id, bsuid, phone, name, username, epoch, attempts, last_seq, superseded,
		          first_unanswered_at, summary, summary_through`, req.Owner, until, ids).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			var id, firstAt int64
			var o store.Turn
			err := rows.Scan(&id, &o.Line, &o.PhoneNumberID, &o.Contact.BSUID, &o.Contact.Phone, &o.Contact.Name, &o.Contact.Username,
				&o.Epoch, &o.Attempt, &o.LoadedSeq, &o.Superseded, &firstAt, &o.Summary.Text, &o.Summary.Through)
			if err != nil {
				return err
			}
			turn := byID[id]
			o.ConversationID, o.Owner, o.AllowSupersede, o.ClaimedAt, o.LeaseUntil = id, turn.Owner, true, turn.ClaimedAt, turn.LeaseUntil
			o.FirstUnansweredAt = record.Instant(firstAt)
			*turn = o
		}
		return rows.Err()
	})
	queueMessages(b, unanswered, func(m store.Message) {
		turn := byID[m.ConversationID]
		turn.Unanswered = append(turn.Unanswered, m)
	}, ids, store.MaxTurnMessages, store.MaxTurnBytes)
	if req.History > 0 {
		queueMessages(b, earlier, func(m store.Message) {
			turn := byID[m.ConversationID]
			turn.History = append(turn.History, m)
		}, ids, min(req.History, store.MaxTurnMessages), store.MaxTurnBytes)
	}
	return turns
}

func queueMessages(b *pgx.Batch, query string, use func(store.Message), args ...any) {
	b.Queue(query, args...).Query(func(rows pgx.Rows) error {
		messages, err := pgx.CollectRows(rows, scanMessage)
		for i := range messages {
			use(messages[i])
		}
		return err
	})
}

// unanswered and earlier select the messages of turns: what is to be answered,
// and what was said before. Their parameters: the conversations, how many
// messages of each, and how many bytes.
var (
	unanswered = newestOf(`conversation_id = q.id AND id >= q.first_unanswered_id AND seq > q.answered_seq AND seq <= q.last_seq`) +
		` ORDER BY m.event_at, m.seq`
	earlier = newestOf(`conversation_id = q.id AND id > q.discarded_through AND seq <= q.answered_seq AND target_wamid = ''`) +
		` ORDER BY m.event_at, m.id`
)

// newestOf selects the newest of the messages of each conversation q that a
// condition (a constant) holds for: at most so many, and of so many bytes, but
// at least one.
func newestOf(condition string) string {
	return messagesQuery + `
		WHERE m.id IN (
		  SELECT n.id FROM conversations q CROSS JOIN LATERAL (
		    SELECT id FROM (
		      SELECT id, row_number() OVER newest AS place, sum(size) OVER newest AS bytes
		      FROM (SELECT id, coalesce(length(raw), 0) + length(text) AS size FROM messages WHERE ` + condition + ` ORDER BY id DESC LIMIT $2) AS candidates
		      WINDOW newest AS (ORDER BY id DESC)) AS placed
		    WHERE place = 1 OR bytes <= $3) n
		  WHERE q.id = ANY ($1))`
}
