package catalog

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// lexicon knows which words there are in one language of a shelf, and which document has which.
type lexicon struct {
	ids   map[string]uint32
	words []string // by id
	in    []uint32 // how many documents have the word, by id
	// title and all are the words of each document's title, and of title and body together; core are those of all that say
	// what the document is about. Sorted.
	title, core, all [][]uint32
	// byLetter are the ids by first letter, to look for near misses.
	byLetter map[rune][]uint32
}

const (
	// perWord and perEntry are what a word and a map entry or slice header take beside their bytes, measured.
	perWord, perEntry = 96, 64
)

func newLexicon(documents int) *lexicon {
	return &lexicon{
		ids: map[string]uint32{}, byLetter: map[rune][]uint32{},
		title: make([][]uint32, documents), core: make([][]uint32, documents), all: make([][]uint32, documents),
	}
}

// add takes the words of one document. core may share its words with title and body.
func (l *lexicon) add(doc int, title, body, core []string) {
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
	first, _ := utf8.DecodeRuneInString(word)
	l.byLetter[first] = append(l.byLetter[first], id)
	return id
}

func (l *lexicon) bytes() int64 {
	var total int64
	for _, w := range l.words {
		total += int64(len(w)) + perWord
	}
	for i := range l.all {
		total += 4*int64(cap(l.title[i])+cap(l.core[i])+cap(l.all[i])) + 3*24
	}
	return total
}

// rarity is what a word that n documents have tells about the one that is looked for (the inverse document frequency of BM25).
func (l *lexicon) rarity(n uint32) float64 {
	all := float64(len(l.all))
	return math.Log(1 + (all-float64(n)+0.5)/(float64(n)+0.5))
}

// match is a word of the lexicon that a word of a question may mean, and how surely, up to 1.
type match struct {
	id       uint32
	strength float64
}

// How surely a word means another one.
const (
	sure = 1
	// synonymous words mean nearly the same.
	synonymous = 0.9
	// within is a word at the end of a compound, which says what kind of thing it is: Handkaffeemühle is a Kaffeemühle.
	within = 0.85
	// begins is a word at the beginning of a compound: Ledergürtel has to do with Leder.
	begins = 0.7
	// oneTypo and twoTypos are words that differ in spelling.
	oneTypo, twoTypos = 0.85, 0.7
	// shortWord is the number of letters below which a word is short.
	shortWord = 5
	// minVariant is the shortest word, in letters, that has variants, and maxEnding by how many bytes they may differ.
	minVariant, maxEnding = 6, 4
	// minPart is the shortest part of a compound, in letters.
	minPart = 4
	// maxMatches bounds what one word of a question may mean.
	maxMatches = 24
)

// meanings returns what a word of a question may mean that was written with so many letters. compounds says whether the
// language joins words into one.
func (l *lexicon) meanings(word string, written int, others []string, compounds bool) []match {
	found := map[uint32]float64{}
	take := func(id uint32, strength float64) { found[id] = max(found[id], strength) }
	id, known := l.ids[word]
	if known {
		take(id, sure)
	}
	for _, other := range others {
		if id, ok := l.ids[other]; ok {
			take(id, synonymous)
		}
	}
	if compounds && utf8.RuneCountInString(word) >= minPart {
		for id, w := range l.words {
			switch {
			case len(w) <= len(word):
			case strings.HasSuffix(w, word):
				take(uint32(id), within)
			case strings.HasPrefix(w, word):
				take(uint32(id), begins)
			}
		}
	}
	if !known && len(found) == 0 {
		l.nearMisses(word, written, take)
		l.variants(word, take)
	}
	matches := make([]match, 0, len(found))
	for id, strength := range found {
		matches = append(matches, match{id, strength})
	}
	sort.Slice(matches, func(i, j int) bool {
		if matches[i].strength != matches[j].strength {
			return matches[i].strength > matches[j].strength
		}
		return matches[i].id < matches[j].id
	})
	return matches[:min(len(matches), maxMatches)]
}

// nearMisses looks for words that differ in spelling only. A typo in the first letter is rare, and words that differ
// there are mostly other words; so are short ones that differ in the second.
func (l *lexicon) nearMisses(word string, written int, take func(uint32, float64)) {
	query := []rune(word)
	allowed := typosAllowed(written)
	if allowed == 0 {
		return
	}
	var buffer []rune
	for _, id := range l.byLetter[query[0]] {
		w := l.words[id]
		if d := len(w) - len(word); d > allowed*utf8.UTFMax || d < -allowed*utf8.UTFMax {
			continue
		}
		buffer = buffer[:0]
		for _, r := range w {
			buffer = append(buffer, r)
		}
		if len(query) < shortWord && (len(buffer) < 2 || buffer[1] != query[1]) {
			continue
		}
		switch n := edits(query, buffer, allowed); {
		case n > allowed:
		case n < 2:
			take(id, oneTypo)
		default:
			take(id, twoTypos)
		}
	}
}

// variants looks for words that begin alike and end differently, which the analyzer takes for different ones.
func (l *lexicon) variants(word string, take func(uint32, float64)) {
	if utf8.RuneCountInString(word) < minVariant {
		return
	}
	first, _ := utf8.DecodeRuneInString(word)
	for _, id := range l.byLetter[first] {
		w := l.words[id]
		if d := len(w) - len(word); d > maxEnding || d < -maxEnding || len(w) < minVariant {
			continue
		}
		if strings.HasPrefix(w, word) || strings.HasPrefix(word, w) {
			take(id, begins)
		}
	}
}

// parts splits a word that nobody wrote into two that somebody did: "powerbank" when the catalog has "power bank", or
// the German Gusseisenpfanne. nil if there are none.
func (l *lexicon) parts(word string) []string {
	runes := []rune(word)
	for i := len(runes) - minPart; i >= minPart-1; i-- {
		head, tail := string(runes[:i]), string(runes[i:])
		if _, ok := l.ids[tail]; !ok {
			continue
		}
		for _, joint := range []string{"", "s", "n", "en", "es"} {
			if h, ok := strings.CutSuffix(head, joint); ok && l.begins(h) {
				return []string{h, tail}
			}
		}
	}
	// A typo in the second one: "rainjaket".
	for i := minPart; i <= len(runes)-minPart-1; i++ {
		if _, ok := l.ids[string(runes[:i])]; !ok {
			continue
		}
		near := false
		l.nearMisses(string(runes[i:]), len(runes)-i, func(uint32, float64) { near = true })
		if near {
			return []string{string(runes[:i]), string(runes[i:])}
		}
	}
	return nil
}

// begins says whether a word is one, or the beginning of one.
func (l *lexicon) begins(word string) bool {
	if utf8.RuneCountInString(word) < minPart-1 {
		return false
	}
	if _, ok := l.ids[word]; ok {
		return true
	}
	first, _ := utf8.DecodeRuneInString(word)
	return utf8.RuneCountInString(word) >= minPart &&
		slices.ContainsFunc(l.byLetter[first], func(id uint32) bool { return strings.HasPrefix(l.words[id], word) })
}

// typosAllowed grows with the word: four letters hold too many words one edit apart.
func typosAllowed(letters int) int {
	switch {
	case letters < 5:
		return 0
	case letters < 7:
		return 1
	default:
		return 2
	}
}

// maxWord is the longest word, in letters, that is compared with others.
const maxWord = 48

// edits returns how many insertions, deletions, substitutions or swaps of neighbours lead from a to b (optimal string
// alignment distance), and more than limit when it is more.
func edits(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > maxWord || len(b) > maxWord {
		return limit + 1
	}
	var rows [3][maxWord + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			best = min(best, row[j])
		}
		if best > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
