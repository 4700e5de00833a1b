package catalog

import (
	"strings"
	"testing"
)

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
