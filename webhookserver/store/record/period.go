package record

import (
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// hourMillis is the length of the period of a customer's rate.
const hourMillis = int64(time.Hour / time.Millisecond)

// Periods are those in which an instant lies.
type Periods struct {
	// Month such as 2026-03, and Day such as 2026-03-01, in a time zone.
	Month, Day string
	// Hour counts hours since 1970.
	Hour int64
}

// PeriodsOf returns the periods of an instant. Errors: store.ErrInvalid for an unknown time zone.
func PeriodsOf(ms int64, timeZone string) (Periods, error) {
	zone, err := time.LoadLocation(timeZone) // "" is UTC
	if err != nil {
		return Periods{}, fmt.Errorf("%w: unknown time zone", store.ErrInvalid)
	}
	at := time.UnixMilli(ms).In(zone)
	return Periods{Month: at.Format("2006-01"), Day: at.Format("2006-01-02"), Hour: ms / hourMillis}, nil
}

// Exceeds reports whether used is above the bound, if there is one.
func Exceeds(used int64, bound *int64) bool { return bound != nil && used > *bound }
