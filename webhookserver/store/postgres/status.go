package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// statusKey is what makes a status unique.
type statusKey struct {
	number, wamid, kind, participant string
}

// news is a status that was not known yet.
type news struct {
	*store.Status
	// known says that the message that it is about is, and is not an echo: that may
	// be of a send of ours.
	known bool
	// pricing is what the status, or a copy of it, tells of the price.
	pricing []byte
}

// addStatuses keeps the statuses and lifts the messages that they are about.
// One whose wamid we don't know yet waits in its table until a send learns the
// wamid.
func (t *tx) addStatuses(items []*record.Item) error {
	list, err := t.insertStatuses(items)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := t.liftStatuses(list); err != nil {
		return err
	}
	if err := t.priceAll(list); err != nil {
		return err
	}
	return t.resolveByCallback(list)
}

// insertStatuses stores what is new, and returns it.
func (t *tx) insertStatuses(items []*record.Item) ([]*news, error) {
	first := map[statusKey]*record.Item{}
	var kept []*record.Item
	pricing := map[*record.Item][]byte{}
	for _, it := range items {
		s := it.Status
		if s == nil {
			continue
		}
		it.Outcome = record.OutcomeDuplicate
		key := statusKey{s.PhoneNumberID, s.WAMID, string(s.Kind), s.Participant}
		known := first[key]
		if known == nil {
			first[key] = it
			kept = append(kept, it)
			known = it
		}
		// One statement touches a row once; so a copy's pricing is merged here.
		if len(pricing[known]) == 0 && len(s.Pricing) > 0 {
			pricing[known] = s.Pricing
			if known != it {
				it.Outcome = record.OutcomeNew
			}
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	slices.SortFunc(kept, func(x, y *record.Item) int {
		a, b := x.Status, y.Status
		return cmp.Or(cmp.Compare(a.PhoneNumberID, b.PhoneNumberID), cmp.Compare(a.WAMID, b.WAMID), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Participant, b.Participant))
	})
	n := len(kept)
	numbers, wamids, kinds, participants, lines := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	eventAts, codes, pricings, raws := make([]int64, n), make([]int64, n), make([][]byte, n), make([][]byte, n)
	for i, it := range kept {
		s := it.Status
		numbers[i], wamids[i], kinds[i], participants[i], lines[i] = s.PhoneNumberID, s.WAMID, string(s.Kind), s.Participant, s.Line
		eventAts[i], codes[i], pricings[i], raws[i] = record.Millis(s.EventTime), int64(s.ErrorCode), pricing[it], s.Raw
	}
	stored, err := rowsOf(t, func(row pgx.CollectableRow) (key statusKey, err error) {
		err = row.Scan(&key.number, &key.wamid, &key.kind, &key.participant)
		return key, err
	}, `
		INSERT INTO statuses (phone_number_id, wamid, status, participant, line, event_at, error_code, pricing, raw, received_at)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]), unnest($6::bigint[]), unnest($7::bigint[]),
		       unnest($8::bytea[]), unnest($9::bytea[]), $10::bigint
		ON CONFLICT (phone_number_id, wamid, status, participant) DO UPDATE SET pricing = excluded.pricing
		WHERE statuses.pricing IS NULL AND excluded.pricing IS NOT NULL
		RETURNING phone_number_id, wamid, status, participant`,
		numbers, wamids, kinds, participants, lines, eventAts, codes, pricings, raws, t.now)
	if err != nil {
		return nil, err
	}
	list := make([]*news, 0, len(stored))
	for _, key := range stored {
		it := first[key]
		it.Outcome = record.OutcomeNew
		list = append(list, &news{Status: it.Status, pricing: pricing[it]})
	}
	return list, nil
}

// lift is the highest of the new statuses of a message.
type lift struct {
	kind store.StatusKind
	code int
}

// liftStatuses raises the messages' statuses if the new ones rank higher, and
// notes which of them are known. Of several statuses of one message only the
// highest counts.
func (t *tx) liftStatuses(list []*news) error {
	highest := map[messageKey]lift{}
	for _, s := range list {
		key := messageKey{s.PhoneNumberID, s.WAMID}
		if best, ok := highest[key]; !ok || s.Kind.Rank() > best.kind.Rank() {
			highest[key] = lift{s.Kind, s.ErrorCode}
		}
	}
	known, err := t.lift(highest)
	for _, s := range list {
		s.known = known[messageKey{s.PhoneNumberID, s.WAMID}]
	}
	return err
}

// lift locks the messages in the order of their key, raises their statuses, and
// returns which of them there are, but for echoes.
func (t *tx) lift(highest map[messageKey]lift) (known map[messageKey]bool, err error) {
	numbers, wamids := make([]string, 0, len(highest)), make([]string, 0, len(highest))
	for key := range highest {
		numbers, wamids = append(numbers, key.number), append(wamids, key.wamid)
	}
	type message struct {
		messageKey
		id, rank int64
		outboxID string
		source   store.Source
	}
	messages, err := rowsOf(t, func(row pgx.CollectableRow) (m message, err error) {
		err = row.Scan(&m.number, &m.wamid, &m.id, &m.rank, &m.outboxID, &m.source)
		return m, err
	}, `
		SELECT m.phone_number_id, m.wamid, m.id, m.status_rank, m.outbox_id, m.source
		FROM unnest($1::text[], $2::text[]) k (number, wamid) JOIN messages m ON m.phone_number_id = k.number AND m.wamid = k.wamid
		ORDER BY m.phone_number_id, m.wamid FOR UPDATE OF m`, numbers, wamids)
	if err != nil {
		return nil, err
	}
	known = make(map[messageKey]bool, len(messages))
	var ids, ranks, codes []int64
	var kinds, outboxIDs, revived []string
	for i := range messages {
		m := &messages[i]
		known[m.messageKey] = m.source != store.SourceEcho
		if l := highest[m.messageKey]; int64(l.kind.Rank()) > m.rank {
			ids, ranks, kinds = append(ids, m.id), append(ranks, int64(l.kind.Rank())), append(kinds, string(l.kind))
			outboxIDs, codes = append(outboxIDs, m.outboxID), append(codes, int64(l.code))
			if m.outboxID != "" && m.rank == int64(store.StatusFailed.Rank()) {
				revived = append(revived, m.outboxID)
			}
		}
	}
	if len(ids) == 0 {
		return known, nil
	}
	_, err = t.exec(`
		UPDATE messages m SET status = u.kind, status_rank = u.rank FROM unnest($1::bigint[], $2::text[], $3::bigint[]) u (id, kind, rank) WHERE m.id = u.id`,
		ids, kinds, ranks)
	if err != nil {
		return nil, err
	}
	for _, id := range revived {
		if err := t.revive(id); err != nil {
			return nil, err
		}
	}
	return known, t.tellSends(outboxIDs, kinds, codes)
}

// revive takes back what a failed status has said of a send that was delivered.
func (t *tx) revive(outboxID string) error {
	n, err := t.exec(`UPDATE outbox SET reason = '', error_code = 0 WHERE id = $1 AND reason = $2`, outboxID, store.ReasonStatusFailed)
	if err != nil || n == 0 {
		return err
	}
	return t.recount(outboxID)
}

// tellSends carries the statuses of our own messages over to their sends: why
// one failed, and how far a test message has come.
func (t *tx) tellSends(outboxIDs, kinds []string, codes []int64) error {
	type told struct {
		id, testKey string
		place       int64
	}
	sends, err := rowsOf(t, func(row pgx.CollectableRow) (s told, err error) {
		err = row.Scan(&s.id, &s.testKey, &s.place)
		return s, err
	}, `
		SELECT o.id, o.test_key, u.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u (id, kind, place) JOIN outbox o ON o.id = u.id
		WHERE u.id <> '' AND (u.kind = 'failed' OR o.test_key <> '') ORDER BY o.sequence`, outboxIDs, kinds)
	if err != nil {
		return err
	}
	for _, s := range sends {
		kind, code := store.StatusKind(kinds[s.place-1]), int(codes[s.place-1])
		if kind == store.StatusFailed {
			if _, err := t.exec(`UPDATE outbox SET error_code = $1, reason = $2 WHERE id = $3`, code, store.ReasonStatusFailed, s.id); err != nil {
				return err
			}
			if err := t.refund(s.id); err != nil {
				return err
			}
		}
		if s.testKey != "" {
			if err := t.advanceTestMessage(s.id, kind, code); err != nil {
				return err
			}
		}
	}
	return nil
}

// byCallback finds the statuses that may settle a send, by number and the send's
// id: somebody else's number has no say. Of several the one counts that is not a
// failure, which proves more.
func byCallback(list []*news) (byID map[messageKey]*news, ids []string) {
	byID = map[messageKey]*news{}
	for _, s := range list {
		if s.known || s.CallbackData == "" {
			continue
		}
		key := messageKey{s.PhoneNumberID, s.CallbackData}
		if first := byID[key]; first == nil || first.Kind == store.StatusFailed && s.Kind != store.StatusFailed {
			byID[key] = s
			ids = append(ids, s.CallbackData)
		}
	}
	return byID, ids
}

// resolveByCallback settles sends of unknown outcome: a status that carries
// their id proves that Meta took them, and tells under which wamid. It proves it
// also of one that has failed since, because its repetition was refused or came
// too late.
func (t *tx) resolveByCallback(list []*news) error {
	byID, ids := byCallback(list)
	if len(ids) == 0 {
		return nil
	}
	sends, err := t.lockSends(ids)
	if err != nil {
		return err
	}
	taken := map[messageKey]bool{}
	for i := range sends {
		o := &sends[i]
		s := byID[messageKey{o.number, o.id}]
		if s == nil {
			continue
		}
		key := messageKey{s.PhoneNumberID, s.WAMID}
		switch {
		case taken[key]: // it is the id of another send
		case o.state == store.SendAccepted:
			// The worker was faster, and could not see this status yet.
			if err := t.joinStatuses(s.PhoneNumberID, s.WAMID); err != nil {
				return err
			}
		case o.attempts == 0, o.state == store.SendFailed && s.Kind == store.StatusFailed: // it was never sent, or tells nothing new
		default:
			taken[key] = true
			if err := t.acceptByStatus(o.id, o.line, o.message, s.Status); err != nil {
				return err
			}
		}
	}
	return nil
}

// settled is what is known of a send that a status may settle.
type settled struct {
	id, number, line string
	state            store.SendState
	message          int64
	attempts         int
}

// lockSends locks sends after their messages. The locks wait for a worker who is
// telling the store the same.
func (t *tx) lockSends(ids []string) ([]settled, error) {
	if _, err := t.exec(`
		SELECT m.id FROM messages m JOIN outbox o ON o.message_id = m.id WHERE o.id = ANY ($1) ORDER BY m.id FOR UPDATE OF m`, ids); err != nil {
		return nil, err
	}
	return rowsOf(t, func(row pgx.CollectableRow) (s settled, err error) {
		err = row.Scan(&s.id, &s.number, &s.line, &s.state, &s.message, &s.attempts)
		return s, err
	}, `SELECT id, phone_number_id, line, state, message_id, attempts FROM outbox WHERE id = ANY ($1) ORDER BY sequence FOR UPDATE`, ids)
}

func (t *tx) acceptByStatus(id, line string, message int64, s *store.Status) error {
	if err := t.exec1(`UPDATE outbox SET state = 'accepted', reason = '', error_code = 0, state_at = $1, lease_until = 0 WHERE id = $2`, t.now, id); err != nil {
		return err
	}
	if err := t.recount(id); err != nil {
		return err
	}
	t.traffic = append(t.traffic, traffic{line, sent})
	return t.attachWAMID(message, s.PhoneNumberID, s.WAMID)
}

// dropEcho removes what looked like a message from elsewhere and was the echo of
// one of ours. Its conversation is to forget it.
const dropEcho = `DELETE FROM messages WHERE phone_number_id = $1 AND wamid = $2 AND outbox_id = '' AND source = 'echo' RETURNING conversation_id`

// forgetEcho undoes what an echo of ours did: no person wrote it, so it must not
// keep the assistant silent.
func (t *tx) forgetEcho(conversation int64) error {
	if err := t.exec1(`
		UPDATE conversations SET person_at = coalesce((SELECT max(event_at) FROM messages WHERE conversation_id = $1 AND (source = 'echo' OR author = 'person')), 0)
		WHERE id = $1`, conversation); err != nil {
		return err
	}
	_, err := t.exec(`
		UPDATE conversations c SET reply_due_at = $1 WHERE id = $2 AND reply_due_at = 0 AND last_seq > answered_seq AND first_unanswered_id <> 0
		  AND state = 'Active' AND NOT `+personAnswers+` AND NOT `+ownedElsewhere, t.now, conversation)
	return err
}

// attachWAMID tells a message of ours its wamid, unless another one has it: two
// of one wamid are not Meta's doing, and must not stop who stores something else.
func (t *tx) attachWAMID(messageID int64, number, wamid string) error {
	rest := t.queueWAMID(messageID, number, wamid)
	if err := t.settle(); err != nil {
		return err
	}
	return rest()
}

// queueWAMID is attachWAMID in two parts: rest is to be called when the
// statements that it queues have run.
func (t *tx) queueWAMID(messageID int64, number, wamid string) (rest func() error) {
	var echoes []int64
	var known []lift
	var attached int64
	b := t.later()
	queueRows(b, &echoes, pgx.RowTo[int64], dropEcho, number, wamid)
	b.Queue(`UPDATE messages SET wamid = $1 WHERE id = $2 AND wamid IS NULL AND NOT EXISTS (SELECT 1 FROM messages WHERE phone_number_id = $3 AND wamid = $1)`,
		wamid, messageID, number).Exec(func(tag pgconn.CommandTag) error {
		attached = tag.RowsAffected()
		return nil
	})
	queueRows(b, &known, scanLift, statusesOf, number, wamid)
	return func() error {
		for _, conversation := range echoes {
			if err := t.forgetEcho(conversation); err != nil {
				return err
			}
		}
		if attached == 0 {
			return nil
		}
		return t.join(number, wamid, known)
	}
}

// statusesOf selects the statuses of a message.
const statusesOf = `SELECT status, error_code FROM statuses WHERE phone_number_id = $1 AND wamid = $2`

func scanLift(row pgx.CollectableRow) (l lift, err error) {
	err = row.Scan(&l.kind, &l.code)
	return l, err
}

// joinStatuses lifts a message by the statuses that came before its wamid.
func (t *tx) joinStatuses(number, wamid string) error {
	known, err := rowsOf(t, scanLift, statusesOf, number, wamid)
	if err != nil {
		return err
	}
	return t.join(number, wamid, known)
}

// join lifts a message by its statuses.
func (t *tx) join(number, wamid string, known []lift) error {
	var best lift
	for _, l := range known {
		if l.kind.Rank() > best.kind.Rank() {
			best = l
		}
	}
	if best.kind == "" {
		return nil
	}
	if err := t.priceJoined(number, wamid); err != nil {
		return err
	}
	_, err := t.lift(map[messageKey]lift{{number, wamid}: best})
	return err
}
