package catalog

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// This file finds out what a word of a question may mean in a shop: as it is, in another language, as another form, or misspelt.

// elsewhere is what a meaning is worth in another language than the question's.
const elsewhere = 0.9

// manner is what a word does here: how a thing is may stand in no list of its language.
func (r *reader) manner(word string) manner {
	if r.shelf.goods && mannerOf(folded(word), r.language) == naming && r.property(word) {
		return trait
	}
	as := r.spokenAs(word)
	if as == naming && !r.shelf.goods && places[folded(word)] {
		return idle
	}
	return as
}

// spokenAs is what a word does in the language of the question. One that is idle in a language nobody is known to speak may name
// something in another.
func (r *reader) spokenAs(word string) manner {
	plain := folded(word)
	as := mannerOf(plain, r.language)
	switch {
	case as == trade && r.shelf.goods:
		// "tienda" is a shop and a tent.
		if r.some(func(t *tongue) bool {
			return (t.language == r.language || r.language == "") && t.words.inTitle(t.term(word))
		}) {
			return trait
		}
		return filler
	case as == idle || as == trade:
		if r.some(func(t *tongue) bool { return t.language == r.language && t.matters(t.term(word)) }) {
			return naming
		}
	}
	if as > tiny && r.language == "" && r.shelf.goods &&
		r.some(func(t *tongue) bool { return mannerOf(plain, t.language) == naming && t.words.has(t.term(word)) }) {
		return naming
	}
	return as
}

// some says whether something is true of a tongue.
func (r *reader) some(is func(*tongue) bool) bool { return slices.ContainsFunc(r.shelf.tongues, is) }

// own says whether the shop speaks the question's language.
func (r *reader) own() bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.language == r.language })
}

// each asks all tongues; what those say that are not the question's is worth less.
func (r *reader) each(ask func(*tongue) []match) [][]match {
	all := make([][]match, len(r.shelf.tongues))
	own := r.own()
	for i, t := range r.shelf.tongues {
		all[i] = ask(t)
		if own && t.language != r.language {
			for j := range all[i] {
				all[i][j].strength *= elsewhere
			}
		}
	}
	return all
}

// best is how sure the surest meaning is.
func best(matches [][]match) float64 {
	most := 0.0
	for _, m := range matches {
		if len(m) > 0 {
			most = max(most, m[0].strength)
		}
	}
	return most
}

// meanings are what a word may mean in each tongue, apart from typos.
func (r *reader) meanings(word string) [][]match {
	return r.each(func(t *tongue) []match { return t.meanings(t.term(word), r.language) })
}

// known says whether a word is there as it is.
func (r *reader) known(word string) bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.words.has(t.term(word)) })
}

// nearMisses are what a word may mean that was misspelt.
func (r *reader) nearMisses(word string) [][]match {
	letters := utf8.RuneCountInString(word)
	plain := folded(word)
	own := r.own()
	return r.each(func(t *tongue) []match {
		if own && t.language != r.language && letters < longWord {
			return nil // almost every short word is one letter from another in some language
		}
		term := t.term(word)
		near := append(t.words.nearMisses(term, letters), t.words.respelt(plain)...)
		if term != plain {
			for i := range near {
				near[i].strength = min(near[i].strength, oneTypo) // the last letter of an analyzed form is no ending
			}
			// What the analyzer cuts off a misspelt word may have been no ending.
			near = append(near, t.words.nearMisses(plain, letters)...)
		}
		near = surest(near)
		if t.compounds && len(near) == 0 {
			t.words.misspeltEnd(plain, func(id uint32, strength float64) { near = append(near, match{id, id, strength}) })
			near = surest(near)
		}
		return near
	})
}

// together are what two words mean that stand side by side.
func (r *reader) together(a, b string) [][]match {
	return r.each(func(t *tongue) []match {
		x, y := t.term(a), t.term(b)
		if x == "" || y == "" {
			return nil
		}
		if others := t.synonyms(x+" "+y, r.language); others != nil {
			return t.words.meanings(x+" "+y, others, t.opener())
		}
		joined := t.term(a + b)
		switch {
		case t.words.has(x):
			return nil
		case t.words.has(joined):
			return t.words.meanings(joined, nil, nil)
		case !t.words.has(y) && !t.knows(x) && !t.knows(y):
			near := surest(append(t.words.nearMisses(folded(a+b), utf8.RuneCountInString(a+b)), t.words.respelt(folded(a+b))...))
			return slices.DeleteFunc(near, func(m match) bool { return m.strength < oneTypo })
		default:
			return nil
		}
	})
}

// parts splits a word that nobody wrote into two that somebody did.
func (r *reader) parts(word string) (head, kind string) {
	for _, t := range r.tongues {
		if head, kind = t.parts(folded(word)); kind != "" {
			return head, kind
		}
	}
	return "", ""
}

// foreign says whether a word has a meaning in other languages of the shop only.
func (r *reader) foreign(matches [][]match) bool {
	own := false
	for i, t := range r.shelf.tongues {
		if t.language == r.language {
			own = true
			if len(matches[i]) > 0 {
				return false
			}
		}
	}
	return own
}

// addOwn adds what a word of another language may be in the question's, misspelt.
func (r *reader) addOwn(matches [][]match, word string) {
	for i, near := range r.nearMisses(word) {
		if r.shelf.tongues[i].language == r.language {
			matches[i] = slices.DeleteFunc(near, func(m match) bool { return m.strength < oneTypo })
		}
	}
}

// withForms adds to what an unknown word may mean what differs from it in the ending alone: that there is a synonym of the word
// doesn't tell that no other form of it is there.
func (r *reader) withForms(word string, matches [][]match) [][]match {
	if r.known(word) || r.matter(word) {
		return matches
	}
	for i, near := range r.nearMisses(word) {
		forms := slices.DeleteFunc(near, func(m match) bool { return m.strength < oneEnding*elsewhere })
		matches[i] = surest(append(matches[i], forms...))
	}
	return matches
}

// filling says whether a word that nothing in the shop has is a filler with a typo, or of another language, as "is" in a German question.
func (r *reader) filling(word string) bool {
	return r.misspeltFiller(word) || mannerOf(folded(word), "") == filler
}

// misspeltFiller says whether a word that nothing in the shop has is a filler with a typo.
func (r *reader) misspeltFiller(word string) bool {
	query := []rune(folded(word))
	if len(query) < longWord {
		return false
	}
	for other, as := range speeches[r.language] {
		if as == filler && edits(query, []rune(other), 1) <= 1 {
			return true
		}
	}
	return false
}

// meant is the word that one is a diminutive of, or most likely is with a typo, where nothing in the shop is like it; "" if there is none.
func (r *reader) meant(word string) string {
	word = folded(word)
	if r.thing(word) || knownWordsOf().spelt(word) {
		return ""
	}
	for _, language := range spoken {
		if r.language != language && r.language != "" {
			continue
		}
		for _, base := range larger(word, language) {
			if best(r.meanings(base)) > 0 || r.thing(base) {
				return base
			}
		}
	}
	if r.shelf.goods {
		return nearest(knownWordsOf().names, word)
	}
	if utf8.RuneCountInString(word) < longWord {
		return ""
	}
	return nearest(knownWordsOf().matters, word)
}

// weaker are matches that are less sure.
func weaker(all [][]match, by float64) [][]match {
	for _, matches := range all {
		for i := range matches {
			matches[i].strength *= by
		}
	}
	return all
}

// property says whether a word tells how a thing is.
func (r *reader) property(word string) bool {
	return r.some(func(t *tongue) bool { return (t.language == r.language || !r.own()) && t.property(t.term(word)) })
}

// matter says whether a word is for what a shop does beside selling.
func (r *reader) matter(word string) bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.matters(strings.Join(t.terms(word), " ")) })
}

// thing says whether a word, or two, is a name of something that shops sell, this one or others.
func (r *reader) thing(word string) bool {
	return r.some(func(t *tongue) bool {
		terms := t.terms(word)
		return len(terms) == len(strings.Fields(word)) && t.thing(strings.Join(terms, " "))
	})
}

// affairs are the matters that a word, or two, names.
func (r *reader) affairs(word string) []kind {
	var all []kind
	for _, t := range r.shelf.tongues {
		if t.language == r.language || !r.own() {
			all = append(all, t.affairs(t.terms(word))...)
		}
	}
	return all
}

// namedKinds are the kinds of the shop that a word, or two, names.
func (r *reader) namedKinds(word string) []kind {
	var all []kind
	for _, t := range r.shelf.tongues {
		if t.language == r.language || !r.own() {
			all = append(all, slices.DeleteFunc(t.kinds(t.terms(word)), func(k kind) bool { return len(r.shelf.ofKind[k]) == 0 })...)
		}
	}
	return all
}
