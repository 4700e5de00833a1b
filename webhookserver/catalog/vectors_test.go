package catalog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// meaningOf is a model of three meanings: things to sit on, things to drink from, anything else.
func meaningOf(text string) []float32 {
	out := []float32{0.05, 0.05, 0.1}
	for i, words := range [][]string{{"chair", "stool", "sofa", "seat"}, {"mug", "cup", "glass", "drink"}} {
		for _, w := range words {
			if strings.Contains(strings.ToLower(text), w) {
				out[i]++
			}
		}
	}
	return out
}

const rooms = `id,title,description,price
1,Oak stool,For the kitchen,49.00 EUR
2,Steel mug,Keeps coffee hot,12.00 EUR
3,Wall clock,Ticks,20.00 EUR
4,Door mat,Brushes,9.00 EUR
5,Lamp,Shines,30.00 EUR
6,Shelf,Carries books,60.00 EUR
7,Rug,Warms feet,80.00 EUR
8,Velvet sofa,Three places,900.00 EUR
`

func withMeaning(t *testing.T) *Index {
	t.Helper()
	words := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte(rooms)})
	v := NewVectors()
	for _, text := range words.Texts() {
		if !v.Add(text, meaningOf(text)) {
			t.Fatalf("the vector of %q is refused", text)
		}
	}
	read, err := DecodeVectors(v.Encode(words.Texts()))
	if err != nil {
		t.Fatal(err)
	}
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte(rooms), Vectors: read})
	if x.LacksVectors() || !words.LacksVectors() {
		t.Fatal("it is wrong which index has its vectors")
	}
	if n := vectorBytes(x.goodVectors); n < 8*(vectorOverhead+3) {
		t.Errorf("the vectors are counted as %d bytes", n)
	}
	return x
}

func titles(hits []ProductHit) (out []string) {
	for _, h := range hits {
		out = append(out, h.Product.Title)
	}
	return out
}

func TestSearchByMeaning(t *testing.T) {
	x := withMeaning(t)
	asked := 0
	y := x.WithQuestions(func(_ context.Context, question string) ([]float32, error) { asked++; return meaningOf(question), nil })
	for _, tc := range []struct {
		reason, question string
		want             []string
	}{
		{"what is called otherwise", "something for the unseated", []string{"Oak stool", "Velvet sofa"}},
		{"what words find and what is alike", "steel cup", []string{"Steel mug"}},
		{"words that say nothing of a meaning", "wall clock", []string{"Wall clock"}},
		{"courtesy alone", "hello", nil},
	} {
		hits, err := y.SearchProducts(t.Context(), tc.question, 5)
		if err != nil {
			t.Fatal(err)
		}
		got := titles(hits)
		if diff := cmp.Diff(tc.want, got[:min(len(got), len(tc.want))]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	if asked != 3 {
		t.Errorf("the model was asked %d times, courtesy needs no vector", asked)
	}
	if hits, err := y.SearchProductsWhere(t.Context(), "seat", Filter{MaxPrice: 100_000}, 5); err != nil || len(hits) != 1 || hits[0].Product.ID != "1" {
		t.Errorf("the filter holds for what is alike, too: %q, %v", titles(hits), err)
	}
	found, err := y.Find(t.Context(), "something for the unseated", 3)
	if err != nil || len(found) > 0 {
		t.Errorf("being alike is no answer: %+v, %v", found, err)
	}
	if found, err = y.Find(t.Context(), "steel mug", 1); err != nil || len(found) != 1 || found[0].Product.ID != "2" {
		t.Errorf("words are one: %+v, %v", found, err)
	}
}

// TestSearchGoesByWordsWithoutVectors sees that whatever the model does, words find what they found before.
func TestSearchGoesByWordsWithoutVectors(t *testing.T) {
	x := withMeaning(t)
	want, err := x.SearchProducts(t.Context(), "steel mug", 5)
	if err != nil || len(want) == 0 {
		t.Fatal(want, err)
	}
	for reason, embed := range map[string]func(context.Context, string) ([]float32, error){
		"the model fails":                 func(context.Context, string) ([]float32, error) { return nil, errors.New("down") },
		"a vector of another length":      func(context.Context, string) ([]float32, error) { return []float32{1, 2}, nil },
		"a vector without a direction":    func(context.Context, string) ([]float32, error) { return make([]float32, 3), nil },
		"a vector of what is not numbers": func(context.Context, string) ([]float32, error) { return []float32{float32(math.NaN()), 0, 0}, nil },
	} {
		got, err := x.WithQuestions(embed).SearchProducts(t.Context(), "steel mug", 5)
		if err != nil {
			t.Errorf("%s: %v", reason, err)
		}
		if diff := cmp.Diff(titles(want), titles(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
}

func TestVectorsAreReadAsTheyWereWritten(t *testing.T) {
	v := NewVectors()
	texts := []string{"a", "b", "c"}
	if !v.Add("a", []float32{1, -2, 3}) || !v.Add("b", []float32{0.5, 0, 0}) {
		t.Fatal("a vector is refused")
	}
	for reason, bad := range map[string][]float32{
		"none": nil, "zero": {0, 0, 0}, "of another length": {1, 2}, "infinite": {float32(math.Inf(1)), 0, 0},
	} {
		if v.Add("c", bad) {
			t.Errorf("a vector that is %s is taken", reason)
		}
	}
	if diff := cmp.Diff([]string{"c"}, v.Missing(texts)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	encoded := v.Encode([]string{"a", "c", "a"})
	read, err := DecodeVectors(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "c"}, read.Missing(texts)); diff != "" {
		t.Errorf("what is not named is kept (-want +got):\n%s", diff)
	}
	kept := read.of([]string{"a"})[0]
	if c := kept.cosine(normalized([]float32{1, -2, 3})); c < 0.999 || c > 1.001 {
		t.Errorf("a vector is %.4f like itself", c)
	}
	for i := range encoded {
		if _, err := DecodeVectors(encoded[:i]); err == nil {
			t.Errorf("%d of %d bytes are taken for whole", i, len(encoded))
		}
	}
	if _, err := DecodeVectors(fmt.Append(encoded, "x")); err == nil {
		t.Error("more bytes than there should be are taken")
	}
}
