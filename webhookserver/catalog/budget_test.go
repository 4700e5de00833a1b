package catalog

import "testing"

func TestBudget(t *testing.T) {
	for question, want := range map[string]int64{
		"backpacks under 100 euros":             100_000,
		"Kaffee unter 12,50 €?":                 12_500,
		"algo por menos de 30 euros, por favor": 30_000,
		"less than $20 please":                  20_000,
		"up to 3 bags":                          0,
		"is shipping free over 50 euros":        0,
		"unter 18 Jahren":                       0,
	} {
		if most, _ := budget(question); most != want {
			t.Errorf("%q: %d, want %d", question, most, want)
		}
	}
	if _, rest := budget("boots under 100 EUR in red"); rest != "boots in red" {
		t.Errorf("the rest is %q", rest)
	}
}

func TestABudgetIsKept(t *testing.T) {
	x := shop(t, "en")
	hits, err := x.SearchProducts(t.Context(), "plants under 10 dollars", 3)
	if err != nil || len(hits) == 0 || hits[0].Product.ID != "p1" {
		t.Fatalf("found %+v, %v", hits, err)
	}
	for _, h := range hits {
		if h.Product.Price.Thousandths > 10_000 {
			t.Errorf("%s costs %s", h.Product.Title, h.Product.Price)
		}
	}
}
