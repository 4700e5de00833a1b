package catalog

import "testing"

func TestEdits(t *testing.T) {
	for _, tc := range []struct {
		a, b  string
		limit int
		want  int
	}{
		{"lamp", "lamp", 2, 0}, {"lamp", "lmap", 2, 1}, {"lamp", "lamps", 2, 1}, {"lamp", "lap", 2, 1}, {"lamp", "lump", 2, 1},
		{"kettle", "ketle", 2, 1}, {"kettle", "ektle", 2, 2}, {"kettle", "bottle", 1, 2}, {"lamp", "chandelier", 2, 3}, {"", "ab", 2, 2},
	} {
		if got := edits([]rune(tc.a), []rune(tc.b), tc.limit); got != tc.want {
			t.Errorf("%s to %s: %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := edits([]rune(tc.b), []rune(tc.a), tc.limit); got != tc.want {
			t.Errorf("%s to %s: %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
}

func TestResemblance(t *testing.T) {
	for _, tc := range []struct {
		reason, query, word string
		want                float64
	}{
		{"another ending", "lampe", "lampa", oneEnding},
		{"a letter too many", "botttle", "bottle", oneTypo},
		{"two letters swapped", "knfie", "knife", oneTypo},
		{"two typos in a long word", "chamommille", "chamomile", twoTypos},
		{"two typos in a short one", "knjve", "knife", 0},
		{"a short word", "lmap", "lamp", shortTypo},
		{"a short word with another second letter", "lomp", "lamp", 0},
		{"another first letter", "mettle", "kettle", 0},
		{"one that sounds alike", "cettle", "kettle", oneTypo},
		{"one that isn't heard", "ammock", "hammock", oneTypo},
		{"more typos that sound alike", "bisicle", "bicycle", oneTypo},
		{"another word", "bread", "board", 0},
	} {
		q := []rune(tc.query)
		if got := resemblance(q, []rune(tc.word), len(q), typosAllowed(len(q))); got != tc.want {
			t.Errorf("%s: %s for %s is %.2f, want %.2f", tc.reason, tc.query, tc.word, got, tc.want)
		}
	}
}

func TestSound(t *testing.T) {
	for a, b := range map[string]string{"fotografie": "photographie", "lavanda": "labanda", "zapato": "sapato", "kissen": "kisen"} {
		if sound([]rune(a)) != sound([]rune(b)) {
			t.Errorf("%s and %s sound like %s and %s", a, b, sound([]rune(a)), sound([]rune(b)))
		}
	}
	for a, b := range map[string]string{"lamp": "lump", "bread": "board"} {
		if sound([]rune(a)) == sound([]rune(b)) {
			t.Errorf("%s and %s sound alike", a, b)
		}
	}
}

// TestSoundAlike: who says y for ll writes so, too.
func TestSoundAlike(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"llavero", "yavero", true}, {"cepillo", "cepiyo", true}, {"lavanda", "labanda", true}, {"llavero", "tavero", false}, {"silla", "sida", false}} {
		if got := soundAlike([]rune(tc.a), []rune(tc.b)); got != tc.want {
			t.Errorf("%s and %s sound alike: %t", tc.a, tc.b, got)
		}
	}
}

func TestNearMisses(t *testing.T) {
	l := newLexicon(1)
	words := []string{"kettle", "bottle", "lamp", "chamomile", "wireless"}
	l.add(0, words, nil, words, nil)
	l.seal()
	for query, want := range map[string]string{"ketle": "kettle", "camomile": "chamomile", "wirelesly": "wireless", "xyz": "", "ketchup": ""} {
		got := ""
		if near := l.nearMisses(query, len(query)); len(near) > 0 {
			got = l.words[near[0].id]
		}
		if got != want {
			t.Errorf("%q is nearest to %q, want %q", query, got, want)
		}
	}
}
