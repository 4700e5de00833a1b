package record

import (
	"errors"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestPeriodsOf(t *testing.T) {
	for _, tc := range []struct{ reason, zone, at, month, day string }{
		{"no zone is UTC", "", "2026-03-31T23:59:59Z", "2026-03", "2026-03-31"},
		{"east of it the month is ahead", "Pacific/Kiritimati", "2026-03-31T10:00:00Z", "2026-04", "2026-04-01"},
		{"west of it it is behind", "Pacific/Pago_Pago", "2026-04-01T10:59:59Z", "2026-03", "2026-03-31"},
		{"the last second of the day on which summer time begins", "America/New_York", "2026-03-09T03:59:59Z", "2026-03", "2026-03-08"},
		{"that day has 23 hours", "America/New_York", "2026-03-09T04:00:00Z", "2026-03", "2026-03-09"},
		{"before that, midnight is an hour later", "America/New_York", "2026-03-08T04:59:59Z", "2026-03", "2026-03-07"},
		{"the last second of the day on which it ends", "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10", "2026-10-25"},
		{"that day has 25 hours", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10", "2026-10-25"},
		{"the month ends in winter time", "Europe/Berlin", "2026-10-31T22:59:59Z", "2026-10", "2026-10-31"},
		{"and the next begins", "Europe/Berlin", "2026-10-31T23:00:00Z", "2026-11", "2026-11-01"},
		{"half hours", "Asia/Kolkata", "2026-06-30T18:30:00Z", "2026-07", "2026-07-01"},
		{"a day that a zone has left out", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12", "2011-12-31"},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		p, err := PeriodsOf(at.UnixMilli(), tc.zone)
		if err != nil || p.Month != tc.month || p.Day != tc.day || p.Hour != at.Unix()/3600 {
			t.Errorf("%s: %+v, %v", tc.reason, p, err)
		}
	}
	if _, err := PeriodsOf(0, "Mars/Phobos"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an unknown zone: %v", err)
	}
}

func TestPriceOf(t *testing.T) {
	for pricing, want := range map[string]Price{
		``: PriceUnknown, `{}`: PriceUnknown, `[]`: PriceUnknown, `{"billable":"yes"}`: PriceUnknown, `{"category":"service"}`: PriceUnknown,
		`{"billable":true}`: PriceBilled, `{"billable":false}`: PriceFree, `{"type":"regular"}`: PriceBilled,
		`{"billable":true,"type":"free_entry_point"}`: PriceFree, `{"billable":false,"type":"regular"}`: PriceBilled, `{"type":"free_group_customer_service"}`: PriceFree,
	} {
		if got := PriceOf([]byte(pricing)); got != want {
			t.Errorf("%s: %d, want %d", pricing, got, want)
		}
	}
}
