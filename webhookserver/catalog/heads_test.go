package catalog

import (
	"strings"
	"testing"
)

func TestHeads(t *testing.T) {
	for text, want := range map[string]string{
		"Daypack 20 l with Laptop Sleeve":            "Daypack 20 l",
		"Lamp with dimmer. Made of brass":            "Lamp Made of brass",
		"Rucksack mit Regenhülle, leicht und robust": "Rucksack leicht und robust",
		"With love": "With love",
	} {
		var parts []string
		for _, s := range heads(text) {
			parts = append(parts, strings.Fields(text[s.start:s.end])...)
		}
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
