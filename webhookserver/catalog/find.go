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
	passages, err := x.SearchPassages(ctx, question, n)
	if err != nil {
		return nil, err
	}
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
	least := enoughBeside(found)
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Coverage < least }), nil
}

// besides is what is enough for an answer beside another one that is less than wellNamed: who is shown several sees what he meant.
const besides, wellNamed = 0.45, 0.85

// enoughBeside is how much an answer must have beside the first one.
func enoughBeside(found []Finding) float64 {
	if len(found) > 0 && found[0].Coverage >= Enough && found[0].Coverage < wellNamed {
		return besides
	}
	return Enough
}

// ahead is by how much a passage must answer better than a product: who names a thing mostly wants it.
const ahead = 0.02

// better says whether a passage answers better than a product.
func better(passage *PassageHit, product *ProductHit) bool {
	return passage.Coverage > product.Coverage+ahead
}
