package catalog

import (
	"strings"
	"testing"
)

// TestPassageIDs: an ID that was given out leads to the same section or nowhere, whatever happens to the document.
func TestPassageIDs(t *testing.T) {
	const text = "Hello.\n\n# Delivery\n\nTwo days.\n\n# Returns\n\nBring it back.\n\n## Fees\n\nNone.\n\n# Repairs\n\n## Fees\n\n10 USD.\n\n# Note\n\nFirst.\n\n# Note\n\nSecond.\n"
	long := strings.Repeat("Word after word. ", 70)
	before := SplitDocument(Document{Name: "faq.md", Text: text})
	if len(before) != 7 {
		t.Fatalf("%d passages", len(before))
	}
	hello, delivery, returns, returnFees, repairFees, first, second := before[0].ID, before[1].ID, before[2].ID, before[3].ID, before[4].ID, before[5].ID, before[6].ID
	for _, tc := range []struct {
		reason, name, old, new string
		id, want               string
	}{
		{"nothing changed", "faq.md", "", "", repairFees, "10 USD."},
		{"a section was put before", "faq.md", "# Delivery", "# Payment\n\nBy card.\n\n# Delivery", returns, "Bring it back."},
		{"the section says something else", "faq.md", "Bring it back.", "Send it back.", returns, "Send it back."},
		{"the section was removed", "faq.md", "# Delivery\n\nTwo days.\n\n", "", delivery, ""},
		{"the section is called otherwise", "faq.md", "# Delivery", "# Shipping", delivery, ""},
		{"a section of the same name was removed", "faq.md", "# Returns\n\nBring it back.\n\n## Fees\n\nNone.\n\n", "", returnFees, ""},
		{"the first of two alike was removed", "faq.md", "# Note\n\nFirst.\n\n", "", first, ""},
		{"the second of two alike stays", "faq.md", "# Delivery\n\nTwo days.\n\n", "", second, "Second."},
		{"what has no heading says something else", "faq.md", "Hello.", "Goodbye.", hello, ""},
		{"what has no heading stays", "faq.md", "Two days.", "Three days.", hello, "Hello."},
		{"the section became longer than a message", "faq.md", "Two days.", long + "\n\nTwo days.", delivery, ""},
		{"another document says the same", "other.md", "", "", delivery, ""},
	} {
		got := ""
		for _, p := range SplitDocument(Document{Name: tc.name, Text: strings.Replace(text, tc.old, tc.new, 1)}) {
			if p.ID == tc.id {
				got = p.Text
			}
		}
		if got != tc.want {
			t.Errorf("%s: leads to %q, want %q", tc.reason, got, tc.want)
		}
	}
}
