package catalog

import (
	"testing"
)

// senseOf reads a word of an English question in a shop that speaks English and German, and returns how surely it means words of either.
func senseOf(t *testing.T, feed, word string) (english, german map[string]float64) {
	t.Helper()
	x := build(t, Source{Languages: []string{"en", "de"}, Format: CSV, Feed: []byte("id,override,title\n" + feed)})
	r := &reader{shelf: x.goods, language: "en", tongues: append(x.goods.tongues, x.facts.tongues...), sells: x.sells}
	q := r.read(word)
	if len(q.words) != 1 {
		t.Fatalf("%q is read as %s", word, weighing(q))
	}
	var sense [2]map[string]float64
	for i, tongue := range x.goods.tongues {
		sense[i] = map[string]float64{}
		for _, m := range q.words[0].matches[i] {
			sense[i][tongue.words.words[m.id]] = m.strength
		}
	}
	return sense[0], sense[1]
}

// TestWordsOfAnotherLanguage: what is a word of another language may be one of the question's with a typo, unless it differs by more.
func TestWordsOfAnotherLanguage(t *testing.T) {
	english, german := senseOf(t, "1,,Kettle\n1,de_DE,Kettel\n", "kettel")
	if english["kettl"] < oneTypo || german["kettel"] == 0 {
		t.Errorf("in English %v, in German %v", english, german)
	}
	english, german = senseOf(t, "1,,Chamomile\n1,de_DE,Chamimele\n", "chamimele")
	if len(english) > 0 || len(german) == 0 {
		t.Errorf("what differs by more: in English %v, in German %v", english, german)
	}
}

// TestFormsBesideSynonyms: a word that the shop has no such one of may be another form of one that it has, although it has a synonym, too.
func TestFormsBesideSynonyms(t *testing.T) {
	english, _ := senseOf(t, "1,,Sofa\n2,,Settea\n", "settee")
	if english["sofa"] != synonymous || english["settea"] < oneEnding {
		t.Errorf("settee may mean %v", english)
	}
	english, _ = senseOf(t, "1,,Sofa\n2,,Settee\n3,,Settea\n", "settee")
	if english["settea"] != 0 || english["sette"] != sure {
		t.Errorf("settee, which is there, may mean %v", english)
	}
}
