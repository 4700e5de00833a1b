package catalog

import (
	"strings"
	"testing"
)

// TestStoryIsCapped: who tells a story around what is meant gets the thing nevertheless; a page must cover what is asked.
func TestStoryIsCapped(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte("id,title\n1,Lantern\n2,Hammock\n3,Trowel\n"),
		Documents: []Document{{Name: "lanterns", Text: "# Lantern\n\nA text."}, {Name: "other", Text: "# Hammock\n\nMore."}}})
	story := "lantern neighbour thunderstorm ceiling ladder insurance plumber"
	for _, s := range []*shelf{x.goods, x.facts} {
		q := x.ask(s, story)
		long, short := s.rank(0, q), s.rank(0, question{goods: s.goods, words: q.words[:2], names: q.names})
		if s.goods && long.coverage < short.coverage*0.7 {
			t.Errorf("the more is told, the less a product answers: %.2f, and %.2f with one word that it lacks", long.coverage, short.coverage)
		}
		if !s.goods && long.coverage > 0.3 {
			t.Errorf("a page that has one word of seven covers %.2f", long.coverage)
		}
	}
}

// TestTraitsAlone: what has a question's traits only is no answer where the question names something.
func TestTraitsAlone(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte("id,title\n1,Red Warm Soft Women Lantern\n2,Hammock\n3,Lantern\n4,Hammock\n")})
	named, traits := x.goods.rank(0, x.ask(x.goods, "red warm soft hammock women")), x.goods.rank(0, x.ask(x.goods, "red women"))
	if named.coverage >= Enough || traits.coverage < Enough {
		t.Errorf("red things for women cover %.2f of a hammock, and %.2f of what is red for women", named.coverage, traits.coverage)
	}
}

// TestContractions: what is written with an apostrophe says as little without it.
func TestContractions(t *testing.T) {
	for language, words := range map[string]string{"en": "that's thats don't dont what's whats i'm im", "de": "gibt's gibts", "fr": "c'est cest j'ai jai"} {
		for word := range strings.FieldsSeq(words) {
			if got := mannerOf(folded(word), language); got != filler {
				t.Errorf("%s: %q is %d", language, word, got)
			}
		}
	}
}

// TestPrefixes: a prefix makes another word, not a kind of it.
func TestPrefixes(t *testing.T) {
	for before, want := range map[string]bool{"aus": true, "zuruckge": true, "hand": false, "aushand": false, "": false} {
		if got := prefixed(before); got != want {
			t.Errorf("%q are prefixes: %t", before, got)
		}
	}
	l := newLexicon(1)
	words := []string{"ausgeschlossen", "tresorgeschlossen"}
	l.add(0, words, nil, words, nil)
	l.seal()
	if got := l.meanings("geschlossen", nil, func(string) bool { return true }); len(got) != 1 || l.words[got[0].id] != "tresorgeschlossen" {
		t.Errorf("geschlossen may mean %+v", got)
	}
}

// TestUsefulness: one word that people say about a matter may be about anything, one use of a thing says a little.
func TestUsefulness(t *testing.T) {
	for _, tc := range []struct {
		goods  bool
		served int
		want   float64
	}{{true, 1, usedOnce}, {true, 2, usedOften}, {false, 1, 0}, {false, 2, usedOften}, {false, 3, usedOften}} {
		if got := (&shelf{goods: tc.goods}).usefulness(tc.served); got != tc.want {
			t.Errorf("goods %t, %d words: %.2f, want %.2f", tc.goods, tc.served, got, tc.want)
		}
	}
}
