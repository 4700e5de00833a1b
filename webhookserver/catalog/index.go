package catalog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
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
	// Vectors of the texts, as far as there are some; nil without an embedding model.
	Vectors *Vectors
}

// Index answers searches over one revision of a channel's content. It is immutable and safe for concurrent use.
type Index struct {
	products  []Product
	byID      map[string]int
	languages []string // of the content, as bases
	titles    []string // of the products, in lower case
	passages  []Passage
	goods     *shelf
	facts     *shelf
	feed      Feed
	feedErr   error

	// goodVectors and factVectors belong to the first products and passages; empty without an embedding model.
	goodVectors, factVectors []vector
	// embed gives a question its vector; nil if nobody can.
	embed func(ctx context.Context, question string) ([]float32, error)
}

// Build indexes a channel's content. A feed that can't be read at all leaves an index of the knowledge, and FeedError
// tells; Build itself fails only when ctx ends or the search engine does.
func Build(ctx context.Context, src Source) (*Index, error) {
	languages := bases(src.Languages)
	x := &Index{byID: map[string]int{}, languages: languages}
	if len(src.Feed) > 0 {
		x.feed, x.feedErr = ParseFeed(src.Format, src.Feed)
		x.products, x.feed.Products = x.feed.Products, nil
	}
	for _, d := range src.Documents {
		x.passages = append(x.passages, SplitDocument(d)...)
	}
	x.passages = x.passages[:min(len(x.passages), MaxPassages)]
	for i := range x.products {
		x.byID[x.products[i].ID] = i
		x.titles = append(x.titles, strings.ToLower(x.products[i].Title))
	}
	var err error
	x.goods, err = newShelf(ctx, src.Languages, true, len(x.products), func(i int, language string) writing {
		title, body := productText(&x.products[i], language, language == languages[0])
		return writing{title: title, what: firstClause(x.products[i].In(language).Description), attributes: x.products[i].Attributes, body: body}
	})
	if err != nil {
		return nil, err
	}
	for i := range x.passages {
		x.passages[i].Language = languageOf(strings.Join(x.passages[i].Headings, " ")+" "+x.passages[i].Text, languages, nil, func(string, string) int { return 0 })
	}
	pages := map[string]string{}
	for i := range x.passages {
		pages[x.passages[i].Document] += x.passages[i].Heading() + "\n" + x.passages[i].Text + "\n"
	}
	x.facts, err = newShelf(ctx, src.Languages, false, len(x.passages), func(i int, language string) writing {
		if l := x.passages[i].Language; l != "" && l != language {
			return writing{}
		}
		w := writing{title: strings.Join(x.passages[i].Headings, " "), body: x.passages[i].Text}
		if page := pages[x.passages[i].Document]; len(page) < maxPage {
			w.around = page
		}
		return w
	})
	if err != nil {
		return nil, errors.Join(err, x.goods.close())
	}
	if src.Vectors != nil {
		x.setVectors(src.Vectors)
	}
	return x, nil
}

// maxPage is the longest page, in bytes, that is taken to be about one thing.
const maxPage = 4000

// maxClause is the longest first clause of a description, in bytes, that is taken to say what a thing is.
const maxClause = 80

// firstClause is a description's beginning: "Steel thermos flask, keeps cold for 24 hours".
func firstClause(description string) string {
	if i := strings.IndexAny(description, ".,;:!?\n"); i >= 0 {
		description = description[:i]
	}
	description = clip(description, maxClause)
	return description[:heads(description)[0].end]
}

// productText is what a product is found by in a language: its translation, or the feed's own words, which may be in any; in the
// shop's first language both.
func productText(p *Product, language string, first bool) (title, body string) {
	title, body = p.Title, p.Description
	if t, ok := p.Translations[language]; ok && first {
		title, body = t.Title+". "+title, t.Description+". "+body
	} else if ok {
		title, body = t.Title, cmp.Or(t.Description, body)
	}
	return title, strings.Join([]string{p.Brand, p.Type, p.GoogleCategory, body}, ". ")
}

// Close frees the search engine. The Index must not be searched afterwards.
func (x *Index) Close() error { return errors.Join(x.goods.close(), x.facts.close()) }

// Bytes returns the memory that the index holds: what the search engine counts of its own, and the texts, words
// and vectors beside it.
func (x *Index) Bytes() int64 {
	total := x.goods.bytes() + x.facts.bytes() + vectorBytes(x.goodVectors) + vectorBytes(x.factVectors)
	for i := range x.products {
		total += x.products[i].bytes() + perEntry + int64(len(x.titles[i]))
	}
	for i := range x.passages {
		total += x.passages[i].bytes()
	}
	return total
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

// Passage returns the passage of an id.
func (x *Index) Passage(id string) (Passage, bool) {
	i := slices.IndexFunc(x.passages, func(p Passage) bool { return p.ID == id })
	if i < 0 {
		return Passage{}, false
	}
	return x.passages[i], true
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
		for _, other := range x.products[i].Translations {
			if other := strings.ToLower(other.Title); other == title || (cut && strings.HasPrefix(other, prefix)) {
				return x.products[i], true
			}
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
		if x.products[i].obtainable() {
			out = append(out, x.products[i])
		}
	}
	return out
}
