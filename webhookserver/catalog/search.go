package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

const (
	// maxQueryChars bounds what is searched for: a question, not a pasted document.
	maxQueryChars = 400
	// maxQueryWords bounds the words of it.
	maxQueryWords = 24
	// minCandidates are fetched from the search engine at least, and ranked again by coverage.
	minCandidates = 60
	// titleBoost ranks a word in the title before one in the body.
	titleBoost = 3
	// titleShare is how much of the rank the title alone decides.
	titleShare = 0.25
	// numberShare is what a number or a single letter counts beside a word: "55 l" says less than "backpack".
	numberShare = 0.4
	// besideShare is what a word counts that says what a product is for or comes with, rather than what it is: who asks for a
	// laptop is not helped by a bag with a sleeve for one. Alone it is not Enough.
	besideShare = 0.45
	// idleShare is what a word of any shop question weighs that the knowledge doesn't have.
	idleShare = 0.4
	// kindShare is what the last part of a compound weighs: a Kaffeetasse is a Tasse.
	kindShare = 0.65
	// sameLanguage is how much a passage in the language of the question is preferred.
	sameLanguage = 0.2
)

// ProductHit is a product that matches.
type ProductHit struct {
	Product Product
	// Coverage is the share of the question's words found in the product, from 0 to 1; rare words weigh more.
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
	words := without(question, courtesy, shopTalk)
	if words == "" && !filter.empty() {
		for i := range x.products {
			if len(hits) < n && i != named && passes(i) {
				hits = append(hits, ProductHit{Product: x.products[i]})
			}
		}
		return hits, nil
	}
	ranked, err := x.goods.search(ctx, words, languageOf(question, x.goods.languages()), n, passes)
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
	if n <= 0 {
		return nil, nil
	}
	question = clip(question, maxQueryChars)
	language := languageOf(question, x.facts.languages())
	ranked, err := x.facts.search(ctx, without(question, courtesy), language, max(n, minCandidates), func(int) bool { return true })
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
	hits := make([]PassageHit, 0, n)
	for _, f := range ranked[:min(n, len(ranked))] {
		hits = append(hits, PassageHit{Passage: x.passages[f.doc], Coverage: f.coverage, Heading: f.title})
	}
	return hits, nil
}

// ranking is a document that matches.
type ranking struct {
	doc             int
	coverage, title float64
	score           float64 // the engine's
	rank            float64
}

// wanted is a word of a question: what it may mean, and how much it weighs.
type wanted struct {
	weight  float64
	matches []match
}

// search asks the engine for candidates and ranks them by how much of the question they cover, then by its score. A
// share of coverage can be told from the best of nothing, which a search engine's score can't.
func (s *shelf) search(ctx context.Context, question, language string, n int, passes func(doc int) bool) ([]ranking, error) {
	tongues := s.tongues
	// A question whose language is plain is read in it: the same letters are other words elsewhere.
	if i := slices.Index(s.languages(), language); i >= 0 {
		tongues = tongues[i : i+1]
	}
	asked := make([][]wanted, len(tongues))
	terms := bleve.NewDisjunctionQuery()
	for i, t := range tongues {
		asked[i] = t.wanted(question)
		t.addTo(terms, asked[i])
	}
	if len(terms.Disjuncts) == 0 {
		return nil, nil
	}
	candidates := max(4*n, minCandidates)
	req := bleve.NewSearchRequestOptions(terms, candidates, 0, false)
	req.SortBy([]string{"-_score", "_id"})
	res, err := s.engine.SearchInContext(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	var all []ranking
	for _, hit := range res.Hits {
		doc, err := strconv.Atoi(hit.ID)
		if err != nil {
			return nil, fmt.Errorf("search result: %w", err)
		}
		if !passes(doc) {
			continue
		}
		f := ranking{doc: doc, score: hit.Score}
		for i, t := range tongues {
			covered := coverage(asked[i], t.words.all[doc], t.words.core[doc])
			inTitle := coverage(asked[i], t.words.title[doc], t.words.title[doc])
			if rank := covered + titleShare*inTitle; rank > f.rank {
				f.rank, f.coverage, f.title = rank, covered, inTitle
			}
		}
		if f.coverage > 0 {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b ranking) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc))
	})
	return all[:min(n, len(all))], nil
}

// coverage returns which share of the question's weight the words of a document have, those outside of its core less.
func coverage(asked []wanted, words, core []uint32) float64 {
	var sum, total float64
	for _, w := range asked {
		total += w.weight
		best := 0.0
		for _, m := range w.matches { // the surest first
			if m.strength <= best {
				break
			}
			if _, ok := slices.BinarySearch(core, m.id); ok {
				best = m.strength
			} else if _, ok := slices.BinarySearch(words, m.id); ok {
				best = max(best, m.strength*besideShare)
			}
		}
		sum += w.weight * best
	}
	if total == 0 {
		return 0
	}
	return sum / total
}

// wanted reads a question in one language.
func (t *tongue) wanted(question string) []wanted {
	var all []wanted
	terms, raw := t.written(question)
	seen := map[string]bool{}
	for i := 0; i < len(terms) && len(all) < maxQueryWords; i++ {
		term := terms[i]
		if seen[term] {
			continue
		}
		seen[term] = true
		matches := t.meanings(term, utf8.RuneCountInString(raw[i]))
		if len(matches) == 0 && t.idle[strings.ToLower(raw[i])] {
			all = append(all, wanted{t.weigh(term, nil) * idleShare, nil})
			continue
		}
		if len(matches) == 0 && i+1 < len(terms) {
			// "tea pot", where the catalog has teapots.
			if joined := t.meanings(term+terms[i+1], 0); len(joined) > 0 && joined[0].strength == sure {
				all = append(all, wanted{t.weigh(term, joined), joined})
				i++
				continue
			}
		}
		if len(matches) == 0 || matches[0].strength < within {
			if parts := t.words.parts(term); parts != nil {
				head, kind := t.meanings(parts[0], 0), t.meanings(parts[1], utf8.RuneCountInString(parts[1]))
				all = append(all, wanted{t.weigh(parts[0], head) * (1 - kindShare), head},
					wanted{t.weigh(parts[1], kind) * kindShare, kind})
				continue
			}
		}
		all = append(all, wanted{t.weigh(term, matches), matches})
	}
	return all
}

// meanings returns what a word may mean that was written with so many letters; none allow no typos.
func (t *tongue) meanings(term string, letters int) []match {
	return t.words.meanings(term, letters, synonyms(t.analyzer, t.analysis, term), compounding[t.language])
}

// weigh says how much a word of a question tells: what nobody wrote tells as much as the rarest word.
func (t *tongue) weigh(term string, matches []match) float64 {
	in := uint32(1)
	if len(matches) > 0 {
		in = t.words.in[matches[0].id]
	}
	weight := t.words.rarity(in)
	if number, single := strings.ContainsFunc(term, unicode.IsDigit), len([]rune(term)) == 1; number || single {
		weight *= numberShare
	}
	return weight
}

// addTo asks the engine for what the words may mean. In this order always: scores are sums of floats, which depend on it.
func (t *tongue) addTo(all *query.DisjunctionQuery, asked []wanted) {
	for _, w := range asked {
		for _, m := range w.matches {
			for _, f := range []struct {
				name  string
				boost float64
			}{{t.titleField(), titleBoost}, {t.bodyField(), 1}} {
				q := bleve.NewTermQuery(t.words.words[m.id])
				q.SetField(f.name)
				q.SetBoost(f.boost * m.strength)
				all.AddQuery(q)
			}
		}
	}
}

func (s *shelf) languages() []string {
	out := make([]string, 0, len(s.tongues))
	for _, t := range s.tongues {
		out = append(out, t.language)
	}
	return out
}
