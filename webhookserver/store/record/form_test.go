package record

import (
	"testing"
	"time"
)

func TestStorable(t *testing.T) {
	for _, tc := range []struct {
		reason string
		texts  []string
		want   bool
	}{
		{"nothing to store", nil, true},
		{"an empty text", []string{""}, true},
		{"text beyond ASCII", []string{"Grüße 👋"}, true},
		{"a NUL in the last text", []string{"a", "b\x00"}, false},
		{"half a character in the first text", []string{"\xc3", "a"}, false},
		{"half of a pair of UTF-16", []string{"\xed\xa0\xbd"}, false},
	} {
		if got := Storable(tc.texts...); got != tc.want {
			t.Errorf("%s: %t", tc.reason, got)
		}
	}
}

func TestRecipient(t *testing.T) {
	for _, tc := range []struct{ reason, to, want string }{
		{"as people write it", "+49 (0) 151/23-45.6", "49015123456"},
		{"digits stay", "4915123456", "4915123456"},
		{"an id has letters, and its dot counts", "US.13491208655302741918", "US.13491208655302741918"},
		{"other digits are no phone number", "+٤٩", "+٤٩"},
	} {
		if got := Recipient(tc.to); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestInstantsComeBackInUTCAndMilliseconds(t *testing.T) {
	at := time.Date(2025, 3, 4, 5, 6, 7, 8_900_000, time.FixedZone("", 3600))
	want := time.Date(2025, 3, 4, 4, 6, 7, 8_000_000, time.UTC)
	if got := Instant(Millis(at)); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("%v came back as %v, want %v", at, got, want)
	}
	if ms := Millis(time.Time{}); ms != 0 || !Instant(ms).IsZero() {
		t.Errorf("the zero time is %d, and comes back as %v", ms, Instant(ms))
	}
}
