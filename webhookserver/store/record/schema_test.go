package record

import (
	"strings"
	"testing"
)

func TestMigrationDecides(t *testing.T) {
	for _, tc := range []struct {
		reason          string
		may             bool
		current, target int64
		apply           bool
		want            string // part of the error; empty for none
	}{
		{"an older schema is migrated", true, 1, 3, true, ""},
		{"one that is up to date is left alone", true, 3, 3, false, ""},
		{"nobody knows what a newer one relies on", true, 4, 3, false, "run the version of webhook-server that wrote it"},
		{"an older one that is to be kept needs a person", false, 1, 3, false, `run "webhook-server migrate"`},
		{"one that is up to date can be kept", false, 3, 3, false, ""},
		{"a newer one that is to be kept", false, 4, 3, false, "or a newer one"},
	} {
		apply, err := MayMigrate(tc.may).Decide(tc.current, tc.target)
		if apply != tc.apply || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %t, %v", tc.reason, apply, err)
		}
	}
}
