package catalog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/whitespace"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
)

const (
	// scoringModel ranks by BM25, which does not favour long descriptions as TF-IDF does.
	scoringModel = "bm25"
	// batchSize of documents per segment: few segments search faster, a whole feed in one batch takes too much memory.
	batchSize = 2000
	// plainAnalyzer splits at spaces: the engine gets words that were analyzed already.
	plainAnalyzer = "plain"
	// shelfOverhead is about what the search engine takes without a document, its goroutines included: an estimate.
	shelfOverhead = 192 << 10
)

// shelf is a set of numbered documents with a title and a body each, in the words of each language.
type shelf struct {
	tongues []*tongue
	engine  bleve.Index
	// goods says that the documents are things for sale, of which some words say what they are, and others what they come with.
	goods bool
	// size is the number of documents.
	size int
	// kinds are those of each document, ofKind the documents of each.
	kinds  [][]kind
	ofKind map[kind][]int
}

// writing is what a document is found by. what says beside the title what a thing is, attributes how it is; around is what stands in the
// same page, which counts less.
type writing struct{ title, what, attributes, body, around string }

// newShelf indexes n documents. text returns what one is found by in a language.
func newShelf(ctx context.Context, languages []string, goods bool, n int, text func(i int, language string) writing) (*shelf, error) {
	s := &shelf{goods: goods, size: n, kinds: make([][]kind, n), ofKind: map[kind][]int{}}
	// Languages that share an analyzer are told apart by their translations.
	for _, language := range bases(languages) {
		s.tongues = append(s.tongues, newTongue(language, goods, n))
	}
	m, err := s.mapping()
	if err != nil {
		return nil, err
	}
	for _, t := range s.tongues {
		if t.analysis = m.AnalyzerNamed(t.analyzer); t.analysis == nil {
			return nil, fmt.Errorf("text analyzer %q is not linked in", t.analyzer)
		}
	}
	// Without a path the index is in memory; scorch is the type that can score by BM25 and needs no key-value store,
	// although one has to be named.
	s.engine, err = bleve.NewUsing("", m, scorch.Name, bleve.Config.DefaultMemKVStore, nil)
	if err != nil {
		return nil, fmt.Errorf("create search index: %w", err)
	}
	for start := 0; start < n; start += batchSize {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, s.close())
		}
		batch := s.engine.NewBatch()
		for i := start; i < min(start+batchSize, n); i++ {
			fields := make(map[string]any, 2*len(s.tongues))
			for _, t := range s.tongues {
				w := text(i, t.language)
				titleTerms, titleCore := t.learn(w.title)
				bodyTerms, bodyCore := t.learn(w.body)
				attributes, _ := t.learn(w.attributes)
				core := slices.Concat(titleCore, bodyCore, t.uncounted(attributes))
				bodyTerms = append(bodyTerms, attributes...)
				if goods {
					s.kinds[i] = append(append(s.kinds[i], t.kinds(titleCore)...), t.kinds(t.terms(w.what))...)
				} else {
					s.kinds[i] = append(append(s.kinds[i], t.affairs(titleTerms)...), t.affairs(bodyTerms)...)
				}
				t.words.add(i, titleTerms, bodyTerms, core, t.terms(w.around))
				fields[t.titleField()], fields[t.bodyField()] = strings.Join(titleTerms, " "), strings.Join(bodyTerms, " ")
			}
			slices.Sort(s.kinds[i])
			s.kinds[i] = slices.Clip(slices.Compact(s.kinds[i]))
			for _, k := range s.kinds[i] {
				s.ofKind[k] = append(s.ofKind[k], i)
			}
			if err := batch.Index(strconv.Itoa(i), fields); err != nil {
				return nil, errors.Join(fmt.Errorf("index document: %w", err), s.close())
			}
		}
		if err := s.engine.Batch(batch); err != nil {
			return nil, errors.Join(fmt.Errorf("index documents: %w", err), s.close())
		}
	}
	for _, t := range s.tongues {
		t.words.seal()
	}
	return s, nil
}

// mapping gives each language fields of its own: a field that several analyzers share would be searched with any one
// of them.
func (s *shelf) mapping() (*mapping.IndexMappingImpl, error) {
	m := bleve.NewIndexMapping()
	err := m.AddCustomAnalyzer(plainAnalyzer, map[string]any{"type": custom.Name, "tokenizer": whitespace.Name})
	if err != nil {
		return nil, fmt.Errorf("create search index: %w", err)
	}
	doc := bleve.NewDocumentStaticMapping()
	for _, t := range s.tongues {
		field := bleve.NewTextFieldMapping()
		field.Analyzer = plainAnalyzer
		field.Store = false // texts are in the Index already
		field.IncludeTermVectors = false
		field.IncludeInAll = false
		field.DocValues = false
		doc.AddFieldMappingsAt(t.titleField(), field)
		doc.AddFieldMappingsAt(t.bodyField(), field)
	}
	m.DefaultMapping = doc
	m.ScoringModel = scoringModel
	m.IndexDynamic, m.StoreDynamic, m.DocValuesDynamic = false, false, false
	return m, nil
}

// rarity is what a word that n documents have tells about the one that is looked for (the inverse document frequency of BM25).
func (s *shelf) rarity(n uint32) float64 {
	all := float64(s.size)
	return math.Log(1 + max(all-float64(n)+0.5, 0)/(float64(n)+0.5))
}

func (s *shelf) close() error { return s.engine.Close() }

// bytes returns the memory that the shelf holds.
func (s *shelf) bytes() int64 {
	total := int64(shelfOverhead)
	if advanced, err := s.engine.Advanced(); err == nil {
		if engine, ok := advanced.(*scorch.Scorch); ok {
			total += int64(min(engine.MemoryUsed(), 1<<40))
		}
	}
	for _, t := range s.tongues {
		total += t.words.bytes()
	}
	return total
}

// bases returns the first subtags of the languages in their order, without repetition, English if there are none.
func bases(languages []string) []string {
	var out []string
	for _, tag := range languages {
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if !slices.Contains(out, base) {
			out = append(out, base)
		}
	}
	if len(out) == 0 {
		out = []string{"en"}
	}
	return out
}
