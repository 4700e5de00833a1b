package record

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Storable tells whether every database can hold the texts. SQLite would keep
// a NUL and then cut the text at it; PostgreSQL refuses it.
func Storable(texts ...string) bool {
	for _, s := range texts {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

// Recipient reduces a phone number to its digits, the form that customers'
// phones have in rows; a BSUID stays as it is.
func Recipient(to string) string {
	digits := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("+-() ./", r):
			return -1
		default:
			return 'x'
		}
	}, to)
	if strings.ContainsRune(digits, 'x') {
		return to
	}
	return digits
}

// Millis is the form in which instants are stored, milliseconds since 1970;
// the zero time is 0.
func Millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// Instant reverses Millis, in UTC.
func Instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
