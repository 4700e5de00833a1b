package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// lexicon knows which words there are in one language of a shelf, and which document has which.
type lexicon struct {
	ids   map[string]uint32
	words []string // by id
	// in is how many documents have the word, titled in how many titles it is, by id.
	in, titled []uint32
	// title and all are the words of each document's title, and of title and body together; core are those of all that say
	// what the document is about. Sorted.
	title, core, all [][]uint32
	masks            []uint32 // the letters of each, by id
	// spellings are the words as they are written, where that is another than the analyzed form; of each its letters and id. They are what
	// a typo is compared with: an analyzer cuts off of a misspelt word what it likes.
	spellings []spelling
	spelt     map[string]bool
	// byStart are the ids in the order of their words, byEnd in that of their words read backwards.
	byStart, byEnd []uint32
}

const (
	// perWord and perEntry are about what a word, and a map entry or slice header, take beside their bytes: an estimate.
	perWord, perEntry = 112, 64
)

// spelling is a word as it is written.
type spelling struct {
	word string
	mask uint32
	id   uint32
}

func newLexicon(documents int) *lexicon {
	return &lexicon{
		ids:   map[string]uint32{},
		spelt: map[string]bool{},
		title: make([][]uint32, documents), core: make([][]uint32, documents), all: make([][]uint32, documents),
	}
}

// add takes the words of one document, and those around it, which are not its own. core may share its words with title and body.
func (l *lexicon) add(doc int, title, body, core, around []string) {
	for _, w := range title {
		l.title[doc] = append(l.title[doc], l.id(w))
	}
	l.all[doc] = append(make([]uint32, 0, len(title)+len(body)), l.title[doc]...)
	for _, w := range body {
		l.all[doc] = append(l.all[doc], l.id(w))
	}
	for _, w := range core {
		l.core[doc] = append(l.core[doc], l.id(w))
	}
	l.title[doc], l.core[doc], l.all[doc] = sortedSet(l.title[doc]), sortedSet(l.core[doc]), sortedSet(l.all[doc])
	for _, id := range l.all[doc] {
		l.in[id]++
	}
	for _, id := range l.title[doc] {
		l.titled[id]++
	}
	if len(around) > 0 {
		for _, w := range around {
			l.all[doc] = append(l.all[doc], l.id(w))
		}
		l.all[doc] = sortedSet(l.all[doc])
	}
}

func sortedSet(ids []uint32) []uint32 {
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

func (l *lexicon) id(word string) uint32 {
	if id, ok := l.ids[word]; ok {
		return id
	}
	id := uint32(len(l.words)) //nolint:gosec // a catalog has fewer words than fit
	l.ids[word] = id
	l.words = append(l.words, word)
	l.in = append(l.in, 0)
	l.titled = append(l.titled, 0)
	l.masks = append(l.masks, lettersOf(word))
	return id
}

// spell notes how a word of a document is written.
func (l *lexicon) spell(written []byte, term string) {
	if l.spelt[string(written)] {
		return
	}
	word := folded(string(written))
	l.spelt[string(written)] = true
	if word != string(written) && l.spelt[word] {
		return
	}
	l.spelt[word] = true
	if word != term && len(word) <= maxWord {
		l.spellings = append(l.spellings, spelling{word, lettersOf(word), l.id(term)})
	}
}

// written says whether a word is written so somewhere.
func (l *lexicon) written(word string) bool { return l.spelt[word] }

// seal makes the words searchable, after the last document.
func (l *lexicon) seal() {
	for id := range l.words {
		l.byStart = append(l.byStart, uint32(id))
	}
	l.byStart = slices.Clip(l.byStart)
	l.byEnd = slices.Clone(l.byStart)
	slices.SortFunc(l.byStart, func(a, b uint32) int { return strings.Compare(l.words[a], l.words[b]) })
	slices.SortFunc(l.byEnd, func(a, b uint32) int { return backwards(l.words[a], l.words[b]) })
}

// backwards compares two words from their last letter on.
func backwards(a, b string) int {
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// starting calls fn with the words that begin with a prefix, it among them, until fn returns false.
func (l *lexicon) starting(prefix string, fn func(id uint32) bool) {
	i, _ := slices.BinarySearchFunc(l.byStart, prefix, func(id uint32, p string) int { return strings.Compare(l.words[id], p) })
	for ; i < len(l.byStart) && strings.HasPrefix(l.words[l.byStart[i]], prefix) && fn(l.byStart[i]); i++ {
	}
}

// ending calls fn with the words that end with a suffix, it among them.
func (l *lexicon) ending(suffix string, fn func(id uint32)) {
	i, _ := slices.BinarySearchFunc(l.byEnd, suffix, func(id uint32, s string) int { return backwards(l.words[id], s) })
	for ; i < len(l.byEnd) && strings.HasSuffix(l.words[l.byEnd[i]], suffix); i++ {
		fn(l.byEnd[i])
	}
}

func (l *lexicon) bytes() int64 {
	var total int64
	for _, w := range l.words {
		total += int64(len(w)) + perWord
	}
	for word := range l.spelt {
		total += int64(len(word)) + perEntry
	}
	for i := range l.spellings {
		total += int64(len(l.spellings[i].word)) + perEntry
	}
	for i := range l.all {
		total += 4*int64(cap(l.title[i])+cap(l.core[i])+cap(l.all[i])) + 3*24
	}
	return total
}

// match is a word of the lexicon that a word of a question may mean, and how surely, up to 1. Where it means two words, a
// document must have both; else they are the same.
type match struct {
	id, and  uint32
	strength float64
}

// How surely a word means another one.
const (
	sure = 1
	// synonymous words mean nearly the same.
	synonymous = 0.95
	// within is a word at the end of a compound, which says what kind of thing it is: Handkaffeemühle is a Kaffeemühle.
	within = 0.85
	// begins is a word at the beginning of a compound: Ledergürtel has to do with Leder.
	begins = 0.7
	// minPart is the shortest part of a compound, in letters.
	minPart = 4
	// maxMatches bounds what one word of a question may mean.
	maxMatches = 24
)

// meanings returns what a word of a question may mean, others being its synonyms. opens says in a language that joins words into one
// whether a word may be the first part; nil in others.
func (l *lexicon) meanings(word string, others []string, opens func(word string) bool) []match {
	var found []match
	take := func(word string, strength float64) {
		if m, ok := l.find(word); ok {
			m.strength = strength
			found = append(found, m)
		}
		switch letters := utf8.RuneCountInString(word); {
		case opens == nil:
		case letters >= minPart:
			found = l.compounds(found, word, strength)
		case letters == minPart-1:
			found = l.shortEnds(found, word, strength, opens)
		}
	}
	take(word, sure)
	for _, other := range others {
		take(other, synonymous)
	}
	return surest(found)
}

// find looks up a word, or two with a space between.
func (l *lexicon) find(word string) (match, bool) {
	first, second, two := strings.Cut(word, " ")
	id, ok := l.ids[first]
	if !two || !ok {
		return match{id: id, and: id}, ok
	}
	and, ok := l.ids[second]
	return match{id: id, and: and}, ok
}

// inTitle says whether a word is in a title.
func (l *lexicon) inTitle(word string) bool {
	id, ok := l.ids[word]
	return ok && l.titled[id] > 0
}

func (l *lexicon) has(word string) bool {
	_, ok := l.ids[word]
	return ok
}

// compounds adds the words that end or begin with a word.
func (l *lexicon) compounds(found []match, word string, strength float64) []match {
	l.ending(word, func(id uint32) {
		if w := l.words[id]; w != word && !prefixed(strings.TrimSuffix(w, word)) {
			found = append(found, match{id, id, strength * within})
		}
	})
	l.starting(word, func(id uint32) bool {
		if l.words[id] != word {
			found = append(found, match{id, id, strength * begins})
		}
		return true
	})
	return found
}

// shortEnds adds the words that end with a short one, such as the Regenhose of which an analyzer leaves "hos", where what stands before is a
// word too: a Kamerad is no Rad.
func (l *lexicon) shortEnds(found []match, word string, strength float64, opens func(word string) bool) []match {
	l.ending(word, func(id uint32) {
		if before, ok := strings.CutSuffix(l.words[id], word); ok && len(before) >= minPart-1 && opens(before) && !prefixed(before) {
			found = append(found, match{id, id, strength * within})
		}
	})
	return found
}

// prefixed says whether what stands before a word are prefixes alone.
func prefixed(before string) bool {
	if prefixes[before] {
		return true
	}
	for n := 2; n < len(before); n++ {
		if prefixes[before[:n]] && prefixes[before[n:]] {
			return true
		}
	}
	return false
}

// prefixes make of a word another one that is no kind of it: ausgeschlossen is not geschlossen.
var prefixes = wordSet("ab an auf aus be bei da durch ein ent er ge her hin mit nach um un unter ver vor zer zu zuruck zusammen uber")

// surest orders matches and leaves the best of each.
func surest(all []match) []match {
	slices.SortFunc(all, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.strength, a.strength), cmp.Compare(a.id, b.id), cmp.Compare(a.and, b.and))
	})
	var out []match
	for _, m := range all {
		if len(out) == maxMatches {
			break
		}
		if !slices.ContainsFunc(out, func(o match) bool { return o.id == m.id && o.and == m.and }) {
			out = append(out, m)
		}
	}
	return out
}
