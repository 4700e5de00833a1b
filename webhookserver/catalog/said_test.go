package catalog

import (
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"Do you have 55l backpacks?": "do you have 55 l backpacks",
		"the men’s shirt":            "the men's shirt",
		"USB-C, 2m!":                 "usb c 2 m",
		"急須セット":                      "急須 須セ セッ ット",
		"¿Qué tal?":                  "qué tal",
	} {
		if got := strings.Join(tokens(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestKept(t *testing.T) {
	for _, tc := range []struct{ reason, language, text, want string }{
		{"courtesy is left out", "en", "Hi! Do you have a bread knife please?", "bread knife"},
		{"a word counts once", "en", "knife knife knife", "knife"},
		{"what it is for stands aside", "en", "a knife for crusty loaves", "knife (crusty) (loaves)"},
		{"until the sentence ends", "en", "A knife for loaves. And a board", "knife (loaves) board"},
		{"not without a thing before", "en", "for a knife", "knife"},
		{"nor what the customer has", "en", "sharpener for my knife", "sharpener (knife)"},
		{"in German", "de", "Ich suche ein Messer fürs Brot", "messer (brot)"},
		{"in Spanish", "es", "busco un cuchillo para pan", "cuchillo (pan)"},
		{"a purpose of something", "en", "something for loaves", "[loaves]"},
		{"a purpose of what is offered", "en", "what have you got for loaves", "[loaves]"},
		{"what is looked for is no purpose", "en", "I'm looking for loaves", "loaves"},
		{"a purpose in German", "de", "etwas fürs Brot", "[brot]"},
		{"a kind in German", "de", "Was habt ihr für Messer?", "messer"},
		{"a purpose in Spanish", "es", "algo para pan", "[pan]"},
	} {
		var got []string
		for _, s := range readerOf(t, tc.language).kept(tc.text) {
			word := s.word
			switch {
			case s.aside:
				word = "(" + word + ")"
			case s.purpose:
				word = "[" + word + "]"
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, want %q", tc.reason, strings.Join(got, " "), tc.want)
		}
	}
}

func TestSentences(t *testing.T) {
	for text, want := range map[string]int{"one": 1, "one. two": 2, "1.5 litres": 1, "really?! yes": 2, "a\nb": 2} {
		got := 0
		for _, s := range sentences(text) {
			if strings.Trim(s, punctuation+" ") != "" {
				got++
			}
		}
		if got != want {
			t.Errorf("%q: %d sentences, want %d", text, got, want)
		}
	}
}

// TestStanding: the word that says more about the thing stands before it in German and English, and behind it in Spanish.
func TestStanding(t *testing.T) {
	for language, tc := range map[string]struct {
		text        string
		first, last float64
	}{
		"en": {"bread knife", modifierShare, 1},
		"de": {"brot messer", modifierShare, 1},
		"es": {"cuchillo de pan", 1, modifierShare},
	} {
		r := readerOf(t, language)
		kept := r.kept(tc.text)
		if got := r.standing(kept, 0); got != tc.first {
			t.Errorf("%s: the first word of %q counts %.2f", language, tc.text, got)
		}
		if got := r.standing(kept, len(kept)-1); got != tc.last {
			t.Errorf("%s: the last word of %q counts %.2f", language, tc.text, got)
		}
	}
}
