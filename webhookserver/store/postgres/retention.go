package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// defaultExpireBatch keeps an expiring transaction to some milliseconds, since
// deliveries may wait for its locks.
const defaultExpireBatch = 500

// periods are a Retention in the form that queries take.
type periods struct {
	fallback int64
	lines    []string
	perLine  []int64
	batch    int
}

func periodsOf(r store.Retention) periods {
	clamp := func(d time.Duration) int64 { return max(d, store.MinRetention).Milliseconds() }
	p := periods{fallback: clamp(r.Default), batch: r.BatchSize}
	for line, d := range r.PerLine {
		p.lines, p.perLine = append(p.lines, line), append(p.perLine, clamp(d))
	}
	if p.batch <= 0 {
		p.batch = defaultExpireBatch
	}
	return p
}

// Expire implements store.Maintenance. What is to go is looked up first; the
// transaction checks the age again as it deletes.
func (s *Store) Expire(ctx context.Context, r store.Retention) (int, error) {
	p := periodsOf(r)
	old, err := list(ctx, s, func(row pgx.CollectableRow) (e expiring, err error) {
		err = row.Scan(&e.conversation, &e.cutoff)
		return e, err
	}, `SELECT id, cutoff FROM (
		  SELECT c.id, `+clockNow+` - coalesce(p.period, $2) AS cutoff,
		         coalesce((SELECT m.received_at FROM messages m WHERE m.conversation_id = c.id ORDER BY m.id LIMIT 1),
		                  greatest(c.created_at, c.last_user_at)) AS oldest
		  FROM conversations c LEFT JOIN unnest($3::text[], $4::bigint[]) p (line, period) ON p.line = c.line) AS aged
		WHERE oldest < cutoff ORDER BY id LIMIT $5`, s.clockOverride(), p.fallback, p.lines, p.perLine, p.batch)
	if err != nil {
		return 0, err
	}
	total := 0
	err = s.write(ctx, func(t *tx) error {
		total = 0
		// Replicas take turns, instead of looking for the same rows.
		if err := t.lock(lockExpiry); err != nil {
			return err
		}
		n, err := t.expireThreads(old, p.batch)
		total += n
		if err != nil {
			return err
		}
		n, err = t.expireRest(p)
		total += n
		return err
	})
	return total, err
}

// expiring is a conversation whose oldest message is older than its cutoff.
type expiring struct{ conversation, cutoff int64 }

func (t *tx) expireThreads(old []expiring, batch int) (total int, err error) {
	ids := make([]int64, len(old))
	for i, e := range old {
		ids[i] = e.conversation
	}
	if _, err := t.exec(`SELECT id FROM conversations WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, ids); err != nil {
		return 0, err
	}
	for _, e := range old {
		if batch <= 0 {
			break
		}
		n, err := t.exec(`
			DELETE FROM messages WHERE received_at < $1 AND id IN (SELECT id FROM messages WHERE conversation_id = $2 ORDER BY id LIMIT $3)`,
			e.cutoff, e.conversation, batch)
		if err != nil {
			return total, err
		}
		batch -= int(n)
		total += int(n)
		if err := t.expireOrders(e); err != nil {
			return total, err
		}
		gone, err := t.expireEmptyThread(e)
		if err != nil {
			return total, err
		}
		total += gone
	}
	return total, nil
}

// expireOrders removes orders and calls of tools that are as old as the messages.
func (t *tx) expireOrders(e expiring) error {
	if _, err := t.exec(`DELETE FROM orders WHERE conversation_id = $1 AND created_at < $2`, e.conversation, e.cutoff); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM tool_calls WHERE conversation_id = $1 AND created_at < $2`, e.conversation, e.cutoff)
	return err
}

// expireEmptyThread removes the sends whose message is gone, and the contact
// himself when nothing of him is left.
func (t *tx) expireEmptyThread(e expiring) (int, error) {
	_, err := t.exec(`
		DELETE FROM outbox WHERE conversation_id = $1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = outbox.message_id)`, e.conversation)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(`
		DELETE FROM conversations WHERE id = $1 AND created_at < $2 AND last_user_at < $2 AND lease_until <= $3
		  AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = conversations.id)`,
		e.conversation, e.cutoff, t.now)
	if err != nil || n == 0 {
		return 0, err
	}
	_, err = t.exec(`DELETE FROM identities WHERE conversation_id = $1`, e.conversation)
	return int(n), err
}

// expireRest deletes what belongs to no conversation.
func (t *tx) expireRest(p periods) (total int, err error) {
	shortest := t.now - store.MinRetention.Milliseconds()
	perLine := []any{shortest, t.now, p.fallback, p.lines, p.perLine, p.batch}
	for _, d := range []struct {
		query string
		args  []any
	}{
		// Statuses live on in their messages. These rows tell copies apart.
		{`DELETE FROM statuses WHERE received_at < $1 AND id IN (SELECT id FROM statuses ORDER BY id LIMIT $2)`, []any{shortest, p.batch}},
		{`DELETE FROM raw_changes WHERE id IN (
			SELECT r.id FROM raw_changes r LEFT JOIN unnest($4::text[], $5::bigint[]) p (line, period) ON p.line = r.line
			WHERE r.received_at < $1 AND r.received_at < $2 - coalesce(p.period, $3) LIMIT $6)`, perLine},
		{`DELETE FROM dead_letters WHERE id IN (
			SELECT d.id FROM dead_letters d LEFT JOIN unnest($4::text[], $5::bigint[]) p (line, period) ON p.line = d.line
			WHERE d.received_at < $1 AND d.received_at < $2 - coalesce(p.period, $3) LIMIT $6)`, perLine},
		{`DELETE FROM media WHERE (phone_number_id, wamid) IN (
			SELECT f.phone_number_id, f.wamid FROM media f WHERE f.received_at < $1
			  AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.phone_number_id = f.phone_number_id AND m.wamid = f.wamid) LIMIT $2)`, []any{shortest, p.batch}},
		{`DELETE FROM saved_contacts WHERE (line, phone) IN (
			SELECT s.line, s.phone FROM saved_contacts s LEFT JOIN unnest($4::text[], $5::bigint[]) p (line, period) ON p.line = s.line
			WHERE s.received_at < $1 AND s.received_at < $2 - coalesce(p.period, $3)
			  AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.line = s.line AND c.phone = s.phone) LIMIT $6)`, perLine},
		{`DELETE FROM unclaimed_changes WHERE id IN (SELECT id FROM unclaimed_changes WHERE received_at < $1 LIMIT $2)`, []any{shortest, p.batch}},
		{`DELETE FROM usages WHERE period < $1`, []any{record.Instant(t.now - store.UsageRetention.Milliseconds()).Format(time.DateOnly)}},
		{`DELETE FROM test_messages WHERE created_at < $1`, []any{t.now - store.ReportRetention.Milliseconds()}},
		{`DELETE FROM document_bodies WHERE (line, url) IN (SELECT line, url FROM documents WHERE checked_at > 0 AND checked_at < $1)`,
			[]any{t.now - store.DocumentsFor.Milliseconds()}},
		{`DELETE FROM documents WHERE checked_at > 0 AND checked_at < $1`, []any{t.now - store.DocumentsFor.Milliseconds()}},
		{`DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE received_at < $1 LIMIT $2)`,
			[]any{t.now - store.ReportRetention.Milliseconds(), p.batch}},
	} {
		n, err := t.exec(d.query, d.args...)
		if err != nil {
			return total, err
		}
		total += int(n)
	}
	n, err := t.expireMarks(p.batch)
	if err != nil {
		return total, err
	}
	total += n
	n, err = t.expireQuarantine(p.batch)
	return total + n, err
}

func (t *tx) expireQuarantine(batch int) (int, error) {
	ids, err := rowsOf(t, pgx.RowTo[int64], `SELECT id FROM quarantine WHERE received_at < $1 ORDER BY id LIMIT $2`,
		t.now-store.QuarantineFor.Milliseconds(), batch)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := t.deleteQuarantine(id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
