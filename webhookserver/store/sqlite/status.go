package sqlite

import (
	"cmp"
	"database/sql"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// addStatus keeps the status and lifts the message that it is about. One whose
// wamid we don't know yet waits in its table until a send learns the wamid.
func (t *tx) addStatus(s *store.Status) (record.Outcome, error) {
	n, err := t.exec(`
		INSERT INTO statuses (phone_number_id, wamid, status, participant, line, event_at, received_at, error_code, pricing, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (phone_number_id, wamid, status, participant) DO UPDATE SET pricing = excluded.pricing
		WHERE statuses.pricing IS NULL AND excluded.pricing IS NOT NULL`,
		s.PhoneNumberID, s.WAMID, string(s.Kind), s.Participant, s.Line, record.Millis(s.EventTime), t.now, s.ErrorCode, nilIfEmpty(s.Pricing), s.Raw)
	if err != nil || n == 0 {
		return record.OutcomeDuplicate, err
	}
	if err := t.price(s); err != nil {
		return record.OutcomeNew, err
	}
	known, err := t.liftStatus(s.PhoneNumberID, s.WAMID, s.Kind, s.ErrorCode)
	if err != nil || known || s.CallbackData == "" {
		return record.OutcomeNew, err
	}
	return record.OutcomeNew, t.resolveByCallback(s)
}

func nilIfEmpty(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// liftStatus raises a message's status if the new one ranks higher. It tells
// whether it did, and it was not an echo: that may be of a send of ours.
func (t *tx) liftStatus(number, wamid string, kind store.StatusKind, code int) (bool, error) {
	var outboxID string
	var source store.Source
	found, err := t.found(`
		UPDATE messages SET status = ?, status_rank = ? WHERE phone_number_id = ? AND wamid = ? AND status_rank < ? RETURNING outbox_id, source`,
		[]any{string(kind), kind.Rank(), number, wamid, kind.Rank()}, &outboxID, &source)
	if err != nil || !found || outboxID == "" {
		return found && source != store.SourceEcho, err
	}
	if kind == store.StatusFailed {
		if _, err := t.exec(`UPDATE outbox SET error_code = ?, reason = ? WHERE id = ?`, code, store.ReasonStatusFailed, outboxID); err != nil {
			return true, err
		}
		if err := t.refund(outboxID); err != nil {
			return true, err
		}
	}
	if kind.Rank() > store.StatusFailed.Rank() {
		if err := t.revive(outboxID); err != nil {
			return true, err
		}
	}
	return true, t.advanceTestMessage(outboxID, kind, code)
}

// revive takes back what a failed status has said of a send that was delivered.
func (t *tx) revive(outboxID string) error {
	n, err := t.exec(`UPDATE outbox SET reason = '', error_code = 0 WHERE id = ? AND reason = ?`, outboxID, store.ReasonStatusFailed)
	if err != nil || n == 0 {
		return err
	}
	return t.recount(outboxID)
}

// resolveByCallback settles a send of unknown outcome: a status that carries
// its id proves that Meta took it, and tells under which wamid. It proves it also
// of one that has failed since, because its repetition was refused or came too late.
func (t *tx) resolveByCallback(s *store.Status) error {
	var messageID int64
	var line string
	found, err := t.found(`
		UPDATE outbox SET state = 'accepted', reason = '', error_code = 0, state_at = ?, lease_until = 0
		WHERE id = ? AND phone_number_id = ? AND attempts > 0 AND state <> 'accepted' AND (state <> 'failed' OR ? <> 'failed')
		  AND NOT EXISTS (SELECT 1 FROM messages WHERE phone_number_id = ? AND wamid = ? AND source <> 'echo')
		RETURNING message_id, line`,
		[]any{t.now, s.CallbackData, s.PhoneNumberID, string(s.Kind), s.PhoneNumberID, s.WAMID}, &messageID, &line)
	if err != nil || !found {
		return err
	}
	if err := t.recount(s.CallbackData); err != nil {
		return err
	}
	if err := t.noteSent(line); err != nil {
		return err
	}
	return t.attachWAMID(messageID, s.PhoneNumberID, s.WAMID)
}

// dropEcho removes what looked like a message from elsewhere and was the echo of
// one of ours: no person wrote it, so it must not keep the assistant silent.
func (t *tx) dropEcho(number, wamid string) error {
	var id, conversation int64
	found, err := t.found(`DELETE FROM messages WHERE phone_number_id = ? AND wamid = ? AND outbox_id = '' AND source = 'echo' RETURNING id, conversation_id`,
		[]any{number, wamid}, &id, &conversation)
	if err != nil || !found {
		return err
	}
	if err := t.spare(conversation, id); err != nil {
		return err
	}
	if err := t.exec1(`
		UPDATE conversations SET person_at = coalesce((SELECT max(event_at) FROM messages WHERE (source = 'echo' OR author = 'person') AND id IN (`+allMessages+`)), 0)
		WHERE id = ?1`, conversation); err != nil {
		return err
	}
	_, err = t.exec(`
		UPDATE conversations AS c SET reply_due_at = ? WHERE id = ? AND reply_due_at = 0 AND last_seq > answered_seq AND first_unanswered_id <> 0
		  AND state = 'Active' AND NOT `+personAnswers+` AND NOT `+ownedElsewhere, t.now, conversation)
	return err
}

// attachWAMID tells a message of ours its wamid, unless another one has it, and
// joins the statuses that came before.
func (t *tx) attachWAMID(messageID int64, number, wamid string) error {
	if err := t.dropEcho(number, wamid); err != nil {
		return err
	}
	n, err := t.exec(`UPDATE messages SET wamid = ?1 WHERE id = ?2 AND wamid IS NULL AND NOT EXISTS (SELECT 1 FROM messages WHERE phone_number_id = ?3 AND wamid = ?1)`,
		wamid, messageID, number)
	if err != nil || n == 0 {
		return err
	}
	return t.joinStatuses(number, wamid)
}

// joinStatuses lifts a message by the statuses that came before its wamid.
func (t *tx) joinStatuses(number, wamid string) error {
	var highest store.StatusKind
	code := 0
	err := t.each(`SELECT status, error_code FROM statuses WHERE phone_number_id = ? AND wamid = ?`, []any{number, wamid}, func(rows *sql.Rows) error {
		var kind store.StatusKind
		var kindCode int
		if err := rows.Scan(&kind, &kindCode); err != nil {
			return err
		}
		if kind.Rank() > highest.Rank() {
			highest = kind
		}
		code = cmp.Or(code, kindCode)
		return nil
	})
	if err != nil || highest == "" {
		return err
	}
	if err := t.priceJoined(number, wamid); err != nil {
		return err
	}
	_, err = t.liftStatus(number, wamid, highest, code)
	return err
}
