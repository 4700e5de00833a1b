package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/search/query"
)

const (
	// scoringModel ranks by BM25, which does not favour long descriptions as TF-IDF does.
	scoringModel = "bm25"
	// batchSize of documents per segment: few segments search faster, a whole feed in one batch takes too much memory.
	batchSize = 2000
	// maxQueryChars bounds what is searched for: a question, not a pasted document.
	maxQueryChars = 400
	// candidates are fetched from the search engine for each hit asked for, and ranked again by coverage.
	candidates = 5
)

// Source is the content of one channel.
type Source struct {
	// Languages of the content as BCP 47 tags, the most important first.
	Languages []string
	// Format and Feed are the catalog; an empty Feed means none.
	Format Format
	Feed   []byte
	// Documents are the knowledge.
	Documents []Document
}

// Index answers searches over one revision of a channel's content. It is immutable and safe for concurrent use.
type Index struct {
	products  []Product
	byID      map[string]int
	titles    []string // of the products, in lower case
	passages  []Passage
	analyzers []namedAnalyzer
	goods     bleve.Index
	facts     bleve.Index
	feed      Feed
	feedErr   error
	bytes     int64
}

type namedAnalyzer struct {
	name string
	analysis.Analyzer
}

// ProductHit is a product that matches.
type ProductHit struct {
	Product Product
	// Coverage is the share of the question's words found in the product, from 0 to 1.
	Coverage float64
}

// PassageHit is a passage that matches.
type PassageHit struct {
	Passage Passage
	// Coverage is the share of the question's words found in the passage, from 0 to 1.
	Coverage float64
	// Heading is the share of the question's words found in its headings alone.
	Heading float64
}

// Build indexes a channel's content. A feed that can't be read at all leaves an index of the knowledge, and FeedError
// tells; Build itself fails only when ctx ends or the search engine does.
func Build(ctx context.Context, src Source) (*Index, error) {
	x := &Index{byID: map[string]int{}}
	if len(src.Feed) > 0 {
		x.feed, x.feedErr = ParseFeed(src.Format, src.Feed)
		x.products, x.feed.Products = x.feed.Products, nil
	}
	for _, d := range src.Documents {
		x.passages = append(x.passages, SplitDocument(d)...)
	}
	x.passages = x.passages[:min(len(x.passages), MaxPassages)]

	names := analyzerNames(src.Languages)
	m := indexMapping(names)
	for _, name := range names {
		a := m.AnalyzerNamed(name)
		if a == nil {
			return nil, fmt.Errorf("text analyzer %q is not linked in", name)
		}
		x.analyzers = append(x.analyzers, namedAnalyzer{name, a})
	}
	var err error
	x.goods, err = x.fill(ctx, m, len(x.products), func(i int) (string, string) {
		p := &x.products[i]
		x.byID[p.ID] = i
		x.titles = append(x.titles, strings.ToLower(p.Title))
		return p.Title, productBody(p)
	})
	if err != nil {
		return nil, err
	}
	x.facts, err = x.fill(ctx, m, len(x.passages), func(i int) (string, string) {
		p := &x.passages[i]
		return strings.Join(p.Headings, " "), p.Text
	})
	if err != nil {
		return nil, errors.Join(err, x.goods.Close())
	}
	return x, nil
}

func productBody(p *Product) string {
	return strings.Join([]string{p.Brand, p.Type, p.GoogleCategory, p.Description}, " ")
}

// indexMapping gives each language fields of its own: a field that several analyzers share would be searched with any
// one of them.
func indexMapping(analyzers []string) *mapping.IndexMappingImpl {
	doc := bleve.NewDocumentStaticMapping()
	for _, name := range analyzers {
		field := bleve.NewTextFieldMapping()
		field.Analyzer = name
		field.Store = false // texts are in the Index already
		field.IncludeTermVectors = false
		field.IncludeInAll = false
		field.DocValues = false
		doc.AddFieldMappingsAt(titleField(name), field)
		doc.AddFieldMappingsAt(bodyField(name), field)
	}
	m := bleve.NewIndexMapping()
	m.DefaultMapping = doc
	m.ScoringModel = scoringModel
	m.IndexDynamic, m.StoreDynamic, m.DocValuesDynamic = false, false, false
	return m
}

func titleField(analyzer string) string { return "title_" + analyzer }
func bodyField(analyzer string) string  { return "body_" + analyzer }

// fill makes an index of n documents with a title and a body each.
func (x *Index) fill(ctx context.Context, m mapping.IndexMapping, n int, text func(int) (title, body string)) (bleve.Index, error) {
	// Without a path the index is in memory; scorch is the type that can score by BM25 and needs no key-value store,
	// although one has to be named.
	engine, err := bleve.NewUsing("", m, scorch.Name, bleve.Config.DefaultMemKVStore, nil)
	if err != nil {
		return nil, fmt.Errorf("create search index: %w", err)
	}
	for start := 0; start < n; start += batchSize {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, engine.Close())
		}
		batch := engine.NewBatch()
		for i := start; i < min(start+batchSize, n); i++ {
			title, body := text(i)
			x.bytes += int64(len(title) + len(body))
			fields := make(map[string]any, 2*len(x.analyzers))
			for _, a := range x.analyzers {
				fields[titleField(a.name)], fields[bodyField(a.name)] = title, body
			}
			if err := batch.Index(strconv.Itoa(i), fields); err != nil {
				return nil, errors.Join(fmt.Errorf("index document: %w", err), engine.Close())
			}
		}
		if err := engine.Batch(batch); err != nil {
			return nil, errors.Join(fmt.Errorf("index documents: %w", err), engine.Close())
		}
	}
	return engine, nil
}

// Close frees the search engine. The Index must not be searched afterwards.
func (x *Index) Close() error { return errors.Join(x.goods.Close(), x.facts.Close()) }

const (
	// indexFactor is what an indexed byte costs in memory per language, measured with 10,000 products, rounded up.
	indexFactor = 4
	// indexOverhead is what two empty search engines cost.
	indexOverhead = 256 << 10
)

// Bytes estimates the memory that the index holds.
func (x *Index) Bytes() int64 {
	return indexOverhead + x.bytes*int64(1+indexFactor*len(x.analyzers))
}

// FeedReport returns the errors of the feed's rows, and the error that made the whole feed unusable, if any.
func (x *Index) FeedReport() (rows []RowError, count int, feed error) {
	return x.feed.RowErrors, x.feed.ErrorCount, x.feedErr
}

// Len returns the number of products and of passages.
func (x *Index) Len() (products, passages int) { return len(x.products), len(x.passages) }

// Product returns the product with an id.
func (x *Index) Product(id string) (Product, bool) {
	i, ok := x.byID[id]
	if !ok {
		return Product{}, false
	}
	return x.products[i], true
}

// ProductTitled returns the first product whose title is title, without regard to case. A title that ends in "…" is the
// beginning of one, as WhatsApp's short list rows show it.
func (x *Index) ProductTitled(title string) (Product, bool) {
	title = strings.ToLower(strings.TrimSpace(title))
	prefix, cut := strings.CutSuffix(title, "…")
	if prefix == "" {
		return Product{}, false
	}
	for i, t := range x.titles {
		if t == title || (cut && strings.HasPrefix(t, prefix)) {
			return x.products[i], true
		}
	}
	return Product{}, false
}

// First returns the feed's first products that can be had, at most n.
func (x *Index) First(n int) []Product {
	var out []Product
	for i := range x.products {
		if len(out) == n {
			break
		}
		if a := x.products[i].Availability; a != OutOfStock && a != Discontinued {
			out = append(out, x.products[i])
		}
	}
	return out
}

// SearchProducts returns up to n products that match a customer's words, best first. Words of any shop question ("do you
// have", "price of") are left out. The order is the same for the same content and question.
func (x *Index) SearchProducts(ctx context.Context, question string, n int) ([]ProductHit, error) {
	question = without(clip(question, maxQueryChars), courtesy, shopTalk)
	found, err := x.search(ctx, x.goods, question, n, func(i int) (string, string) {
		return x.products[i].Title, productBody(&x.products[i])
	})
	hits := make([]ProductHit, 0, len(found))
	for _, f := range found {
		hits = append(hits, ProductHit{Product: x.products[f.doc], Coverage: f.coverage})
	}
	return hits, err
}

// SearchPassages returns up to n passages of the knowledge that match a customer's words, best first. Words of courtesy
// are left out.
func (x *Index) SearchPassages(ctx context.Context, question string, n int) ([]PassageHit, error) {
	found, err := x.search(ctx, x.facts, without(clip(question, maxQueryChars), courtesy), n, func(i int) (string, string) {
		return strings.Join(x.passages[i].Headings, " "), x.passages[i].Text
	})
	hits := make([]PassageHit, 0, len(found))
	for _, f := range found {
		hits = append(hits, PassageHit{Passage: x.passages[f.doc], Coverage: f.coverage, Heading: f.title})
	}
	return hits, err
}

type found struct {
	doc      int
	coverage float64
	title    float64
	score    float64
}

// search asks the engine for candidates and ranks them by how much of the question they cover, then by its score.
func (x *Index) search(ctx context.Context, engine bleve.Index, question string, n int, text func(int) (string, string)) ([]found, error) {
	if strings.TrimSpace(question) == "" || n <= 0 {
		return nil, nil
	}
	req := bleve.NewSearchRequestOptions(x.query(question), n*candidates, 0, false)
	req.SortBy([]string{"-_score", "_id"})
	res, err := engine.SearchInContext(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	asked := make([][]string, 0, len(x.analyzers))
	for _, a := range x.analyzers {
		asked = append(asked, terms(a, question))
	}
	var all []found
	for _, hit := range res.Hits {
		doc, err := strconv.Atoi(hit.ID)
		if err != nil {
			return nil, fmt.Errorf("search result: %w", err)
		}
		f := found{doc: doc, score: hit.Score}
		title, body := text(doc)
		for i, a := range x.analyzers {
			inTitle, inAll := map[string]bool{}, map[string]bool{}
			addTerms(a, title, inTitle, inAll)
			addTerms(a, body, inAll)
			f.coverage = max(f.coverage, coverage(asked[i], inAll))
			f.title = max(f.title, coverage(asked[i], inTitle))
		}
		if f.coverage > 0 {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.coverage, a.coverage), cmp.Compare(b.title, a.title),
			cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc))
	})
	return all[:min(n, len(all))], nil
}

// Boosts: all words before some of them, as written before nearly so, in the title before in the body.
const (
	boostAllExact  = 8
	boostAllFuzzy  = 4
	boostSomeExact = 2
	boostSomeFuzzy = 1
	boostTitle     = 3
)

type weightedField struct {
	name   string
	weight float64
}

// query matches any of the question's words in any language, and ranks as the boosts say.
func (x *Index) query(question string) query.Query {
	all := bleve.NewDisjunctionQuery()
	add := func(field string, boost float64, op query.MatchQueryOperator, fuzzy bool) {
		q := bleve.NewMatchQuery(question)
		q.SetField(field)
		q.SetBoost(boost)
		q.SetOperator(op)
		if fuzzy {
			q.SetAutoFuzziness(true)
			q.SetPrefix(1)
		}
		all.AddQuery(q)
	}
	for _, a := range x.analyzers {
		// In this order always: scores are sums of floats, which depend on it.
		for _, f := range []weightedField{{titleField(a.name), boostTitle}, {bodyField(a.name), 1}} {
			add(f.name, f.weight*boostAllExact, query.MatchQueryOperatorAnd, false)
			add(f.name, f.weight*boostAllFuzzy, query.MatchQueryOperatorAnd, true)
			add(f.name, f.weight*boostSomeExact, query.MatchQueryOperatorOr, false)
			add(f.name, f.weight*boostSomeFuzzy, query.MatchQueryOperatorOr, true)
		}
	}
	return all
}
