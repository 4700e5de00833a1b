package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	minuteMillis = 60_000
	hourMillis   = 60 * minuteMillis
)

// hour is the present hour of the store's clock.
func (t *tx) hour() int64 { return t.now - t.now%hourMillis }

// insertReport adds a report to those that the commit writes.
func (t *tx) insertReport(r store.Report) { t.reports = append(t.reports, r) }

// AppendReport implements store.Reports.
func (s *Store) AppendReport(ctx context.Context, r store.Report) error {
	return s.write(ctx, func(t *tx) error {
		t.insertReport(r)
		return nil
	})
}

// RecordSecurityEvent implements store.Reports.
func (s *Store) RecordSecurityEvent(ctx context.Context, e store.SecurityEvent) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`
			INSERT INTO security_events (minute, kind, line, app, count) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (minute, kind, line, app) DO UPDATE SET count = security_events.count + excluded.count`,
			t.now-t.now%minuteMillis, e.Kind, e.Line, e.App, max(1, e.Count))
		return err
	})
}

// Reports implements store.Reports. It first turns the security events of past
// minutes into reports: only then can they not change any more.
func (s *Store) Reports(ctx context.Context, after int64, limit int) ([]store.Report, error) {
	closed, err := s.anyRow(ctx, `SELECT 1 FROM security_events WHERE minute <= `+clockNow+` - $2 LIMIT 1`, []any{s.clockOverride(), minuteMillis})
	if err != nil {
		return nil, err
	}
	if closed {
		if err := s.write(ctx, (*tx).closeSecurityEvents); err != nil {
			return nil, err
		}
	}
	return list(ctx, s, func(row pgx.CollectableRow) (r store.Report, err error) {
		var at int64
		err = row.Scan(&r.ID, &at, &r.Kind, &r.Line, &r.App, &r.Payload)
		r.Time = record.Instant(at)
		return r, err
	}, `SELECT id, received_at, kind, line, app, payload FROM reports WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// closeSecurityEvents locks the aggregates first, so that two replicas close
// each of them once.
func (t *tx) closeSecurityEvents() error {
	if err := t.lock(lockSecurityEvents); err != nil {
		return err
	}
	reports, err := rowsOf(t, func(row pgx.CollectableRow) (store.Report, error) {
		r := store.Report{Kind: store.ReportSecurity}
		var p store.SecurityPayload
		var minute int64
		if err := row.Scan(&minute, &p.Kind, &r.Line, &r.App, &p.Count); err != nil {
			return r, err
		}
		p.Minute = record.Instant(minute)
		var err error
		if r.Payload, err = json.Marshal(p); err != nil {
			return r, fmt.Errorf("%w: report: %w", store.ErrInvalid, err)
		}
		return r, nil
	}, `
		WITH closed AS (DELETE FROM security_events WHERE minute < $1 RETURNING minute, kind, line, app, count)
		SELECT minute, kind, line, app, count FROM closed ORDER BY minute, kind, line, app`, t.now-t.now%minuteMillis)
	t.reports = append(t.reports, reports...)
	return err
}

// traffic is a line that received, or sent, something.
type traffic struct {
	line      string
	direction direction
}

type direction int

const (
	received direction = iota
	standby
	sent
)

// writeTraffic reports, once per line, direction and hour, what was noted.
func (t *tx) writeTraffic() error {
	slices.SortFunc(t.traffic, func(x, y traffic) int {
		return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(x.direction, y.direction))
	})
	hour := t.hour()
	for _, of := range slices.Compact(t.traffic) {
		report := t.reportReceived
		switch of.direction {
		case received:
		case standby:
			report = t.reportStandby
		case sent:
			report = t.reportSent
		}
		if err := report(of.line, hour); err != nil {
			return err
		}
	}
	return nil
}

// reportReceived reports that the line received something in this hour, unless
// that is known. Only a lane gets here.
func (t *tx) reportReceived(line string, hour int64) error {
	l, now := t.lane, t.now
	// Another replica may have made a message of this hour news again.
	if asked := l.trafficAsked[line]; asked >= hour && now-asked < minuteMillis {
		return nil
	}
	t.afterCommit = append(t.afterCommit, func() { l.trafficAsked[line] = now })
	var first int64
	news, err := t.found(`
		INSERT INTO line_traffic AS t (line, first_at, last_hour) VALUES ($1, $2, $3)
		ON CONFLICT (line) DO UPDATE SET last_hour = excluded.last_hour,
		  first_at = CASE t.first_at WHEN 0 THEN excluded.first_at ELSE t.first_at END WHERE t.last_hour < excluded.last_hour
		RETURNING first_at`, []any{line, t.now, hour}, &first)
	if err != nil || !news {
		return err
	}
	return t.insertTraffic(line, store.TrafficPayload{FirstReceived: record.Instant(first), LastReceived: record.Instant(hour)})
}

// reportStandby reports that the line received copies from standby in this
// hour, unless that is known. It forgets that a message of the line's own is
// known in this hour: the next one is news.
func (t *tx) reportStandby(line string, hour int64) error {
	n, err := t.exec(`
		INSERT INTO line_traffic AS t (line, first_at, last_hour, last_standby_hour)
		SELECT $1::text, 0, 0, $2::bigint WHERE NOT EXISTS (SELECT 1 FROM line_traffic WHERE line = $1 AND last_standby_hour >= $2)
		ON CONFLICT (line) DO UPDATE SET last_standby_hour = excluded.last_standby_hour, last_hour = 0
		WHERE t.last_standby_hour < excluded.last_standby_hour`, line, hour)
	if err != nil || n == 0 {
		return err
	}
	l := t.lane
	t.afterCommit = append(t.afterCommit, func() { delete(l.trafficAsked, line) })
	return t.insertTraffic(line, store.TrafficPayload{LastStandby: record.Instant(hour)})
}

// reportSent reports that Meta took a message of the line in this hour, unless
// that is known: then the row is not even locked.
func (t *tx) reportSent(line string, hour int64) error {
	n, err := t.exec(`
		INSERT INTO line_traffic AS t (line, first_at, last_hour, last_sent_hour)
		SELECT $1::text, 0, 0, $2::bigint WHERE NOT EXISTS (SELECT 1 FROM line_traffic WHERE line = $1 AND last_sent_hour >= $2)
		ON CONFLICT (line) DO UPDATE SET last_sent_hour = excluded.last_sent_hour WHERE t.last_sent_hour < excluded.last_sent_hour`, line, hour)
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
	t.insertReport(store.Report{Kind: store.ReportTraffic, Line: line, Payload: payload})
	return nil
}
