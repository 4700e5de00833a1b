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

// weighing are the words of a question that weigh, those that name something in capitals.
func weighing(q question) string {
	var all []string
	for _, w := range q.words {
		word := w.word
		if w.names {
			word = strings.ToUpper(word)
		}
		all = append(all, word)
	}
	return strings.Join(all, ", ")
}

func TestRead(t *testing.T) {
	for _, tc := range []struct{ reason, language, text, want string }{
		{"two words that are one thing here", "en", "a french press", "FRENCH PRESS"},
		{"two that are one thing elsewhere", "en", "a bike lock", "BIKE LOCK"},
		{"two that want no thing", "en", "send back knives", "SEND, KNIVES"},
		{"a compound, whose end names the thing", "de", "Brotpresse", "brot, PRESSE"},
		{"a misspelt filler", "en", "recomendation grinder", "RECOMENDATION, GRINDER"},
		{"a filler of another language", "de", "messer please", "MESSER"},
		{"a trait", "en", "a foldable knife", "foldable, KNIFE"},
	} {
		if got := weighing(readerOf(t, tc.language).read(tc.text)); got != tc.want {
			t.Errorf("%s: %q reads %s, want %s", tc.reason, tc.text, got, tc.want)
		}
	}
}

// TestUnknownWordsWeighMore: what nothing in the shop has is most likely the thing that is asked for; what tells what it is for is not.
func TestUnknownWordsWeighMore(t *testing.T) {
	r := readerOf(t, "en")
	q := r.read("grinder chandelier")
	if w := q.words[1]; w.word != "chandelier" || w.missing <= w.found {
		t.Errorf("%+v", w)
	}
	aside := r.read("grinder for chandelier").words[1]
	if aside.missing >= aside.found || aside.found >= q.words[1].found {
		t.Errorf("aside %+v", aside)
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

// TestCompoundsOfThings: a word is taken apart only if its end may name something. A driving lesson is no hour of driving.
func TestCompoundsOfThings(t *testing.T) {
	x := build(t, Source{Languages: []string{"de"}, Format: CSV, Feed: []byte("id,title,description\n1,Duftkerze,Brennt vierzig Stunden\n2,Fahrrad,Mit Licht\n")})
	for question, want := range map[string]int{"Fahrstunden": 0, "Fahrkerze": 1} {
		found, err := x.Find(t.Context(), question, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != want {
			t.Errorf("%q: %+v, want %d", question, found, want)
		}
	}
}
