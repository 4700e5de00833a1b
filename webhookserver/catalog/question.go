package catalog

import "slices"

// This file says how much the words of a question weigh. A document that has all of them covers the question, and what a word weighs
// where it is missing tells how much less one without it does: a thing's name a lot, its colour little.

const (
	// asideFound and asideMissing are what a word weighs that tells what the thing is for.
	asideFound, asideMissing = 0.8, 0.35
	// unknownShare is what a word weighs that nothing in the shop has: most likely it is the thing that is asked for.
	unknownShare = 1.3
	// contextShare is what the name of something for sale weighs in a question about the shop, where a passage doesn't have it.
	contextShare = 0.25
)

// shares are what a word counts beside one that names something, where a document has it and where it doesn't.
var shares = [...]struct{ found, missing float64 }{
	naming: {1, 1}, tiny: {0.4, 0.2}, trait: {0.5, 0.3}, idle: {0.4, 0.06}, trade: {0.7, 0.15}, filler: {},
}

// wanted is a word of a question, or two that mean one thing.
type wanted struct {
	word   string
	manner manner
	// names says that an answer without any such word is none, purpose that it tells what the thing is for, aside that a thing is named
	// beside it.
	names, purpose, aside bool
	// found and missing are what it weighs where a document has it and where it doesn't.
	found, missing float64
	// matches are what it may mean in each tongue of the shelf, the surest first.
	matches [][]match
	// thing says that it is a name of something that shops sell, this one or others. Of things for sale only:
	// named are the kinds of the shop that it names, kinds those that are for what it says, and sold says that the shop has what it names.
	thing, sold  bool
	named, kinds []kind
}

// question is what is asked, as a shelf reads it.
type question struct {
	// goods says that it is read as one about things for sale.
	goods bool
	words []wanted
	// names says that some word names something.
	names bool
}

// add takes in a word as it was said.
func (q *question) add(w wanted, s said) {
	w.purpose, w.aside = s.purpose && q.goods, s.aside
	if w.thing && !s.aside && !s.purpose {
		w.kinds = nil // who wants a laptop is not helped by a bag for one
		if !w.sold {
			for _, matches := range w.matches {
				for i := range matches {
					matches[i].strength *= besideShare
				}
			}
		}
	}
	if s.aside && q.goods {
		w.found *= asideFound
		w.missing *= asideMissing
	}
	q.words = append(q.words, w)
	q.names = q.names || w.names
}

// wanted weighs a word: what nobody wrote tells as much as the rarest word. share is what it has of a weight that it divides with others.
func (r *reader) wanted(word string, as manner, matches [][]match, share float64) wanted {
	in, sureness := uint32(1), 0.0
	for i, t := range r.shelf.tongues {
		if len(matches[i]) > 0 && matches[i][0].strength > sureness {
			in, sureness = max(t.words.in[matches[i][0].id], 1), matches[i][0].strength
		}
	}
	weight := r.shelf.rarity(in) * share
	w := wanted{word: word, manner: as, found: weight * shares[as].found, missing: weight * shares[as].missing, matches: matches}
	w.names = as == naming || as == trade
	if r.shelf.goods {
		r.lookUp(&w, share < 1)
		if as == naming && sureness == 0 && len(w.kinds) == 0 {
			w.missing *= unknownShare
		}
		return w
	}
	w.kinds = r.shelf.known(append(r.affairs(word), vocabularyOf().needs.of(folded(word), compounding[r.language])...))
	switch {
	case as == trait, as == tiny:
		w.missing *= contextShare
	case as == naming && r.sells(word) && !r.matter(word):
		w.missing *= contextShare
		w.names = false
	}
	return w
}

// lookUp finds the kinds that a word names, or that are for what it says. What tells more about another word needs none that is sold.
func (r *reader) lookUp(w *wanted, modifies bool) {
	w.thing = w.manner == naming && r.thing(w.word)
	w.named = r.namedKinds(w.word)
	w.sold = modifies || len(w.named) > 0
	if w.manner != filler && !r.matter(w.word) {
		w.kinds = r.shelf.known(vocabularyOf().uses.of(folded(w.word), compounding[r.language]))
	}
}

// known leaves the kinds that the shelf has.
func (s *shelf) known(kinds []kind) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return len(s.ofKind[k]) == 0 })
}
