package catalog

import (
	"slices"
	"testing"
)

// TestMakePlace: among what everybody looks at there is the best of each kind, if it is an answer.
func TestMakePlace(t *testing.T) {
	product := func(coverage float64) Finding { return Finding{Product: &Product{}, Coverage: coverage} }
	page := func(coverage float64) Finding { return Finding{Passage: &Passage{}, Coverage: coverage} }
	for _, tc := range []struct {
		reason string
		found  []Finding
		want   []float64
	}{
		{"a page behind products", []Finding{product(0.9), product(0.8), product(0.7), product(0.65), page(0.6)}, []float64{0.9, 0.8, 0.6, 0.7, 0.65}},
		{"a product behind pages", []Finding{page(0.9), page(0.8), page(0.7), product(0.6)}, []float64{0.9, 0.8, 0.6, 0.7}},
		{"two of the other kind", []Finding{product(0.9), product(0.8), product(0.7), page(0.65), page(0.6)}, []float64{0.9, 0.8, 0.65, 0.7, 0.6}},
		{"one that has a place", []Finding{product(0.9), page(0.8), product(0.7), page(0.6)}, []float64{0.9, 0.8, 0.7, 0.6}},
		{"one that is a guess", []Finding{product(0.9), product(0.8), product(0.7), page(0.5)}, []float64{0.9, 0.8, 0.7, 0.5}},
		{"one kind alone", []Finding{product(0.9), product(0.8), product(0.7), product(0.6)}, []float64{0.9, 0.8, 0.7, 0.6}},
		{"few", []Finding{product(0.9), page(0.8)}, []float64{0.9, 0.8}},
		{"none", nil, nil},
	} {
		makePlace(tc.found)
		var got []float64
		for _, f := range tc.found {
			got = append(got, f.Coverage)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
		}
	}
}

func TestPassage(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Documents: office})
	found, err := x.Find(t.Context(), "parking", 1)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if p, ok := x.Passage(found[0].Passage.ID); !ok || p.Document != "garage" {
		t.Errorf("passage %q is %+v", found[0].Passage.ID, p)
	}
	if p, ok := x.Passage("garage#9"); ok {
		t.Errorf("a passage that is not there is %+v", p)
	}
}

// TestBesideAnAnswer: beside one that has Enough, less is enough, unless that says all; without one nothing is.
func TestBesideAnAnswer(t *testing.T) {
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte("id,title\n1,Lantern Shade Hook\n2,Lantern Shade\n3,Hammock\n")})
	for question, want := range map[string]int{"lantern shade hook trowel": 2, "lantern shade hook": 1, "lantern shade": 2, "lantern chandelier trowel": 0} {
		found, err := x.Find(t.Context(), question, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != want {
			t.Errorf("%q: %+v, want %d", question, found, want)
		}
	}
}
