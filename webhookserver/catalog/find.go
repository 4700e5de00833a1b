package catalog

import (
	"context"
	"slices"
)

// Enough is which share of a question's words a product or passage must hold to be an answer. Less is a guess, and a wrong
// answer costs a shop more than an honest "I don't know".
const Enough = 0.57

const (
	// besides is what is enough for an answer beside the first one, which has Enough, and near how much less than the first it may cover:
	// who is shown several sees which he meant, but not beside one that says all.
	besides, near = 0.4, 0.45
	// ahead is by how much a passage must answer better than a product: who names a thing mostly wants it.
	ahead = 0.02
	// seen is how many answers are looked at by everybody. Among them there is a place for the best of each kind.
	seen = 3
	// pageSections is how many passages of a page are looked through for one of another page.
	pageSections = 4
)

// Finding is an answer to a question: one of the two is set.
type Finding struct {
	Product *Product
	Passage *Passage
	// Coverage of the first one is at least Enough.
	Coverage float64
}

// Find returns up to n answers to a customer's question, best first, from catalog and knowledge together; none if
// neither has one. It is what decides whether something is known at all, and what is worth showing beside the best.
func (x *Index) Find(ctx context.Context, question string, n int) ([]Finding, error) {
	products, err := x.SearchProducts(ctx, question, n)
	if err != nil {
		return nil, err
	}
	passages, err := x.SearchPassages(ctx, question, pageSections*n)
	if err != nil {
		return nil, err
	}
	passages = pages(inOneLanguage(passages, x.language(question)))
	if x.embed != nil {
		// What is only alike says nothing for sure, and must not take the place of what does.
		products = slices.DeleteFunc(products, func(h ProductHit) bool { return h.Coverage < Enough })
		passages = slices.DeleteFunc(passages, func(h PassageHit) bool { return h.Coverage < Enough })
	}
	found := merged(products, passages)
	first := slices.IndexFunc(found, func(f Finding) bool { return f.Coverage >= Enough })
	if first < 0 {
		return nil, nil
	}
	found = found[first:]
	least := max(besides, found[0].Coverage-near)
	found = slices.DeleteFunc(found, func(f Finding) bool { return f.Coverage < least })
	makePlace(found)
	return found[:min(n, len(found))], nil
}

// merged are products and passages, the better ones first.
func merged(products []ProductHit, passages []PassageHit) []Finding {
	var found []Finding
	for len(products)+len(passages) > 0 {
		if len(products) == 0 || len(passages) > 0 && better(&passages[0], &products[0]) {
			found = append(found, Finding{Passage: &passages[0].Passage, Coverage: passages[0].Coverage})
			passages = passages[1:]
			continue
		}
		found = append(found, Finding{Product: &products[0].Product, Coverage: products[0].Coverage})
		products = products[1:]
	}
	return found
}

// better says whether a passage answers better than a product.
func better(passage *PassageHit, product *ProductHit) bool {
	return passage.Coverage > product.Coverage+ahead
}

// makePlace moves the best product before the third of three passages, or the reverse, if it is an answer: three products that are
// called nearly what the question says hide the page that says what to do with one.
func makePlace(found []Finding) {
	if len(found) <= seen {
		return
	}
	isProduct := found[0].Product != nil
	other := slices.IndexFunc(found, func(f Finding) bool { return (f.Product != nil) != isProduct })
	if other < seen || found[other].Coverage < Enough {
		return
	}
	best := found[other]
	copy(found[seen:other+1], found[seen-1:other])
	found[seen-1] = best
}

// pages leaves the best passage of each page: who is shown three sections of one sees one answer. A document that begins anew with
// another heading of the first rank, as lists of questions and answers do, is several pages.
func pages(passages []PassageHit) []PassageHit {
	type page struct{ document, title string }
	shown := map[page]bool{}
	return slices.DeleteFunc(passages, func(h PassageHit) bool {
		of := page{document: h.Passage.Document}
		if len(h.Passage.Headings) > 0 {
			of.title = h.Passage.Headings[0]
		}
		again := shown[of]
		shown[of] = true
		return again
	})
}
