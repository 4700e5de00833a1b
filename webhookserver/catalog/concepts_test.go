package catalog

import (
	"testing"
)

const household = `id,title,description,price
1,Lined gloves,Of sheep,25.00 EUR
2,Cotton scarf,In four patterns,15.00 EUR
3,Desk,With a drawer,190.00 EUR
4,Cycle lamp,For the front,20.00 EUR
`

// TestUsesFindThings: who says what a thing is for finds it without its name, if two words say so; and who wants a thing that the shop
// does not sell is not offered what goes with one.
func TestUsesFindThings(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte(household)})
	for _, tc := range []struct{ reason, question, want string }{
		{"two uses", "my hands are always freezing", "1"},
		{"two uses of another thing", "my throat is so cold", "2"},
		{"in another language", "se me congelan las manos", "1"},
		{"one use", "something against the cold", ""},
		{"a thing of another shop", "a garden hose", ""},
		{"two words that are one thing", "bike lock", ""},
	} {
		found, err := x.Find(t.Context(), tc.question, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) > 0 {
			got = found[0].Product.ID
		}
		if got != tc.want {
			t.Errorf("%s: %q found %q, want %q", tc.reason, tc.question, got, tc.want)
		}
	}
}

func TestUseIndex(t *testing.T) {
	u := useIndex{words: map[string][]kind{}, starts: map[string][]kind{}}
	u.add([]string{"hands", "freez*"}, 1)
	u.add([]string{"suppe*"}, 2)
	for word, want := range map[string]int{"hands": 1, "freezing": 1, "hand": 0, "fre": 0, "suppen": 1} {
		if got := u.of(word, false); len(got) != want {
			t.Errorf("%q: %v, want %d", word, got, want)
		}
	}
	if got := u.of("kurbissuppe", true); len(got) != 1 || got[0] != 2 {
		t.Errorf("the end of a compound: %v", got)
	}
}
