package assistant

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

const ellipsis = "…"

// length counts characters as UTF-16 does, of which an emoji is two: Meta does not say how it counts, and what is short
// enough in this way is short enough in any other.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut returns the longest beginning of s of at most limit characters that tears no emoji or accented letter apart.
func cut(s string, limit int) string {
	n, end, prev := 0, 0, rune(0)
	for i, r := range s {
		// Everything before i may stand alone unless r or the rune before it joins them.
		if !joins(r) && prev != zeroWidthJoiner {
			end = i
		}
		n += utf16.RuneLen(r)
		if n > limit {
			if end == 0 {
				end = i // one cluster longer than the limit; there is no better place
			}
			return s[:end]
		}
		prev = r
	}
	return s
}

const zeroWidthJoiner = '\u200d'

// joins reports whether r belongs to the character before it: combining marks, joiners, variation selectors and skin
// tones.
func joins(r rune) bool {
	return r == zeroWidthJoiner || unicode.Is(unicode.M, r) || (r >= 0x1F3FB && r <= 0x1F3FF)
}

// shrink shortens s to at most limit characters, at a word's end if there is one near, and shows by an ellipsis that
// something is missing.
func shrink(s string, limit int) string {
	s = strings.TrimSpace(s)
	if length(s) <= limit {
		return s
	}
	head := cut(s, limit-length(ellipsis))
	if i := strings.LastIndexFunc(head, unicode.IsSpace); i > len(head)*2/3 {
		head = head[:i]
	}
	return strings.TrimRightFunc(head, unicode.IsSpace) + ellipsis
}

// split cuts s into pieces of at most limit characters: at the end of a paragraph, else of a line, a sentence, a word,
// else anywhere.
func split(s string, limit int) []string {
	var pieces []string
	for s = strings.TrimSpace(s); s != ""; {
		head, rest := splitOnce(s, limit)
		pieces = append(pieces, head)
		s = rest
	}
	return pieces
}

// splitOnce returns the first piece of s and the trimmed rest.
func splitOnce(s string, limit int) (head, rest string) {
	head = cut(s, limit)
	if len(head) == len(s) {
		return s, ""
	}
	if head == "" {
		// The limit is below the first character, which no limit of ours is; still, never loop for ever.
		return s, ""
	}
	end := len(head)
	for _, find := range []func(string) int{afterLast("\n\n"), afterLast("\n"), afterSentence, afterLast(" ")} {
		// A piece should be worth a message: a break in its first third is not taken.
		if i := find(head); i > len(head)/3 {
			end = i
			break
		}
	}
	return strings.TrimSpace(s[:end]), strings.TrimSpace(s[end:])
}

func afterLast(separator string) func(string) int {
	return func(s string) int {
		if i := strings.LastIndex(s, separator); i >= 0 {
			return i + len(separator)
		}
		return 0
	}
}

// afterSentence returns the end of the last whole sentence in s, 0 if there is none.
func afterSentence(s string) int {
	end := 0
	for _, stop := range []string{". ", "! ", "? ", "… ", "。", "！", "？", "؟ ", "। "} {
		if i := strings.LastIndex(s, stop); i >= 0 {
			end = max(end, i+len(stop))
		}
	}
	return end
}

// clean makes foreign text storable and sendable: valid UTF-8 without control characters other than line breaks and
// tabs.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || (unicode.IsControl(r) && r != '\n' && r != '\t') {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}
