package sqlite

import (
	"context"
	"database/sql"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// charged is where a turn's messages were counted; empty members if nowhere.
type charged struct{ month, day string }

// charge counts n messages of the turn, and fails if that exceeds a limit.
func (t *tx) charge(turn *store.Turn, q *store.Quota, n int64) (charged, error) {
	if q == nil || n == 0 {
		return charged{}, nil
	}
	p, err := record.PeriodsOf(t.now, q.TimeZone)
	if err != nil {
		return charged{}, err
	}
	reached, begins, err := t.reached(turn, q, p, n)
	if err != nil {
		return charged{}, err
	}
	if reached != "" {
		return charged{}, &store.LimitError{Limit: reached}
	}
	if err := t.count(turn.Line, p.Month, store.Usage{Conversations: begins, Messages: n}); err != nil {
		return charged{}, err
	}
	if err := t.count(turn.Line, p.Day, store.Usage{Messages: n}); err != nil {
		return charged{}, err
	}
	if begins > 0 {
		until := t.now + store.ConversationLength.Milliseconds()
		if err := t.exec1(`UPDATE conversations SET ai_until = ? WHERE id = ?`, until, turn.ConversationID); err != nil {
			return charged{}, err
		}
	}
	err = t.exec1(`UPDATE conversations SET rate_count = CASE WHEN rate_hour = ? THEN rate_count ELSE 0 END + ?, rate_hour = ? WHERE id = ?`,
		p.Hour, n, p.Hour, turn.ConversationID)
	return charged{p.Month, p.Day}, err
}

// reached names the limit that n more messages would exceed. begins is 1 if
// they begin an AI conversation.
func (t *tx) reached(turn *store.Turn, q *store.Quota, p record.Periods, n int64) (limit store.Limit, begins int64, err error) {
	var aiUntil, rateHour, rate int64
	err = t.row(`SELECT ai_until, rate_hour, rate_count FROM conversations WHERE id = ?`, []any{turn.ConversationID}, &aiUntil, &rateHour, &rate)
	if err != nil {
		return "", 0, err
	}
	month, err := t.usage(turn.Line, p.Month)
	if err != nil {
		return "", 0, err
	}
	day, err := t.usage(turn.Line, p.Day)
	if err != nil {
		return "", 0, err
	}
	limit, begins = record.Reached(q, month, day, record.Customer{AIUntil: aiUntil, RateHour: rateHour, Rate: rate}, p, t.now, n)
	return limit, begins, nil
}

func (t *tx) usage(line, period string) (u store.Usage, err error) {
	_, err = t.found(`SELECT conversations, messages, tokens FROM usages WHERE line = ? AND period = ?`, []any{line, period},
		&u.Conversations, &u.Messages, &u.Tokens)
	return u, err
}

// count adds to what a line has used in a period.
func (t *tx) count(line, period string, u store.Usage) error {
	_, err := t.exec(`
		INSERT INTO usages (line, period, conversations, messages, billed, free, tokens) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (line, period) DO UPDATE SET
		  conversations = usages.conversations + excluded.conversations, messages = usages.messages + excluded.messages,
		  billed = usages.billed + excluded.billed, free = usages.free + excluded.free, tokens = usages.tokens + excluded.tokens`,
		line, period, u.Conversations, u.Messages, u.Billed, u.Free, u.Tokens)
	return err
}

// refund gives a message back that was counted and is known not to be sent, and its price.
func (t *tx) refund(outboxID string) error { return t.giveBack(outboxID, true, -1) }

// recount counts a message again that was given back and was sent after all, and its price.
func (t *tx) recount(outboxID string) error { return t.giveBack(outboxID, false, 1) }

func (t *tx) giveBack(outboxID string, givenBack bool, n int64) error {
	var line, month, day string
	var priced record.Price
	found, err := t.found(`UPDATE outbox SET given_back = ?1 WHERE id = ?2 AND month <> '' AND given_back <> ?1 RETURNING line, month, day, priced`,
		[]any{givenBack, outboxID}, &line, &month, &day, &priced)
	if err != nil || !found {
		return err
	}
	// Meta bills what it delivers, whatever price it told before.
	u := priced.Usage(n)
	u.Messages = n
	if err := t.count(line, month, u); err != nil {
		return err
	}
	return t.count(line, day, store.Usage{Messages: n})
}

// price counts the price that Meta tells of a message, once.
func (t *tx) price(s *store.Status) error {
	price := record.PriceOf(s.Pricing)
	if price == record.PriceUnknown {
		return nil
	}
	var id, line, month string
	var givenBack bool
	found, err := t.found(`
		SELECT o.id, o.line, o.month, o.given_back FROM messages m JOIN outbox o ON o.id = m.outbox_id
		WHERE m.phone_number_id = ? AND m.wamid = ? AND o.month <> '' AND o.priced = 0`,
		[]any{s.PhoneNumberID, s.WAMID}, &id, &line, &month, &givenBack)
	if err != nil || !found {
		return err
	}
	if err := t.exec1(`UPDATE outbox SET priced = ? WHERE id = ?`, int64(price), id); err != nil || givenBack {
		return err
	}
	return t.count(line, month, price.Usage(1))
}

// priceJoined counts the price that came before the wamid was known.
func (t *tx) priceJoined(number, wamid string) error {
	s := store.Status{PhoneNumberID: number, WAMID: wamid}
	found, err := t.found(`SELECT pricing FROM statuses WHERE phone_number_id = ? AND wamid = ? AND pricing IS NOT NULL LIMIT 1`,
		[]any{number, wamid}, &s.Pricing)
	if err != nil || !found {
		return err
	}
	return t.price(&s)
}

// Reached implements store.Usages.
func (s *Store) Reached(ctx context.Context, turn *store.Turn, q store.Quota) (store.Limit, error) {
	var limit store.Limit
	err := s.write(ctx, func(t *tx) error {
		p, err := record.PeriodsOf(t.now, q.TimeZone)
		if err != nil {
			return err
		}
		limit, _, err = t.reached(turn, &q, p, 1)
		return err
	})
	return limit, err
}

// ReserveTokens implements store.Usages.
func (s *Store) ReserveTokens(ctx context.Context, line, timeZone string, tokens int64, bound *int64) (day string, ok bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		p, err := record.PeriodsOf(t.now, timeZone)
		if err != nil {
			return err
		}
		day, ok = p.Day, false
		used, err := t.usage(line, p.Day)
		if err != nil || record.Exceeds(used.Tokens+tokens, bound) {
			return err
		}
		ok = true
		return t.count(line, p.Day, store.Usage{Tokens: tokens})
	})
	return day, ok && err == nil, err
}

// SettleTokens implements store.Usages.
func (s *Store) SettleTokens(ctx context.Context, line, day string, difference int64) error {
	return s.write(ctx, func(t *tx) error { return t.count(line, day, store.Usage{Tokens: difference}) })
}

// Usages implements store.Usages.
func (s *Store) Usages(ctx context.Context, line string, limit int) ([]store.Usage, error) {
	return list(ctx, s, func(rows *sql.Rows) (u store.Usage, err error) {
		err = rows.Scan(&u.Line, &u.Period, &u.Conversations, &u.Messages, &u.Billed, &u.Free, &u.Tokens)
		return u, err
	}, `SELECT line, period, conversations, messages, billed, free, tokens FROM usages WHERE line = ? ORDER BY period DESC LIMIT +?`, line, limit)
}
