package catalog

import (
	"strings"
	"unicode"
)

// HasLink reports whether the content has the link, byte for byte: as a product's page or photo, or in the text of the knowledge,
// where it must not be a part of a longer one.
func (x *Index) HasLink(link string) bool {
	if link == "" {
		return false
	}
	for i := range x.products {
		if p := &x.products[i]; p.Link == link || p.ImageLink == link {
			return true
		}
	}
	for i := range x.passages {
		if containsWhole(x.passages[i].Text, link) {
			return true
		}
	}
	return false
}

// containsWhole reports whether the text has the link with nothing around it that would belong to it.
func containsWhole(text, link string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], link)
		if at < 0 {
			return false
		}
		start := from + at
		end := start + len(link)
		if !glued(lastRune(text[:start])) && !continues(text[end:]) {
			return true
		}
		from = start + 1
	}
}

func lastRune(s string) rune {
	var last rune
	for _, r := range s[max(0, len(s)-4):] {
		last = r
	}
	return last
}

// glued reports whether a character would be part of an address.
func glued(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("-_/@:.%&=?#+~", r) && r != 0
}

// continues reports whether what follows belongs to the address. A full stop or the like does not if nothing follows it.
func continues(rest string) bool {
	rest = strings.TrimLeft(rest, ".,;:!?")
	for i, r := range rest {
		return i == 0 && glued(r)
	}
	return false
}
