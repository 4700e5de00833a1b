package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// charged is where a turn's messages were counted; empty members if nowhere.
type charged struct{ month, day string }

// charge counts n messages of the turn, and fails if that exceeds a limit. The
// turn's conversation is locked, and so is what is known of its customer, which
// finishTurn writes as it is then.
func (t *tx) charge(turn *store.Turn, q *store.Quota, n int64, customer *record.Customer) (charged, error) {
	if q == nil || n == 0 {
		return charged{}, nil
	}
	p, err := record.PeriodsOf(t.now, q.TimeZone)
	if err != nil {
		return charged{}, err
	}
	reached, begins, err := t.reached(turn, q, p, n, *customer)
	if err != nil {
		return charged{}, err
	}
	if reached != "" {
		return charged{}, &store.LimitError{Limit: reached}
	}
	t.later().Queue(countUsage, []string{turn.Line, turn.Line}, []string{p.Month, p.Day}, []int64{begins, 0}, []int64{n, n}, none, none, none)
	if customer.RateHour != p.Hour {
		customer.RateHour, customer.Rate = p.Hour, 0
	}
	customer.Rate += n
	if begins > 0 {
		customer.AIUntil = t.now + store.ConversationLength.Milliseconds()
	}
	return charged{p.Month, p.Day}, nil
}

// reached names the limit that n more messages would exceed. begins is 1 if
// they begin an AI conversation. Nobody else looks at the line's limits until
// the transaction ends.
func (t *tx) reached(turn *store.Turn, q *store.Quota, p record.Periods, n int64, customer record.Customer) (limit store.Limit, begins int64, err error) {
	var used []store.Usage
	if q.Bounded() {
		b := &pgx.Batch{}
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, t.s.key("usage "+turn.Line))
		queueRows(b, &used, func(row pgx.CollectableRow) (u store.Usage, err error) {
			err = row.Scan(&u.Period, &u.Conversations, &u.Messages)
			return u, err
		}, `SELECT period, conversations, messages FROM usages WHERE line = $1 AND period IN ($2, $3)`, turn.Line, p.Month, p.Day)
		if err := t.send(b); err != nil {
			return "", 0, err
		}
	}
	var month, day store.Usage
	for _, u := range used {
		if u.Period == p.Month {
			month = u
		} else {
			day = u
		}
	}
	limit, begins = record.Reached(q, month, day, customer, p, t.now, n)
	return limit, begins, nil
}

func (t *tx) usage(line, period string) (u store.Usage, err error) {
	_, err = t.found(`SELECT conversations, messages, tokens FROM usages WHERE line = $1 AND period = $2`, []any{line, period},
		&u.Conversations, &u.Messages, &u.Tokens)
	return u, err
}

// countUsage adds to what lines have used in periods. The arrays that are its
// parameters are columns.
const countUsage = `
	INSERT INTO usages (line, period, conversations, messages, billed, free, tokens)
	SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
	ON CONFLICT (line, period) DO UPDATE SET
	  conversations = usages.conversations + excluded.conversations, messages = usages.messages + excluded.messages,
	  billed = usages.billed + excluded.billed, free = usages.free + excluded.free, tokens = usages.tokens + excluded.tokens`

// none is nothing in the two periods of a turn.
var none = []int64{0, 0}

// count adds to what a line has used in a period.
func (t *tx) count(line, period string, u store.Usage) error {
	_, err := t.exec(countUsage, []string{line}, []string{period},
		[]int64{u.Conversations}, []int64{u.Messages}, []int64{u.Billed}, []int64{u.Free}, []int64{u.Tokens})
	return err
}

// refund gives a message back that was counted and is known not to be sent, and its price.
func (t *tx) refund(outboxID string) error { return t.giveBack(outboxID, true, -1) }

// recount counts a message again that was given back and was sent after all, and its price.
func (t *tx) recount(outboxID string) error { return t.giveBack(outboxID, false, 1) }

func (t *tx) giveBack(outboxID string, givenBack bool, n int64) error {
	var line, month, day string
	var priced record.Price
	found, err := t.found(`UPDATE outbox SET given_back = $1 WHERE id = $2 AND month <> '' AND given_back <> $1 RETURNING line, month, day, priced`,
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
		WHERE m.phone_number_id = $1 AND m.wamid = $2 AND o.month <> '' AND o.priced = 0`,
		[]any{s.PhoneNumberID, s.WAMID}, &id, &line, &month, &givenBack)
	if err != nil || !found {
		return err
	}
	if err := t.exec1(`UPDATE outbox SET priced = $1 WHERE id = $2`, int64(price), id); err != nil || givenBack {
		return err
	}
	return t.count(line, month, price.Usage(1))
}

// priceAll counts the prices that statuses tell, each once.
func (t *tx) priceAll(list []*news) error {
	var numbers, wamids []string
	var prices []int64
	for _, s := range list {
		if price := record.PriceOf(s.pricing); price != record.PriceUnknown {
			numbers, wamids, prices = append(numbers, s.PhoneNumberID), append(wamids, s.WAMID), append(prices, int64(price))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	type priced struct {
		line, month string
		price       record.Price
		givenBack   bool
	}
	all, err := rowsOf(t, func(row pgx.CollectableRow) (p priced, err error) {
		err = row.Scan(&p.line, &p.month, &p.price, &p.givenBack)
		return p, err
	}, `
		UPDATE outbox o SET priced = k.price
		FROM unnest($1::text[], $2::text[], $3::bigint[]) k (number, wamid, price)
		JOIN messages m ON m.phone_number_id = k.number AND m.wamid = k.wamid
		WHERE o.id = m.outbox_id AND o.month <> '' AND o.priced = 0 RETURNING o.line, o.month, k.price, o.given_back`, numbers, wamids, prices)
	if err != nil {
		return err
	}
	// In one order, lest two replicas wait for each other.
	slices.SortFunc(all, func(a, b priced) int { return strings.Compare(a.line+" "+a.month, b.line+" "+b.month) })
	for _, p := range all {
		if p.givenBack {
			continue
		}
		if err := t.count(p.line, p.month, p.price.Usage(1)); err != nil {
			return err
		}
	}
	return nil
}

// priceJoined counts the price that came before the wamid was known.
func (t *tx) priceJoined(number, wamid string) error {
	s := store.Status{PhoneNumberID: number, WAMID: wamid}
	found, err := t.found(`SELECT pricing FROM statuses WHERE phone_number_id = $1 AND wamid = $2 AND pricing IS NOT NULL LIMIT 1`,
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
		var c record.Customer
		err = t.row(`SELECT ai_until, rate_hour, rate_count FROM conversations WHERE id = $1`, []any{turn.ConversationID}, &c.AIUntil, &c.RateHour, &c.Rate)
		if err != nil {
			return err
		}
		limit, _, err = t.reached(turn, &q, p, 1, c)
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
		// Nobody else may count on the line between the look and the write.
		if err := t.lock("usage " + line); err != nil {
			return err
		}
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
	return list(ctx, s, func(row pgx.CollectableRow) (u store.Usage, err error) {
		err = row.Scan(&u.Line, &u.Period, &u.Conversations, &u.Messages, &u.Billed, &u.Free, &u.Tokens)
		return u, err
	}, `SELECT line, period, conversations, messages, billed, free, tokens FROM usages WHERE line = $1 ORDER BY period DESC LIMIT $2`, line, limit)
}
