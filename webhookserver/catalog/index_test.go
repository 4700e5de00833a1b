package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const shopCSV = `id,title,description,availability,price,product_type,brand
p1,Boston Fern,A lush green plant for shady rooms,in stock,9.99 USD,Plants,Acme
p2,Snake Plant,Survives everything and cleans the air,in stock,14.00 USD,Plants,Acme
p3,Ceramic Pot,Glazed pot for any plant,out of stock,7.25 USD,Pots,Clayworks
p4,Watering Can,Two litres of steel,in stock,19.00 USD,Tools,Clayworks
p5,Wooden Chair,Oak chair for the garden,in stock,89.00 USD,Furniture,Oakley
`

const shopKnowledge = `# Flora

Welcome to Flora.

## Shipping

We ship within 2 days. Orders over 50 USD ship free.

### International

We ship to the EU in 5 days.

## Returns and refunds

Send plants back within 14 days.

` + "```\n# not a heading\n```\n" + `
## Opening hours

Monday to Friday, 9 to 17.
`

func build(t *testing.T, src Source) *Index {
	t.Helper()
	x, err := Build(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func shop(t *testing.T, languages ...string) *Index {
	t.Helper()
	return build(t, Source{Languages: languages, Format: CSV, Feed: []byte(shopCSV), Documents: []Document{{Name: "faq.md", Text: shopKnowledge}}})
}

func TestSearchProducts(t *testing.T) {
	x := shop(t, "en")
	for _, tc := range []struct {
		reason, question, first string
		min, max                float64
	}{
		{"the title", "boston fern", "p1", 1, 1},
		{"a question around the title", "Hi! Do you have a Boston Fern in stock?", "p1", 1, 1},
		{"the plural", "wooden chairs", "p5", 1, 1},
		{"a letter too many", "bosston fern", "p1", 0.8, 0.95},
		{"two letters swapped", "wtaering can", "p4", 0.8, 1},
		{"all words beat some words", "ceramic plant pot", "p3", 1, 1},
		{"the brand", "something by oakley", "p5", 0.5, 1},
		{"part of a question", "fern bouquet", "p1", 0.35, 0.5},
		{"a trait that isn't there", "purple fern", "p1", 0.7, 0.9},
		{"something else entirely", "motorcycle insurance", "", 0, 0},
		{"shop talk alone names nothing", "how much does it cost?", "", 0, 0},
		{"nothing at all", "  ?! ", "", 0, 0},
	} {
		hits, err := x.SearchProducts(t.Context(), tc.question, 3)
		if err != nil {
			t.Fatal(err)
		}
		if tc.first == "" {
			if len(hits) > 0 {
				t.Errorf("%s: %q found %s (%.2f)", tc.reason, tc.question, hits[0].Product.Title, hits[0].Coverage)
			}
			continue
		}
		if len(hits) == 0 || hits[0].Product.ID != tc.first || hits[0].Coverage < tc.min || hits[0].Coverage > tc.max {
			t.Errorf("%s: %q gave %+v, want %s first with %.2f to %.2f", tc.reason, tc.question, hits, tc.first, tc.min, tc.max)
		}
	}
}

func TestSearchPassages(t *testing.T) {
	x := shop(t, "en")
	for _, tc := range []struct{ reason, question, heading string }{
		{"the heading's word in another form", "what does shipping cost?", "Shipping"},
		{"the text's words", "when are you open on Monday?", "Opening hours"},
		{"a question wrapped in courtesy", "Hi, could you please tell me how long shipping takes? Thanks!", "Shipping"},
		{"a heading of two words", "can I return a plant and get a refund?", "Returns and refunds"},
		{"a deeper heading", "international shipping to the EU", "International"},
	} {
		hits, err := x.SearchPassages(t.Context(), tc.question, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) == 0 || hits[0].Passage.Heading() != tc.heading || hits[0].Coverage < 0.5 {
			t.Errorf("%s: %q gave %+v, want %q first", tc.reason, tc.question, hits, tc.heading)
		}
	}
}

func TestSearchSpeaksTheChannelsLanguages(t *testing.T) {
	feed := "id,title\nde,Grüne Stühle\nes,Camisetas rojas\nfr,Chapeaux de paille\nit,Sedie di legno\npt,Cadeiras de madeira\nja,急須 セット\n"
	for _, tc := range []struct{ language, question string }{
		{"de", "grüner Stuhl"}, {"es", "camiseta roja"}, {"fr", "chapeau de paille"}, {"it", "sedia di legno"}, {"pt-BR", "cadeira"}, {"ja", "急須"},
	} {
		// With English first, so that the language's own field has to be asked as well.
		x := build(t, Source{Languages: []string{"en", tc.language}, Format: CSV, Feed: []byte(feed)})
		hits, err := x.SearchProducts(t.Context(), tc.question, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) == 0 || !strings.HasPrefix(tc.language, hits[0].Product.ID) {
			t.Errorf("%s: %q found %+v", tc.language, tc.question, hits)
		}
	}
}

func TestSearchIsDeterministic(t *testing.T) {
	var feed strings.Builder
	feed.WriteString("id,title,description\n")
	for i := range 300 {
		fmt.Fprintf(&feed, "%d,Green Plant %d,leaf stem root\n", i, i%7)
	}
	src := Source{Languages: []string{"en", "de"}, Format: CSV, Feed: []byte(feed.String())}
	var first []ProductHit
	for range 3 {
		x := build(t, src)
		for range 3 {
			hits, err := x.SearchProducts(t.Context(), "green plant leaf", 10)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = hits
			}
			if diff := cmp.Diff(first, hits); diff != "" {
				t.Fatalf("the same question gave another order (-first +now):\n%s", diff)
			}
		}
	}
}

func TestIndexLookups(t *testing.T) {
	x := shop(t)
	if p, ok := x.Product("p4"); !ok || p.Title != "Watering Can" {
		t.Errorf("Product(p4) = %+v, %t", p, ok)
	}
	if _, ok := x.Product("nope"); ok {
		t.Error("an unknown id gave a product")
	}
	for _, title := range []string{"watering can", "Watering…"} {
		if p, ok := x.ProductTitled(title); !ok || p.ID != "p4" {
			t.Errorf("ProductTitled(%q) = %+v, %t", title, p, ok)
		}
	}
	for _, title := range []string{"Water", "…", ""} {
		if p, ok := x.ProductTitled(title); ok {
			t.Errorf("ProductTitled(%q) = %+v", title, p)
		}
	}
	var ids []string
	for _, p := range x.First(3) {
		ids = append(ids, p.ID)
	}
	if diff := cmp.Diff([]string{"p1", "p2", "p4"}, ids); diff != "" {
		t.Errorf("First leaves out what can't be had (-want +got):\n%s", diff)
	}
}

func TestBuildSurvivesABrokenFeed(t *testing.T) {
	x := build(t, Source{Format: JSON, Feed: []byte("<html>"), Documents: []Document{{Name: "faq.md", Text: shopKnowledge}}})
	if _, _, err := x.FeedReport(); err == nil {
		t.Error("the broken feed is not reported")
	}
	if hits, err := x.SearchPassages(t.Context(), "refund", 1); err != nil || len(hits) != 1 {
		t.Errorf("the knowledge is not served: %v, %v", hits, err)
	}
}

func TestSplitDocument(t *testing.T) {
	got := SplitDocument(Document{Name: "faq.md", Text: shopKnowledge})
	want := []Passage{
		{"", "faq.md", []string{"Flora"}, "Welcome to Flora.", ""},
		{"", "faq.md", []string{"Flora", "Shipping"}, "We ship within 2 days. Orders over 50 USD ship free.", ""},
		{"", "faq.md", []string{"Flora", "Shipping", "International"}, "We ship to the EU in 5 days.", ""},
		{"", "faq.md", []string{"Flora", "Returns and refunds"}, "Send plants back within 14 days.\n\n```\n# not a heading\n```", ""},
		{"", "faq.md", []string{"Flora", "Opening hours"}, "Monday to Friday, 9 to 17.", ""},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Passage{}, "ID")); diff != "" {
		t.Errorf("passages (-want +got):\n%s", diff)
	}
	long := strings.Repeat(strings.Repeat("word ", 60)+"\n\n", 10)
	parts := SplitDocument(Document{Name: "long.txt", Text: long})
	if len(parts) < 3 {
		t.Errorf("a long text without headings is one passage of %d", len(parts))
	}
	joined := 0
	for _, p := range parts {
		joined += strings.Count(p.Text, "word")
	}
	if joined != 600 {
		t.Errorf("%d of 600 words survived the split", joined)
	}
}

func TestTranslations(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de"}, Format: CSV, Feed: []byte("id,override,title,description,price\n" +
		"1,de_DE,Korksandalen,Zwei Riemen.,\n1,,Cork Sandals,Two straps.,9.00 EUR\n2,,Boots,,8.00 EUR\n2,german,Stiefel,,\n9,de_DE,Nichts,,\n2,de_DE,,,\n")})
	rows, count, err := x.FeedReport()
	if err != nil || count != 3 || len(rows) != 3 || rows[0].Line != 5 || rows[1].Line != 7 || rows[2].Line != 6 {
		t.Errorf("the feed is reported as %v (%d), %v", rows, count, err)
	}
	for _, question := range []string{"cork sandals", "Korksandalen", "Sandalen", "Haben Sie Sandalen mit zwei Riemen?"} {
		hits, err := x.SearchProducts(t.Context(), question, 1)
		if err != nil || len(hits) != 1 || hits[0].Product.ID != "1" {
			t.Errorf("%q found %+v, %v", question, hits, err)
		}
	}
	p, ok := x.ProductTitled("korksandalen")
	if !ok || p.In("de-AT").Title != "Korksandalen" || p.In("de").Description != "Zwei Riemen." || p.In("fr").Title != "Cork Sandals" || p.In("de").Price != p.Price {
		t.Errorf("ProductTitled and In give %+v, %t", p, ok)
	}
}

func TestSearchProductsWhere(t *testing.T) {
	x := shop(t, "en")
	for _, tc := range []struct {
		reason, question string
		filter           Filter
		want             []string
	}{
		{"no filter", "pot", Filter{}, []string{"p3"}},
		{"what is out of stock is left out", "pot", Filter{InStock: true}, nil},
		{"a brand in any case", "chair plant watering pot", Filter{Brand: "CLAYWORKS"}, []string{"p3", "p4"}},
		{"a price range", "fern plant chair", Filter{MinPrice: 10_000, MaxPrice: 20_000}, []string{"p2"}},
		{"a filter alone lists", "what do you have?", Filter{MaxPrice: 10_000}, []string{"p1", "p3"}},
		{"an article number", "is P4 there?", Filter{}, []string{"p4"}},
		{"an article number that the filter leaves out", "p3", Filter{InStock: true}, nil},
	} {
		hits, err := x.SearchProductsWhere(t.Context(), tc.question, tc.filter, 3)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hits {
			got = append(got, h.Product.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// TestAccessoriesAreNoAnswer tells a thing from what is made for it.
func TestAccessoriesAreNoAnswer(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de"}, Format: CSV, Feed: []byte("id,title\nbag,Daypack with Laptop Sleeve\nmill,Handkaffeemühle\nlamp,Floor Lamp\nbank,Power Bank\n")})
	for question, want := range map[string]string{
		"do you sell laptops?": "", "daypack for a laptop": "bag", "Kaffeemühle": "mill", "Mühle": "mill", "powerbank": "bank", "floorlamp": "lamp", "motorcycle": "", "lmap": "",
		"flor lamp": "lamp",
	} {
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
}
