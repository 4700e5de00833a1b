package catalog

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// sampleShop is the shop that everybody sees first: that of config/samples.
func sampleShop(t *testing.T) *Index {
	t.Helper()
	text, err := os.ReadFile("../../config/samples/catalog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shop struct{ Data map[string]string }
	if err := yaml.Unmarshal(text, &shop); err != nil {
		t.Fatal(err)
	}
	return build(t, Source{
		Languages: []string{"en"}, Format: CSV, Feed: []byte(shop.Data["products.csv"]),
		Documents: []Document{{Name: "faq.md", Text: shop.Data["faq.md"]}},
	})
}

// TestGenus asks for things by their name and that of their department, which no product has in its title and some passages have in their
// text.
func TestGenus(t *testing.T) {
	x := sampleShop(t)
	for question, want := range map[string]string{
		"Do you have cactus plants?":          "Golden Barrel Cactus",
		"an olive plant for the terrace":      "Olive Tree",
		"Do you have a fern plant?":           "Boston Fern",
		"plant pots":                          "Terracotta Pot",
		"¿tienen plantas de lavender?":        "Lavender",
		"Do you have plants?":                 "Monstera Deliciosa",
		"Do you have orchid plants?":          "",
		"garden furniture":                    "",
		"What if my plant does not thrive?":   "Returns",
		"Do you water your plants on Sunday?": "Opening hours",
	} {
		found, err := x.Find(t.Context(), question, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range found {
			if f.Product != nil {
				got = f.Product.Title
			} else {
				got = strings.Join(f.Passage.Headings, " ")
			}
		}
		if got != want {
			t.Errorf("%q found %q, want %q", question, got, want)
		}
	}
}
