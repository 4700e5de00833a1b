package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	minuteMillis = 60_000
	hourMillis   = 60 * minuteMillis
)

// hour is the present hour of the store's clock.
func (t *tx) hour() int64 { return t.now - t.now%hourMillis }

func (t *tx) insertReport(r store.Report) error {
	_, err := t.exec(`INSERT INTO reports (received_at, kind, line, app, payload) VALUES (?, ?, ?, ?, ?)`,
		t.now, string(r.Kind), r.Line, r.App, r.Payload)
	return err
}

// AppendReport implements store.Reports.
func (s *Store) AppendReport(ctx context.Context, r store.Report) error {
	return s.write(ctx, func(t *tx) error { return t.insertReport(r) })
}

// RecordSecurityEvent implements store.Reports.
func (s *Store) RecordSecurityEvent(ctx context.Context, e store.SecurityEvent) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			INSERT INTO security_events (minute, kind, line, app, count) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (minute, kind, line, app) DO UPDATE SET count = count + excluded.count`,
			t.now-t.now%minuteMillis, e.Kind, e.Line, e.App, max(1, e.Count))
		return err
	})
}

// Reports implements store.Reports. It first turns the security events of past
// minutes into reports: only then can they not change any more.
func (s *Store) Reports(ctx context.Context, after int64, limit int) ([]store.Report, error) {
	now := s.clock().UnixMilli()
	closed, err := s.anyRow(ctx, `SELECT 1 FROM security_events WHERE minute < ? LIMIT 1`, []any{now - now%minuteMillis})
	if err != nil {
		return nil, err
	}
	if closed {
		if err := s.write(ctx, (*tx).closeSecurityEvents); err != nil {
			return nil, err
		}
	}
	return list(ctx, s, func(rows *sql.Rows) (r store.Report, err error) {
		var at int64
		err = rows.Scan(&r.ID, &at, &r.Kind, &r.Line, &r.App, &r.Payload)
		r.Time = record.Instant(at)
		return r, err
	}, `SELECT id, received_at, kind, line, app, payload FROM reports WHERE id > ? ORDER BY id LIMIT +?`, after, limit)
}

func (t *tx) closeSecurityEvents() error {
	current := t.now - t.now%minuteMillis
	var reports []store.Report
	err := t.each(`SELECT minute, kind, line, app, count FROM security_events WHERE minute < ? ORDER BY minute, kind, line, app`,
		[]any{current}, func(rows *sql.Rows) error {
			r := store.Report{Kind: store.ReportSecurity}
			var p store.SecurityPayload
			var minute int64
			if err := rows.Scan(&minute, &p.Kind, &r.Line, &r.App, &p.Count); err != nil {
				return err
			}
			p.Minute = record.Instant(minute)
			var err error
			if r.Payload, err = json.Marshal(p); err != nil {
				return fmt.Errorf("%w: report: %w", store.ErrInvalid, err)
			}
			reports = append(reports, r)
			return nil
		})
	if err != nil {
		return err
	}
	for i := range reports {
		if err := t.insertReport(reports[i]); err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM security_events WHERE minute < ?`, current)
	return err
}

// reportTraffic reports that the line received something in this hour, unless
// that is known.
func (t *tx) reportTraffic(line string, hour int64) error {
	var first int64
	news, err := t.found(`
		INSERT INTO line_traffic (line, first_at, last_hour) VALUES (?, ?, ?)
		ON CONFLICT (line) DO UPDATE SET last_hour = excluded.last_hour, first_at = CASE first_at WHEN 0 THEN excluded.first_at ELSE first_at END WHERE last_hour < excluded.last_hour
		RETURNING first_at`, []any{line, t.now, hour}, &first)
	if err != nil || !news {
		return err
	}
	return t.insertTraffic(line, store.TrafficPayload{FirstReceived: record.Instant(first), LastReceived: record.Instant(hour)})
}

// noteStandby reports, once per line and hour, that copies from standby come in. It forgets that a message of the line's own is known in
// this hour: the next one is news.
func (t *tx) noteStandby(line string, hour int64) error {
	n, err := t.exec(`
		INSERT INTO line_traffic (line, first_at, last_hour, last_standby_hour) VALUES (?, 0, 0, ?)
		ON CONFLICT (line) DO UPDATE SET last_standby_hour = excluded.last_standby_hour, last_hour = 0
		WHERE last_standby_hour < excluded.last_standby_hour`, line, hour)
	if err != nil || n == 0 {
		return err
	}
	w := t.w
	t.afterCommit = append(t.afterCommit, func() { delete(w.trafficHour, traffic{line, store.SourceMessages}) })
	return t.insertTraffic(line, store.TrafficPayload{LastStandby: record.Instant(hour)})
}

// noteSent reports, once per line and hour, that Meta took a message.
func (t *tx) noteSent(line string) error {
	hour := t.hour()
	n, err := t.exec(`
		INSERT INTO line_traffic (line, first_at, last_hour, last_sent_hour) VALUES (?, 0, 0, ?)
		ON CONFLICT (line) DO UPDATE SET last_sent_hour = excluded.last_sent_hour WHERE last_sent_hour < excluded.last_sent_hour`, line, hour)
	if err != nil || n == 0 {
		return err
	}
	return t.insertTraffic(line, store.TrafficPayload{LastSent: record.Instant(hour)})
}

func (t *tx) insertTraffic(line string, p store.TrafficPayload) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("%w: report: %w", store.ErrInvalid, err)
	}
	return t.insertReport(store.Report{Kind: store.ReportTraffic, Line: line, Payload: payload})
}
