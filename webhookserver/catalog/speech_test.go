package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestMannerOf(t *testing.T) {
	for _, tc := range []struct {
		word, language string
		want           manner
	}{
		{"please", "en", filler}, {"bitte", "de", filler}, {"gracias", "es", filler},
		{"price", "en", trade}, {"kostet", "de", trade}, {"precio", "es", trade},
		{"berlin", "en", idle}, {"unterwegs", "de", idle}, {"viaje", "es", idle},
		{"red", "en", trait}, {"rotes", "de", trait}, {"roja", "es", trait},
		{"teapot", "en", naming}, {"teekanne", "de", naming}, {"tetera", "es", naming},
		{"55", "en", tiny}, {"usb3", "de", tiny}, {"c", "en", tiny}, {"ü", "de", naming},
		{"die", "de", filler}, {"die", "en", naming},
		{"bitte", "", filler}, {"roja", "", trait}, {"teapot", "", naming},
		{"a", "en", filler}, {"a", "", tiny}, // a letter is a size, unless it is known to be none
	} {
		if got := mannerOf(tc.word, tc.language); got != tc.want {
			t.Errorf("%q in %q: %d, want %d", tc.word, tc.language, got, tc.want)
		}
	}
}

func TestFolded(t *testing.T) {
	for word, want := range map[string]string{"Señora": "senora", "größe": "grosse", "TEE": "tee", "café": "cafe", "急須": "急須", "": ""} {
		if got := folded(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestLanguageOf(t *testing.T) {
	shop := func(word, language string) bool {
		return word == "lampe" && language == "de" || word == "lamp" && language == "en"
	}
	for _, tc := range []struct {
		text, want string
		likely     []string
	}{
		{"do you have a lamp", "en", nil},
		{"habt ihr eine Lampe?", "de", nil},
		{"¿tienen una lámpara?", "es", nil},
		{"avez-vous une lampe pour moi", "fr", nil},
		{"lampe", "de", []string{"de"}},
		{"急須", "", nil},
		{"", "", nil},
		{"a", "", nil}, // of several languages
	} {
		if got := languageOf(tc.text, spoken, tc.likely, shop); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestConceptsAreWords: a concept has names, each once, in lower case, with a language that is spoken if it has one; and two of them, or
// uses.
func TestConceptsAreWords(t *testing.T) {
	v := vocabularyOf()
	if len(v.concepts) < 200 || len(v.matters) < 20 {
		t.Errorf("there are %d concepts and %d matters", len(v.concepts), len(v.matters))
	}
	for _, c := range append(slices.Clip(v.concepts), v.matters...) {
		line := strings.Join(append(slices.Clip(c.names), c.uses...), " ")
		if len(c.names)+len(c.uses) < 2 || strings.ToLower(line) != line {
			t.Errorf("%q", line)
		}
		for i, word := range c.names {
			plain, language, only := strings.Cut(word, "@")
			if only && speeches[language] == nil || strings.Count(plain, "-") > 2 || strings.ContainsAny(plain, punctuation+"*") || slices.Contains(c.names[:i], word) {
				t.Errorf("%q in %q", word, line)
			}
		}
		for i, use := range c.uses {
			plain, open := strings.CutSuffix(use, "*")
			if open && len(folded(plain)) < minStart || strings.ContainsAny(plain, punctuation+"@*-") || slices.Contains(c.uses[:i], use) {
				t.Errorf("use %q in %q", use, line)
			}
		}
	}
}
