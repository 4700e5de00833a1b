package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
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
	// shelfOverhead is what the search engine takes without a document, its goroutines included.
	shelfOverhead = 192 << 10
)

// shelf is a set of numbered documents with a title and a body each, in the words of each language.
type shelf struct {
	tongues []*tongue
	engine  bleve.Index
}

// tongue is the vocabulary of one language.
type tongue struct {
	// language is the first subtag of a BCP 47 tag, analyzer the name of its analyzer.
	language, analyzer string
	words              *lexicon
	analysis           analysis.Analyzer
	// idle are words that count for little where they are not found.
	idle map[string]bool
}

func (t *tongue) titleField() string { return "title_" + t.language }
func (t *tongue) bodyField() string  { return "body_" + t.language }

// newShelf indexes n documents. text returns what one is found by in a language. goods says that they are things for sale,
// of which some words say what they are, and others what they come with.
func newShelf(ctx context.Context, languages []string, goods bool, n int, text func(i int, language string) (title, body string)) (*shelf, error) {
	s := &shelf{}
	// Languages that share an analyzer are told apart by their translations.
	for _, language := range bases(languages) {
		s.tongues = append(s.tongues, &tongue{language: language, analyzer: analyzerOf(language), words: newLexicon(n)})
		if !goods {
			s.tongues[len(s.tongues)-1].idle = shopTalk
		}
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
				title, body := text(i, t.language)
				titleTerms, bodyTerms := t.terms(title), t.terms(body)
				core := append(slices.Clip(titleTerms), bodyTerms...)
				if goods {
					core = t.terms(heads(title) + " " + heads(body))
				}
				t.words.add(i, titleTerms, bodyTerms, core)
				fields[t.titleField()], fields[t.bodyField()] = strings.Join(titleTerms, " "), strings.Join(bodyTerms, " ")
			}
			if err := batch.Index(strconv.Itoa(i), fields); err != nil {
				return nil, errors.Join(fmt.Errorf("index document: %w", err), s.close())
			}
		}
		if err := s.engine.Batch(batch); err != nil {
			return nil, errors.Join(fmt.Errorf("index documents: %w", err), s.close())
		}
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

// terms are the analyzed words of a text in their order.
func (t *tongue) terms(text string) []string {
	tokens := t.analysis.Analyze([]byte(spaced(text)))
	out := make([]string, 0, len(tokens))
	for _, token := range tokens {
		out = append(out, string(token.Term))
	}
	return out
}

// written are the analyzed words of a text, and each as it was written.
func (t *tongue) written(text string) (terms, raw []string) {
	text = spaced(text)
	for _, token := range t.analysis.Analyze([]byte(text)) {
		terms = append(terms, string(token.Term))
		raw = append(raw, text[token.Start:token.End])
	}
	return terms, raw
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
