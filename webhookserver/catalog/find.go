package catalog

import (
	"context"
	"slices"
)

// Enough is which share of a question's words a product or passage must hold to be an answer. Less is a guess, and a wrong
// answer costs a shop more than an honest "I don't know".
const Enough = 0.57

// Finding is an answer to a question: one of the two is set.
type Finding struct {
	Product *Product
	Passage *Passage
	// Coverage of the first one is at least Enough.
	Coverage float64
}

// Find returns up to n answers to a customer's question, best first, from catalog and knowledge together; none if
// neither has one. It is what decides whether something is known at all.
func (x *Index) Find(ctx context.Context, question string, n int) ([]Finding, error) {
	products, err := x.SearchProducts(ctx, question, n)
	if err != nil {
		return nil, err
	}
	passages, err := x.SearchPassages(ctx, question, pageSections*n)
	if err != nil {
		return nil, err
	}
	passages = pages(passages)
	if x.embed != nil {
		// What is only alike says nothing for sure, and must not take the place of what does.
		products = slices.DeleteFunc(products, func(h ProductHit) bool { return h.Coverage < Enough })
		passages = slices.DeleteFunc(passages, func(h PassageHit) bool { return h.Coverage < Enough })
	}
	var found []Finding
	for len(products)+len(passages) > 0 && len(found) < n {
		if len(products) == 0 || len(passages) > 0 && better(&passages[0], &products[0]) {
			found = append(found, Finding{Passage: &passages[0].Passage, Coverage: passages[0].Coverage})
			passages = passages[1:]
			continue
		}
		found = append(found, Finding{Product: &products[0].Product, Coverage: products[0].Coverage})
		products = products[1:]
	}
	first := slices.IndexFunc(found, func(f Finding) bool { return f.Coverage >= Enough })
	if first < 0 {
		return nil, nil
	}
	return slices.DeleteFunc(found[first:], func(f Finding) bool { return f.Coverage < besides }), nil
}

// pageSections is how many passages of a page are looked through for one of another page.
const pageSections = 4

// pages leaves the best passage of each document: who is shown three sections of one page sees one answer.
func pages(passages []PassageHit) []PassageHit {
	shown := map[string]bool{}
	return slices.DeleteFunc(passages, func(h PassageHit) bool {
		again := shown[h.Passage.Document]
		shown[h.Passage.Document] = true
		return again
	})
}

// besides is what is enough for an answer beside the first one, which has Enough: who is shown several sees which he meant.
const besides = 0.4

// ahead is by how much a passage must answer better than a product: who names a thing mostly wants it.
const ahead = 0.02

// better says whether a passage answers better than a product.
func better(passage *PassageHit, product *ProductHit) bool {
	return passage.Coverage > product.Coverage+ahead
}
