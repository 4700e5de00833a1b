package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxQueryChars bounds what is searched for: a question, not a pasted document.
	maxQueryChars = 400
	// minCandidates are fetched from the search engine at least, and ranked again by coverage.
	minCandidates = 60
	// sameLanguage is how much a passage in the language of the question is preferred.
	sameLanguage = 0.2
)

// ProductHit is a product that matches.
type ProductHit struct {
	Product Product
	// Coverage is the share of the question's words found in the product, from 0 to 1; rare words weigh more. 0 means that only its
	// meaning is alike.
	Coverage float64
}

// PassageHit is a passage that matches.
type PassageHit struct {
	Passage Passage
	// Coverage is the share of the question's words found in the passage, from 0 to 1; rare words weigh more.
	Coverage float64
	// Heading is the share of the question's words found in its headings alone.
	Heading float64
}

// SearchProducts returns up to n products that match a customer's words, best first. Words of any shop question ("do you
// have", "price of") are left out. The order is the same for the same content and question.
func (x *Index) SearchProducts(ctx context.Context, question string, n int) ([]ProductHit, error) {
	return x.SearchProductsWhere(ctx, question, Filter{}, n)
}

// SearchProductsWhere is SearchProducts among the products that pass a filter. Without words left to search for it
// returns the first products that pass, unless the filter is empty.
func (x *Index) SearchProductsWhere(ctx context.Context, question string, filter Filter, n int) ([]ProductHit, error) {
	question = clip(question, maxQueryChars)
	question, filter = x.affordable(question, filter)
	passes := func(doc int) bool { return filter.passes(&x.products[doc]) }
	if n <= 0 {
		return nil, nil
	}
	var hits []ProductHit
	named := -1
	if i, ok := x.numbered(question); ok && passes(i) {
		named = i
		hits = append(hits, ProductHit{Product: x.products[i], Coverage: 1})
	}
	q := x.ask(x.goods, question)
	if len(q.words) == 0 && !filter.empty() {
		for i := range x.products {
			if len(hits) < n && i != named && passes(i) {
				hits = append(hits, ProductHit{Product: x.products[i]})
			}
		}
		return hits, nil
	}
	ranked, err := x.rankProducts(ctx, question, q, n, passes)
	if err != nil {
		return nil, err
	}
	for _, f := range ranked {
		if f.doc != named && len(hits) < n {
			hits = append(hits, ProductHit{Product: x.products[f.doc], Coverage: f.coverage})
		}
	}
	return hits, nil
}

// rankProducts finds products by words and by meaning.
func (x *Index) rankProducts(ctx context.Context, text string, q question, n int, passes func(doc int) bool) ([]ranking, error) {
	if len(q.words) == 0 {
		return nil, nil
	}
	alike := x.alike(ctx, text, x.goodVectors, passes)
	if len(alike) > 0 {
		n = max(n, minCandidates) // what both find may be far down in either
	}
	ranked, err := x.goods.search(ctx, q, n, passes)
	return fuse(ranked, alike), err
}

// affordable takes the most that the customer wants to pay out of a question, into the filter. A limit alone stays where it is:
// it would list products to who asked for none.
func (x *Index) affordable(question string, filter Filter) (string, Filter) {
	most, rest := budget(question)
	if most == 0 || len(x.ask(x.goods, rest).words) == 0 {
		return question, filter
	}
	if filter.MaxPrice == 0 || most < filter.MaxPrice {
		filter.MaxPrice = most
	}
	return rest, filter
}

// ask reads a question for a shelf. One without documents is asked nothing: reading is most of what an answer takes.
func (x *Index) ask(s *shelf, text string) question {
	if s.size == 0 {
		return question{}
	}
	r := reader{shelf: s, language: x.language(text), tongues: append(slices.Clip(x.goods.tongues), x.facts.tongues...), sells: x.sells}
	return r.read(text)
}

// language guesses a question's.
func (x *Index) language(question string) string {
	return languageOf(question, spoken, x.languages, func(word, language string) int {
		for _, t := range x.goods.tongues {
			if t.language != language {
				continue
			}
			term := t.term(word)
			switch had, thing := t.words.has(term), t.thing(term); {
			case had && thing:
				return tellsMuch
			case had, thing:
				return tellsLittle
			}
		}
		for _, t := range x.facts.tongues {
			if t.language == language && t.words.written(folded(word)) {
				return tellsLittle
			}
		}
		return 0
	})
}

// sells says whether a word is in a product's name, or means nearly what is.
func (x *Index) sells(word string) bool {
	for _, t := range x.goods.tongues {
		for _, m := range t.meanings(t.term(word), "") {
			if m.strength >= synonymous*within && t.words.titled[m.id] > 0 {
				return true
			}
		}
	}
	return false
}

// numbered finds the product whose id the question quotes. Words without a digit are no article numbers.
func (x *Index) numbered(question string) (int, bool) {
	for word := range strings.FieldsSeq(question) {
		word = strings.Trim(word, punctuation)
		if !strings.ContainsFunc(word, unicode.IsDigit) {
			continue
		}
		for _, id := range []string{word, strings.ToUpper(word), strings.ToLower(word)} {
			if i, ok := x.byID[id]; ok {
				return i, true
			}
		}
	}
	return 0, false
}

// SearchPassages returns up to n passages of the knowledge that match a customer's words, best first; of those that
// match alike, one in the customer's language. Words of courtesy are left out.
func (x *Index) SearchPassages(ctx context.Context, question string, n int) ([]PassageHit, error) {
	if n <= 0 || x.facts.size == 0 {
		return nil, nil
	}
	question = clip(question, maxQueryChars)
	language := x.language(question)
	q, every := x.ask(x.facts, question), func(int) bool { return true }
	ranked, err := x.facts.search(ctx, q, max(n, minCandidates), every)
	if err != nil {
		return nil, err
	}
	if language != "" {
		for i := range ranked {
			if x.passages[ranked[i].doc].Language == language {
				ranked[i].rank += sameLanguage
			}
		}
		slices.SortStableFunc(ranked, func(a, b ranking) int { return cmp.Compare(b.rank, a.rank) })
	}
	if len(q.words) > 0 {
		ranked = fuse(ranked, x.alike(ctx, question, x.factVectors, every))
	}
	hits := make([]PassageHit, 0, n)
	for _, f := range ranked[:min(n, len(ranked))] {
		hits = append(hits, PassageHit{Passage: x.passages[f.doc], Coverage: f.coverage, Heading: f.title})
	}
	return hits, nil
}
