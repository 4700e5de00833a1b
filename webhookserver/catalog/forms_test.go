package catalog

import (
	"slices"
	"strings"
	"testing"
)

// TestLarger: a diminutive is found under the word that it is made of, also where that is spelt otherwise before the ending.
func TestLarger(t *testing.T) {
	for _, tc := range []struct{ language, word, want string }{
		{"es", "timbrecito", "timbre"},
		{"es", "lucecitas", "luz"},
		{"es", "chaquetita", "chaqueta"},
		{"es", "barquito", "barco"},
		{"es", "tiendecita", "tienda"},
		{"de", "topfchen", "topf"},
		{"de", "taschlein", "tasche"},
		{"de", "handtucherl", "handtuch"},
		{"it", "lampadina", "lampada"},
		{"it", "tavoletti", "tavolo"},
		{"pt", "cafezinho", "cafe"},
		{"pt", "bolsinha", "bolsa"},
	} {
		if got := larger(tc.word, tc.language); !slices.Contains(got, tc.want) {
			t.Errorf("%s: %q is made of %v, not %q", tc.language, tc.word, got, tc.want)
		}
	}
	for _, word := range []string{"timbre", "cita", "it", "s", ""} {
		if got := larger(word, "es"); len(got) > 0 {
			t.Errorf("%q is no diminutive of %v", word, got)
		}
	}
	if got := larger("kitchen", "en"); len(got) > 0 {
		t.Errorf("English makes %v small", got)
	}
}

// TestKnownWords: a word of retail is spelt well whatever a shop has, and a misspelt one is taken for the one that is nearest, unless two
// are, or it is too short to tell.
func TestKnownWords(t *testing.T) {
	k := knownWordsOf()
	for word, want := range map[string]bool{"sombrilla": true, "freezing": true, "sombrila": false, "xyzzy": false} {
		if got := k.spelt(word); got != want {
			t.Errorf("%q is spelt well: %t", word, got)
		}
	}
	for word, want := range map[string]string{"sombrila": "sombrilla", "paraguaz": "paraguas", "gents": "", "xyzzyx": ""} {
		if got := nearest(k.names, word); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	tied := knownWords{names: []spelling{{word: "candado", mask: lettersOf("candado")}, {word: "candada", mask: lettersOf("candada")}}}
	if got := nearest(tied.names, "candadi"); got != "" {
		t.Errorf("of two that are alike %q was taken", got)
	}
}

// TestMeant: what nothing in a shop is like is read as the word that was meant.
func TestMeant(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de", "es"}, Format: CSV, Feed: []byte(
		"id,title\n1,Timbre de latón\n2,Samthose\n3,Faltschloss\n4,Folding Bicycle\n5,Cooking Pot for 6 Cups\n6,Stoneware Mugs\n")})
	for _, tc := range []struct{ reason, question, want string }{
		{"a diminutive", "un timbrecito", "1"},
		{"a misspelt word that the shop calls otherwise", "un kandado", "3"},
		{"a compound of a short stem", "tienen pantalones?", "2"},
		{"a known word that nothing is like", "tienen comida?", ""},
	} {
		found, err := x.Find(t.Context(), tc.question, 2)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, f.Product.ID)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q found %v, want %q", tc.reason, tc.question, got, tc.want)
		}
	}
}

// TestShortEnds: a short stem ends a compound where what stands before it is a word as well.
func TestShortEnds(t *testing.T) {
	l := newLexicon(1)
	words := []string{"regenhos", "kamerad", "fahrrad", "abrad"}
	l.add(0, words, nil, words, nil)
	l.seal()
	opens := func(word string) bool { return slices.Contains([]string{"regen", "fahr"}, word) }
	for word, want := range map[string]string{"hos": "regenhos", "rad": "fahrrad", "ros": ""} {
		var got []string
		for _, m := range l.meanings(word, nil, opens) {
			got = append(got, l.words[m.id])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q ends %v, want %q", word, got, want)
		}
	}
	if got := l.meanings("hos", nil, nil); len(got) > 0 {
		t.Errorf("a language that doesn't join words has %v", got)
	}
}

// TestSizesNameNothing: a size tells what a thing holds, not what it is; how a thing is names it neither.
func TestSizesNameNothing(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte(
		"id,title,size,description\n1,Percolator,6 cups,Of steel\n2,Set of Mugs,350 ml,Glazed\n3,Foldable Stool,,Of wood\n")})
	for question, want := range map[string]string{"cups": "2", "something foldable": "3", "a foldable bicycle": ""} {
		found, err := x.Find(t.Context(), question, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) > 0 {
			got = found[0].Product.ID
		}
		if got != want {
			t.Errorf("%q found %q, want %q", question, got, want)
		}
	}
	goods := x.goods.tongues[0]
	if got := strings.Join(goods.uncounted(goods.terms("silver 6 cups")), " "); got != "silver 6" {
		t.Errorf("of a size remains %q", got)
	}
}

// TestPages: sections of one page are one answer, sections of the first rank are pages.
func TestPages(t *testing.T) {
	in := func(document string, coverage float64, headings ...string) PassageHit {
		return PassageHit{Passage: Passage{Document: document, Headings: headings}, Coverage: coverage}
	}
	got := pages([]PassageHit{
		in("a", 0.9), in("a", 0.85), in("b", 0.8, "Care"), in("b", 0.75, "Care", "Wool"), in("b", 0.7, "Delivery"), in("c", 0.65, "Delivery"), in("a", 0.6),
	})
	var left []float64
	for i := range got {
		left = append(left, got[i].Coverage)
	}
	if want := []float64{0.9, 0.8, 0.7, 0.65}; !slices.Equal(left, want) {
		t.Errorf("left are those of coverage %v, want %v", left, want)
	}
}

// TestWellSpeltIsLeftAlone: a word of retail that one letter tells from the name of a thing is no typo of it.
func TestWellSpeltIsLeftAlone(t *testing.T) {
	r := readerOf(t, "de")
	for word, want := range map[string]string{"falsche": "", "mieten": "", "flashe": "flasche"} {
		if got := r.meant(word); got != want {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
}

// TestFindTellsTheMattersOfOneDocumentApart: who asks two things is shown both, though one document has the answers to all.
func TestFindTellsTheMattersOfOneDocumentApart(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Documents: []Document{{Name: "faq", Text: "# Opening hours\n\nWe are open from 9 to 18.\n\n# Delivery\n\nWe deliver for 5 USD.\n\n# Returns\n\nBring it back.\n"}}})
	found, err := x.Find(t.Context(), "When are you open, and how much is the delivery?", 10)
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, f := range found {
		headings = append(headings, f.Passage.Heading())
	}
	slices.Sort(headings)
	if got := strings.Join(headings, ", "); got != "Delivery, Opening hours" {
		t.Errorf("found %s", got)
	}
}

// TestFindShowsPagesOnce: of a page that has two sections about what is asked, the better one is found, and then another page.
func TestFindShowsPagesOnce(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Documents: []Document{
		{Name: "a", Text: "# Lantern repair\n\nWe mend it.\n\n## Lantern\n\nWith a candle.\n"}, {Name: "b", Text: "# Lantern parts\n\nAll of them.\n"},
	}})
	found, err := x.Find(t.Context(), "lantern", 3)
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for _, f := range found {
		documents = append(documents, f.Passage.Document)
	}
	slices.Sort(documents)
	if strings.Join(documents, " ") != "a b" {
		t.Errorf("found sections of %v", documents)
	}
}
