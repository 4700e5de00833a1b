package catalog

import (
	"strings"
	"unicode"
)

const punctuation = "¿¡.,;:!?\"'()…"

// beside are words after which a text says what a thing is for or comes with, rather than what it is.
var beside = wordSet("with for on in into that which whose works work from holds hold keeps fits charges", "mit für fürs zum zur im am auf aus deren", "con para que cuyas sobre en",
	"avec pour dans qui", "con per che nel", "com para que no na")

// span is a part of a text, in bytes.
type span struct{ start, end int }

// heads are the parts of a text that say what the thing is: each clause up to a word of beside.
func heads(text string) []span {
	var all []span
	in, start := true, 0
	for at := 0; at < len(text); {
		length := strings.IndexFunc(text[at:], unicode.IsSpace)
		switch {
		case length == 0:
			at++
			continue
		case length < 0:
			length = len(text) - at
		}
		word := text[at : at+length]
		if in && beside[strings.ToLower(strings.Trim(word, punctuation))] && (len(all) > 0 || at > 0) {
			all = append(all, span{start, at})
			in = false
		}
		at += length
		if strings.ContainsAny(word[len(word)-1:], ".,;:!?") && !in {
			in, start = true, at
		}
	}
	if in {
		all = append(all, span{start, len(text)})
	}
	return all
}

func wordSet(lines ...string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		for word := range strings.FieldsSeq(line) {
			set[word] = true
		}
	}
	return set
}
