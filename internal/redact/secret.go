package redact

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Placeholder stands wherever a secret value would have been printed.
const Placeholder = "[redacted]"

// Secret holds a string that prints as Placeholder through fmt, encoding/json, log/slog and logr. The zero value is
// the empty secret.
//
// It is not a plain string type on purpose: fmt calls no methods of unexported struct fields, nor of values behind a
// verb that does not fit, and would print the text. Of a pointer it prints at most the address.
type Secret struct{ value *string }

// New wraps a secret value.
func New(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value itself. It is the only way to get it, so that every use can be found by name.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares two values in constant time. It also lets go-cmp compare secrets.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns Placeholder.
func (Secret) String() string { return Placeholder }

// GoString returns Placeholder.
func (Secret) GoString() string { return Placeholder }

// Format writes Placeholder for every verb, %x and %q included.
func (Secret) Format(f fmt.State, _ rune) {
	// fmt.State buffers; a failed write is reported by the Fprintf that owns the state.
	_, _ = io.WriteString(f, Placeholder)
}

// MarshalText returns Placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }

// MarshalJSON returns Placeholder as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Placeholder + `"`), nil }

// UnmarshalJSON takes the value from a JSON string. The error does not quote the input.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return errors.New("secret is not a JSON string")
	}
	*s = New(value)
	return nil
}

// LogValue hides the value from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// MarshalLog hides the value from logr sinks.
func (Secret) MarshalLog() any { return Placeholder }
