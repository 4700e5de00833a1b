package record

import (
	"fmt"
	"testing"
)

func TestDirectory(t *testing.T) {
	var d Directory
	h := &Thread{ID: 7, Line: "line", BSUID: "US.1", Phone: "49151"}
	for _, tc := range []struct {
		name, line, bsuid, phone string
		known                    bool
	}{
		{"no BSUID", "line", "", "49151", false},
		{"a former BSUID", "line", "US.0", "49151", false},
		{"another line", "other", "US.1", "49151", false},
		{"a phone that somebody else has", "line", "US.1", "49152", false},
		{"no phone", "line", "US.1", "", true},
		{"both ids", "line", "US.1", "49151", true},
	} {
		d.Keep(tc.line, tc.bsuid, tc.phone, h)
		if got := d.Find(tc.line, tc.bsuid) == 7; got != tc.known {
			t.Errorf("%s: known %t, want %t", tc.name, got, tc.known)
		}
	}
	d.Drop("line", "US.1")
	if d.Find("line", "US.1") != 0 {
		t.Error("what was dropped is still known")
	}
	for i := range 2*maxKnown + 1 {
		d.Keep("line", fmt.Sprint("US.", i), "", &Thread{ID: int64(i + 1), Line: "line", BSUID: fmt.Sprint("US.", i)})
	}
	if n := len(d.ids["line"]); n > maxKnown || n != d.count {
		t.Errorf("%d are known, counted %d, the bound is %d", n, d.count, maxKnown)
	}
	if d.Find("line", fmt.Sprint("US.", 2*maxKnown)) == 0 {
		t.Error("who wrote last is not known")
	}
}
