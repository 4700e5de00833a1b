package catalog

import (
	"testing"
)

func TestPhrases(t *testing.T) {
	p := phrases{}
	p.add([]string{"contact", "wo-seid-ihr", "customer-service"})
	p.add([]string{"wo-seid", "address@en", "adresse"})
	for _, tc := range []struct {
		reason, short string
		words         []string
		n             int
	}{
		{"the longest", "contact", []string{"wo", "seid", "ihr", "morgen"}, 3},
		{"at the end", "adresse", []string{"Wo", "seid"}, 2},
		{"not at the beginning", "", []string{"und", "wo", "seid", "ihr"}, 0},
		{"words that carry something", "", []string{"customer", "service"}, 0},
		{"none", "", nil, 0},
	} {
		if short, n := p.of(tc.words); short != tc.short || n != tc.n {
			t.Errorf("%s: %v stand for %q, %d words of them", tc.reason, tc.words, short, n)
		}
	}
}

// office is what a shop says about itself.
var office = []Document{
	{Name: "visit", Text: "# Our address\n\nMill Lane 4.\n"},
	{Name: "garage", Text: "# Parking\n\nThere is a yard behind the house.\n"},
	{Name: "delivery", Text: "# Delivery\n\nWe ship to all of Europe.\n"},
	{Name: "hours", Text: "# Opening hours\n\nFrom nine to five.\n"},
	{Name: "rückgabe", Text: "# Rückgabe\n\nGilt für Ungebrauchtes.\n"},
}

// TestMattersWithoutTheirNames: a page is found by who doesn't say what it is about, by a phrase whose words carry nothing, or by two words
// that people say about it; and by who says where he is.
func TestMattersWithoutTheirNames(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de"}, Documents: office})
	for _, tc := range []struct{ reason, question, want string }{
		{"a phrase", "so where are you?", "visit"},
		{"a phrase in another language", "Wo finde ich euch?", "visit"},
		{"two words that people say about it", "where could I leave my car", "garage"},
		{"its name and a word that people say about it", "parking for a caravan", "garage"},
		{"one word alone", "a car", ""},
		{"two words about two matters", "a mistake with the car", ""},
		{"a place", "do you deliver to Canada", "delivery"},
		{"a typo in a word of the matter", "Retourniern", "rückgabe"},
		{"a short word that is like one", "clases", ""},
	} {
		found, err := x.Find(t.Context(), tc.question, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(found) > 0 {
			got = found[0].Passage.Document
		}
		if got != tc.want {
			t.Errorf("%s: %q found %q, want %q", tc.reason, tc.question, got, tc.want)
		}
	}
}

// TestPlacesOfGoods: where a thing comes from says how it is.
func TestPlacesOfGoods(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte("id,title,description,price\n1,Kenya coffee,,9.00 EUR\n2,Peru coffee,,9.00 EUR\n3,Honey,,5.00 EUR\n")})
	found, err := x.Find(t.Context(), "coffee from Peru", 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 || found[0].Product.ID != "2" {
		t.Errorf("found %+v", found)
	}
	if as := (&reader{shelf: x.goods, language: "en"}).manner("peru"); as != naming {
		t.Errorf("a place is read as %d in a question about goods", as)
	}
}
