package catalog

import "strings"

const punctuation = "¿¡.,;:!?\"'()…"

// beside are words after which a text says what a thing is for or comes with, rather than what it is.
var beside = wordSet("with for on in into that which whose works work from holds hold keeps fits charges", "mit für fürs zum zur im am auf aus deren", "con para que cuyas sobre en",
	"avec pour dans qui", "con per che nel", "com para que no na")

// heads leaves of a text what says what the thing is: each clause up to a word of beside.
func heads(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	in := true
	for word := range strings.FieldsSeq(text) {
		if in && beside[strings.ToLower(strings.Trim(word, punctuation))] && b.Len() > 0 {
			in = false
		}
		if in {
			b.WriteString(word)
			b.WriteByte(' ')
		}
		if strings.ContainsAny(word[len(word)-1:], ".,;:!?") {
			in = true
		}
	}
	return b.String()
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
