package catalog

import (
	"strings"
	"testing"
)

func readerOf(t *testing.T, language string) *reader {
	t.Helper()
	x := build(t, Source{Languages: []string{"en", "de", "es"}, Format: CSV, Feed: []byte(
		"id,override,title,description\n1,,Bread Knife,For loaves\n1,de_DE,Brotmesser,Für Brot\n1,es_ES,Cuchillo de pan,Para hogazas\n" +
			"2,,Power Bank,External battery\n3,,French Press,Glass jug\n4,de_DE,Kaffeemühle,Aus Stahl\n4,,Coffee Grinder,Of steel\n")})
	return &reader{shelf: x.goods, language: language, tongues: append(x.goods.tongues, x.facts.tongues...), sells: x.sells}
}

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
	} {
		var got []string
		for _, s := range readerOf(t, tc.language).kept(tc.text) {
			word := s.word
			if s.aside {
				word = "(" + word + ")"
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

func TestWordsThatBelongTogether(t *testing.T) {
	for _, tc := range []struct{ language, a, b string }{{"en", "french", "press"}, {"en", "head", "torch"}} {
		r := readerOf(t, tc.language)
		if got := best(r.together(tc.a, tc.b)) > 0; got != (tc.a == "french") {
			t.Errorf("%s %s: together %t", tc.a, tc.b, got)
		}
	}
	r := readerOf(t, "de")
	for word, want := range map[string]string{"powerbank": "power bank", "handkaffeemühle": " ", "motorrad": " "} {
		if head, kind := r.parts(word); head+" "+kind != want {
			t.Errorf("%s falls into %q and %q", word, head, kind)
		}
	}
	if got := best(r.meanings("mühle")); got < within {
		t.Errorf("a Kaffeemühle is a Mühle by %.2f", got)
	}
}

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
