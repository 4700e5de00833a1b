package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// maxIDLength bounds an object id. Meta's have up to 20 digits.
const maxIDLength = 32

// ID is the id of a Graph object: decimal digits, kept as text because they exceed what a float holds. It decodes from
// a JSON string or a JSON number; null and absence give "".
type ID string

// String returns the digits.
func (id ID) String() string { return string(id) }

// UnmarshalJSON accepts a string or an integer without exponent.
func (id *ID) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil
	case len(data) > 0 && data[0] == '"':
		return json.Unmarshal(data, (*string)(id))
	case validID(string(data)):
		*id = ID(data)
		return nil
	default:
		return errors.New("an id must be a string or a whole number")
	}
}

// validID reports whether a string can stand as an object id in a path: digits only, so that nothing else can.
func validID(s string) bool {
	if s == "" || len(s) > maxIDLength {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Time is a point in time as Graph writes it: "2026-11-20T10:11:12+0000", RFC 3339, or Unix seconds. Zero when absent
// or in a form not known: an odd time must not make an object unreadable.
type Time struct{ time.Time }

// graphTime is Meta's usual form, whose offset lacks the colon of RFC 3339.
const graphTime = "2006-01-02T15:04:05-0700"

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = time.Time{}
	var s text
	if err := s.UnmarshalJSON(data); err != nil {
		return err
	}
	for _, layout := range []string{graphTime, time.RFC3339} {
		if parsed, err := time.Parse(layout, string(s)); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	t.Time = unixTime(string(s))
	return nil
}

// unixTime reads Unix seconds; 0, negative and junk give the zero time.
func unixTime(s string) time.Time {
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// text decodes from a string or a number, and is empty for everything else.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = ""
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(data, &n) == nil {
		*t = text(n)
	}
	return nil
}

// number decodes from a number or a string of one, and is 0 for everything else.
type number int64

// UnmarshalJSON never fails.
func (n *number) UnmarshalJSON(data []byte) error {
	*n = 0
	var s text
	if err := s.UnmarshalJSON(data); err != nil {
		return err
	}
	if i, err := strconv.ParseInt(string(s), 10, 64); err == nil {
		*n = number(i)
		return nil
	}
	// The bound is where float64 stops being exact, far above any code, size or percentage.
	if f, err := strconv.ParseFloat(string(s), 64); err == nil && math.Abs(f) < 1<<53 {
		*n = number(f)
	}
	return nil
}

// flag decodes from true, false, "true", "false", 0 and 1, and stays unset for everything else.
type flag struct{ set, value bool }

// UnmarshalJSON never fails.
func (f *flag) UnmarshalJSON(data []byte) error {
	*f = flag{}
	if v, err := strconv.ParseBool(string(bytes.Trim(data, `"`))); err == nil {
		*f = flag{set: true, value: v}
	}
	return nil
}

// decodeEither fills object if data is a JSON object, and bare otherwise.
func decodeEither(data []byte, object, bare any) error {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return json.Unmarshal(data, object)
	}
	return json.Unmarshal(data, bare)
}
