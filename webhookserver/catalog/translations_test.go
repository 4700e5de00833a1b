package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTranslated(t *testing.T) {
	for document, want := range map[string]string{
		"returns.de.md": "returns.md de", "returns.md": "returns.md ", "returns.de": "returns de", "returns-ES.txt": "returns.txt es", "returns_pt-BR.md": "returns.md pt",
		"how-to.md": "how-to.md ", "de.md": "de.md ", "faq": "faq ", "spec.assistant.knowledge[0].url": "spec.assistant.knowledge[0].url ", "v1.0.md": "v1.0.md ",
	} {
		if name, language := translated(document); name+" "+language != want {
			t.Errorf("%s is %q in %q, want %q", document, name, language, want)
		}
	}
}

// TestInOneLanguage: of pages that say the same the one in the customer's language is left, in the place of the best, unless it says nothing of what is asked.
func TestInOneLanguage(t *testing.T) {
	in := func(document string, coverage float64) PassageHit {
		return PassageHit{Passage: Passage{Document: document, Language: "en"}, Coverage: coverage}
	}
	for _, tc := range []struct {
		reason, language string
		hits             []PassageHit
		want             string
	}{
		{"the customer's", "de", []PassageHit{in("a.en.md", 0.9), in("a.de.md", 0.8), in("b.md", 0.7), in("a.de.md", 0.6), in("a.es.md", 0.6)}, "a.de.md 0.9 b.md 0.7 a.de.md 0.6"},
		{"a name without a language", "en", []PassageHit{in("a.de.md", 0.9), in("a.md", 0.8)}, "a.md 0.9"},
		{"one that answers less", "de", []PassageHit{in("a.en.md", 0.9), in("b.md", 0.8), in("a.de.md", 0.5)}, "a.de.md 0.9 b.md 0.8"},
		{"one that says nothing of it", "de", []PassageHit{in("a.en.md", 0.9), in("b.md", 0.8), in("a.de.md", 0.3)}, "a.en.md 0.9 b.md 0.8"},
		{"none is the customer's", "fr", []PassageHit{in("a.en.md", 0.9), in("a.de.md", 0.9)}, "a.en.md 0.9"},
		{"an unknown language", "", []PassageHit{in("a.de.md", 0.9), in("a.en.md", 0.9)}, "a.de.md 0.9 a.en.md 0.9"},
		{"pages that are called otherwise", "de", []PassageHit{in("a.en.md", 0.9), in("b.de.md", 0.8)}, "a.en.md 0.9 b.de.md 0.8"},
		{"none", "de", nil, ""},
	} {
		var left []string
		for _, h := range inOneLanguage(tc.hits, tc.language) {
			left = append(left, fmt.Sprintf("%s %.1f", h.Passage.Document, h.Coverage))
		}
		if got := strings.Join(left, " "); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.reason, got, tc.want)
		}
	}
}

// TestFindShowsAPageInOneLanguage: who asks with a word that all translations of a page have is shown one of them.
func TestFindShowsAPageInOneLanguage(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de", "es"}, Documents: []Document{
		{Name: "pay.de.md", Text: "# Bezahlung\n\nWir nehmen PayPal und Karten. Sie zahlen, wenn die Ware bei Ihnen ist.\n"},
		{Name: "pay.en.md", Text: "# Payment\n\nWe take PayPal and cards. You pay when the goods are with you.\n"},
		{Name: "pay.es.md", Text: "# Pago\n\nAceptamos PayPal y tarjetas. Usted paga cuando la mercancía está en su casa.\n"},
		{Name: "gifts.en.md", Text: "# Gift cards\n\nYou can pay for them with PayPal.\n"},
	}})
	for question, want := range map[string]string{
		"can I pay by PayPal?": "gifts.en.md pay.en.md", "Kann ich mit PayPal zahlen?": "gifts.en.md pay.de.md", "¿puedo pagar con PayPal?": "gifts.en.md pay.es.md",
	} {
		found, err := x.Find(t.Context(), question, 5)
		if err != nil {
			t.Fatal(err)
		}
		var documents []string
		for _, f := range found {
			documents = append(documents, f.Passage.Document)
		}
		slices.Sort(documents)
		if got := strings.Join(documents, " "); got != want {
			t.Errorf("%q found %s, want %s", question, got, want)
		}
	}
}
