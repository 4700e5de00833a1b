package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// defaultExpireBatch keeps an expiring transaction to some milliseconds, since
// deliveries wait for it.
const defaultExpireBatch = 500

// periods are a Retention in the form that queries take.
type periods struct {
	fallback int64
	perLine  string
	batch    int
}

func periodsOf(r store.Retention) (periods, error) {
	clamp := func(d time.Duration) int64 { return max(d, store.MinRetention).Milliseconds() }
	lines := make(map[string]int64, len(r.PerLine))
	for line, d := range r.PerLine {
		lines[line] = clamp(d)
	}
	b, err := json.Marshal(lines)
	if err != nil {
		return periods{}, fmt.Errorf("%w: retention: %w", store.ErrInvalid, err)
	}
	p := periods{fallback: clamp(r.Default), perLine: string(b), batch: r.BatchSize}
	if p.batch <= 0 {
		p.batch = defaultExpireBatch
	}
	return p, nil
}

// Expire implements store.Maintenance. What is to go is looked up beside the
// writer; the writer checks the age again as it deletes.
func (s *Store) Expire(ctx context.Context, r store.Retention) (int, error) {
	p, err := periodsOf(r)
	if err != nil {
		return 0, err
	}
	now := s.clock().UnixMilli()
	old, err := list(ctx, s, func(rows *sql.Rows) (e expiring, err error) {
		err = rows.Scan(&e.conversation, &e.cutoff)
		return e, err
	}, `SELECT c.id, ? - coalesce(p.value, ?) AS cutoff FROM conversations c LEFT JOIN json_each(?) p ON p.key = c.line
		WHERE CASE WHEN c.first_message_id > c.last_message_id THEN max(c.created_at, c.last_user_at)
		      ELSE coalesce((SELECT m.received_at FROM messages m WHERE m.id = c.first_message_id AND m.conversation_id = c.id), 0) END < cutoff
		LIMIT +?`, now, p.fallback, p.perLine, p.batch)
	if err != nil {
		return 0, err
	}
	total := 0
	err = s.write(ctx, func(t *tx) error {
		total = 0
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

// expiring is a conversation whose oldest message is older than its cutoff, or
// is not where the conversation says.
type expiring struct{ conversation, cutoff int64 }

func (t *tx) expireThreads(old []expiring, batch int) (total int, err error) {
	for _, e := range old {
		if batch <= 0 {
			break
		}
		n, err := t.exec(`DELETE FROM messages WHERE received_at < ?3 AND id IN (`+oldestMessages+`)`, e.conversation, batch, e.cutoff)
		if err != nil {
			return total, err
		}
		if err := t.advanceFirst(e.conversation); err != nil {
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

// advanceFirst tells a conversation which message is its first by now.
func (t *tx) advanceFirst(conversation int64) error {
	_, err := t.exec(`UPDATE conversations SET first_message_id = coalesce((`+oldestMessages+`), ?4) WHERE id = ?1`,
		conversation, 1, 0, noMessage)
	return err
}

// expireOrders removes orders and calls of tools that are as old as the messages.
func (t *tx) expireOrders(e expiring) error {
	if _, err := t.exec(`DELETE FROM orders WHERE conversation_id = ? AND created_at < ?`, e.conversation, e.cutoff); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM tool_calls WHERE conversation_id = ? AND created_at < ?`, e.conversation, e.cutoff)
	return err
}

// expireEmptyThread removes the sends whose message is gone, and the contact
// himself when nothing of him is left.
func (t *tx) expireEmptyThread(e expiring) (int, error) {
	_, err := t.exec(`
		DELETE FROM outbox WHERE conversation_id = ? AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = outbox.message_id)`, e.conversation)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(`
		DELETE FROM conversations WHERE id = ? AND created_at < ? AND last_user_at < ? AND lease_until <= ?
		  AND first_message_id > last_message_id`,
		e.conversation, e.cutoff, e.cutoff, t.now)
	if err != nil || n == 0 {
		return 0, err
	}
	_, err = t.exec(`DELETE FROM identities WHERE conversation_id = ?`, e.conversation)
	return int(n), err
}

// expireRest deletes what belongs to no conversation.
func (t *tx) expireRest(p periods) (total int, err error) {
	shortest := t.now - store.MinRetention.Milliseconds()
	for _, d := range []struct {
		query string
		args  []any
	}{
		// Statuses live on in their messages. These rows tell copies apart.
		{`DELETE FROM statuses WHERE received_at < ? AND id IN (SELECT id FROM statuses ORDER BY id LIMIT +?)`, []any{shortest, p.batch}},
		{`DELETE FROM raw_changes WHERE id IN (
			SELECT r.id FROM raw_changes r LEFT JOIN json_each(?) p ON p.key = r.line
			WHERE r.received_at < ? AND r.received_at < ? - coalesce(p.value, ?) LIMIT +?)`, []any{p.perLine, shortest, t.now, p.fallback, p.batch}},
		{`DELETE FROM dead_letters WHERE id IN (
			SELECT d.id FROM dead_letters d LEFT JOIN json_each(?) p ON p.key = d.line
			WHERE d.received_at < ? AND d.received_at < ? - coalesce(p.value, ?) LIMIT +?)`, []any{p.perLine, shortest, t.now, p.fallback, p.batch}},
		{`DELETE FROM media WHERE (phone_number_id, wamid) IN (
			SELECT f.phone_number_id, f.wamid FROM media f WHERE f.received_at < ?
			  AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.phone_number_id = f.phone_number_id AND m.wamid = f.wamid) LIMIT +?)`, []any{shortest, p.batch}},
		{`DELETE FROM saved_contacts WHERE (line, phone) IN (
			SELECT s.line, s.phone FROM saved_contacts s LEFT JOIN json_each(?) p ON p.key = s.line
			WHERE s.received_at < ? AND s.received_at < ? - coalesce(p.value, ?)
			  AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.line = s.line AND c.phone = s.phone) LIMIT +?)`, []any{p.perLine, shortest, t.now, p.fallback, p.batch}},
		{`DELETE FROM unclaimed_changes WHERE id IN (SELECT id FROM unclaimed_changes WHERE received_at < ? LIMIT +?)`, []any{shortest, p.batch}},
		{`DELETE FROM usages WHERE period < ?`, []any{record.Instant(t.now - store.UsageRetention.Milliseconds()).Format(time.DateOnly)}},
		{`DELETE FROM test_messages WHERE created_at < ?`, []any{t.now - store.ReportRetention.Milliseconds()}},
		{`DELETE FROM document_bodies WHERE (line, url) IN (SELECT line, url FROM documents WHERE checked_at > 0 AND checked_at < ?)`,
			[]any{t.now - store.DocumentsFor.Milliseconds()}},
		{`DELETE FROM documents WHERE checked_at > 0 AND checked_at < ?`, []any{t.now - store.DocumentsFor.Milliseconds()}},
		{`DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE received_at < ? LIMIT +?)`,
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
	var ids []int64
	err := t.each(`SELECT id FROM quarantine WHERE received_at < ? LIMIT +?`, []any{t.now - store.QuarantineFor.Milliseconds(), batch},
		func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
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
