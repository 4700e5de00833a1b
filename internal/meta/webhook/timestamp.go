package webhook

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ErrTimestamp means that a text is no point in time that a webhook could have.
var ErrTimestamp = errors.New("webhook: not a timestamp")

const (
	// millisecondsFrom is the number from which a timestamp is read as milliseconds; as seconds it would be the year 5138.
	millisecondsFrom = 100_000_000_000
	// earliest and latest bound what is believed, in seconds: 2009, the year of WhatsApp, to 2100.
	earliest = 1_230_768_000
	latest   = 4_102_444_800
)

// Timestamp is a point in time as the webhook wrote it: seconds, sometimes milliseconds, as text. Empty if absent.
type Timestamp string

// UnmarshalJSON keeps strings and numbers as they are. Anything else becomes text that does not parse, so that an odd
// time spoils only itself.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	var s string
	switch {
	case string(data) == "null":
		*t = ""
	case json.Unmarshal(data, &s) == nil:
		*t = Timestamp(s)
	default:
		*t = Timestamp(data)
	}
	return nil
}

// Time parses the timestamp.
func (t Timestamp) Time() (time.Time, error) { return ParseTimestamp(string(t)) }

// ParseTimestamp reads Unix seconds, or milliseconds where the number is too large for seconds. Milliseconds are cut to
// seconds, so that both forms of one time compare as equal. Negative, fractional and far-off times are errors.
func ParseTimestamp(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, ErrTimestamp
	}
	if n > millisecondsFrom {
		n /= 1000
	}
	if n < earliest || n > latest {
		return time.Time{}, ErrTimestamp
	}
	return time.Unix(n, 0).UTC(), nil
}
