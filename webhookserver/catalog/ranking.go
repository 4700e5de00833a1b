package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/blevesearch/bleve/v2"
)

// This file ranks the documents of a shelf. The search engine finds candidates quickly; which of them answers is told by how much of the
// question each covers, since a share can be compared with what is Enough and an engine's score can't.

const (
	// story is how much all that a product lacks of a question may weigh together, in words as rare as can be: who tells a story
	// says much that no product has.
	story = 0.9
	// enoughUses of a thing name it as well as its name does; one says little. usedOften and usedOnce are how surely.
	enoughUses, usedOften, usedOnce = 2, 0.9, 0.75
	// maxRead is how many entries of documents a question may have the search engine read.
	maxRead = 4000
	// titleBoost ranks a word in the title before one in the body.
	titleBoost = 3
	// titleShare is how much of the rank the title alone decides.
	titleShare = 0.2
	// besideShare is what a word counts that says what a product is for or comes with, rather than what it is: who asks for a
	// laptop is not helped by a bag with a sleeve for one. Alone it is not Enough.
	besideShare = 0.5
	// traitsAlone is what is left of the coverage of what has none of the words that name something, and namedBy how surely one
	// of them must be there.
	traitsAlone, namedBy = 0.5, 0.6
)

// ranking is a document that matches.
type ranking struct {
	doc             int
	coverage, title float64
	score           float64 // the engine's
	rank            float64
}

// search asks the engine for candidates and ranks them by how much of the question they cover, then by its score. A
// share of coverage can be told from the best of nothing, which a search engine's score can't.
func (s *shelf) search(ctx context.Context, q question, n int, passes func(doc int) bool) ([]ranking, error) {
	terms := bleve.NewDisjunctionQuery()
	for _, c := range s.clauses(q) {
		term := bleve.NewTermQuery(c.word)
		term.SetField(c.field)
		term.SetBoost(c.boost)
		terms.AddQuery(term)
	}
	serving := s.serving(q)
	if len(terms.Disjuncts)+len(serving) == 0 {
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
	take := func(doc int, score float64) {
		if !passes(doc) {
			return
		}
		if f := s.rank(doc, q); f.coverage > 0 {
			f.score = score
			all = append(all, f)
		}
	}
	for _, hit := range res.Hits {
		doc, err := strconv.Atoi(hit.ID)
		if err != nil {
			return nil, fmt.Errorf("search result: %w", err)
		}
		delete(serving, doc)
		take(doc, hit.Score)
	}
	for doc := range serving {
		take(doc, 0)
	}
	slices.SortStableFunc(all, func(a, b ranking) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc))
	})
	return all[:min(n, len(all))], nil
}

// clause is a word in a field that the engine is asked for, and how many documents have it there.
type clause struct {
	field, word string
	boost       float64
	documents   uint32
}

// clauses are what a question may mean, in an order that is always the same: scores are sums of floats, which depend on it. The
// engine reads every document that has any of them, so words that half of a large catalog has are left out where rarer ones
// find enough: candidates are ranked by all words anyway.
func (s *shelf) clauses(q question) []clause {
	var all []clause
	for _, w := range q.words {
		for i, t := range s.tongues {
			for _, m := range w.matches[i] {
				word, boost := t.words.words[m.id], m.strength*shares[w.manner].found
				if n := t.words.titled[m.id]; n > 0 {
					all = append(all, clause{t.titleField(), word, titleBoost * boost, n})
				}
				if n := t.words.in[m.id]; n > 0 {
					all = append(all, clause{t.bodyField(), word, boost, n})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b clause) int { return cmp.Compare(a.documents, b.documents) })
	read := uint32(0)
	for i := range all {
		if read += all[i].documents; read > maxRead && i > 0 {
			return all[:i]
		}
	}
	return all
}

// serves says whether a document is of a kind that is for what a word says.
func (s *shelf) serves(doc int, w wanted) bool {
	return slices.ContainsFunc(w.kinds, func(k kind) bool { return slices.Contains(s.kinds[doc], k) })
}

// served is how many words of a question say what one kind of a document is for.
func (s *shelf) served(doc int, q question) int {
	most := 0
	for _, k := range s.kinds[doc] {
		n := 0
		for i := range q.words {
			if slices.Contains(q.words[i].kinds, k) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// serving are the documents of kinds that are for what two words of a question say.
func (s *shelf) serving(q question) map[int]bool {
	said := map[kind]int{}
	for _, w := range q.words {
		for i, k := range w.kinds {
			if !slices.Contains(w.kinds[:i], k) {
				said[k]++
			}
		}
	}
	found := map[int]bool{}
	for k, n := range said {
		if n < enoughUses {
			continue
		}
		for _, doc := range s.ofKind[k][:min(len(s.ofKind[k]), minCandidates)] {
			found[doc] = true
		}
	}
	return found
}

// usefulness is how surely a document is meant of whose uses so many are said. Who says one thing that people say about a matter may
// speak of anything.
func (s *shelf) usefulness(served int) float64 {
	switch {
	case served >= enoughUses:
		return usedOften
	case s.goods:
		return usedOnce
	default:
		return 0
	}
}

// rank returns which share of a question's weight the words of a document have, those outside of its core less.
func (s *shelf) rank(doc int, q question) ranking {
	served := s.served(doc, q)
	var sum, lacking, titleSum, titleTotal float64
	named := false
	for _, w := range q.words {
		anywhere, told, inTitle := s.strength(doc, w)
		if slices.ContainsFunc(w.named, func(k kind) bool { return slices.Contains(s.kinds[doc], k) }) {
			anywhere, inTitle = max(anywhere, synonymous), max(inTitle, synonymous)
		}
		if s.serves(doc, w) {
			anywhere = max(anywhere, s.usefulness(served))
		}
		told = max(told, anywhere)
		sum += w.found * told
		lacking += max(w.missing-w.found*told, 0) // a trait that is there weighs more than one that isn't
		titleSum += w.found * inTitle
		titleTotal += max(w.found*inTitle, w.missing)
		if !w.aside {
			anywhere = told // nothing else is asked for than what is for that
		}
		named = named || w.names && anywhere >= namedBy
	}
	if sum == 0 {
		return ranking{}
	}
	if s.goods {
		lacking = min(lacking, story*s.rarity(1))
	}
	total := sum + lacking
	f := ranking{doc: doc, coverage: sum / total, title: titleSum / titleTotal}
	if (q.names || !s.goods) && !named && served < enoughUses {
		// Red things for women are no answer to who asks for a red bikini for women.
		f.coverage *= traitsAlone
	}
	f.rank = f.coverage + titleShare*f.title
	return f
}

// strength is how surely a document has a word, and how surely its title. told is how surely it says that it is for that, where that is
// what the word asks for.
func (s *shelf) strength(doc int, w wanted) (anywhere, told, inTitle float64) {
	beside := func(strength float64) float64 {
		if w.purpose {
			told = max(told, strength)
		}
		return strength * besideShare
	}
	for i, t := range s.tongues {
		for _, m := range w.matches[i] {
			if m.strength <= inTitle {
				break
			}
			switch {
			case m.in(t.words.title[doc]):
				inTitle = m.strength
				if m.in(t.words.core[doc]) {
					anywhere = max(anywhere, m.strength)
				} else {
					anywhere = max(anywhere, beside(m.strength))
				}
			case m.strength <= anywhere:
			case m.in(t.words.core[doc]):
				anywhere = m.strength
			case m.in(t.words.all[doc]):
				anywhere = max(anywhere, beside(m.strength))
			}
		}
	}
	return anywhere, told, inTitle
}

// in says whether a sorted set has the word, or both if it is two.
func (m match) in(words []uint32) bool {
	if _, ok := slices.BinarySearch(words, m.id); !ok {
		return false
	}
	if m.and == m.id {
		return true
	}
	_, ok := slices.BinarySearch(words, m.and)
	return ok
}
