package catalog

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// oneEnding is a word with another last letter, mostly another form that the analyzer doesn't know.
	oneEnding = 0.96
	// oneTypo and twoTypos are words that differ in spelling.
	oneTypo, twoTypos = 0.85, 0.7
	// variant is a word that goes on differently.
	variant = 0.55
	// shortTypo is a short word with a typo. Alone it is not Enough: too many words are one letter apart.
	shortTypo = 0.45
	// shortWord is the number of letters below which a word is short.
	shortWord = 5
	// longWord is the number of letters from which a word is hardly another one by chance.
	longWord = 7
	// minVariant is the shortest word, in letters, that has variants, and maxEnding by how many bytes they may differ.
	minVariant, maxEnding = 6, 4
	// maxWord is the longest word, in letters, that is compared with others.
	maxWord = 48
	// minCompound is the shortest word, in letters, that is looked for with a typo at the end of others.
	minCompound = 7
)

// nearMisses looks for words that differ in spelling only, or that end differently, which the analyzer takes for different
// ones. letters is how long the word was written.
func (l *lexicon) nearMisses(word string, letters int) []match {
	var found []match
	if word != "" {
		l.misspelt(word, min(letters, utf8.RuneCountInString(word)+1), func(id uint32, strength float64) { found = append(found, match{id, id, strength}) })
		l.variants(word, func(id uint32) { found = append(found, match{id, id, variant}) })
	}
	return surest(found)
}

// misspelt looks for words that differ in spelling. Those of another first letter are mostly other words, unless it sounds alike;
// so are short ones that differ in the second.
func (l *lexicon) misspelt(word string, letters int, take func(uint32, float64)) {
	if c, ok := newComparison(word, letters); ok {
		for id, w := range l.words {
			if strength := c.with(w, l.masks[id]); strength > 0 {
				take(uint32(id), strength)
			}
		}
	}
}

// respelt is misspelt for a word as it was written, which it compares with words as they are written.
func (l *lexicon) respelt(word string) []match {
	var found []match
	if c, ok := newComparison(word, utf8.RuneCountInString(word)); ok {
		for i := range l.spellings {
			s := &l.spellings[i]
			if strength := c.with(s.word, s.mask); strength > 0 {
				found = append(found, match{s.id, s.id, strength})
			}
		}
	}
	return found
}

// comparison is a word that is compared with others.
type comparison struct {
	query            []rune
	bytes            int
	mask             uint32
	letters, allowed int
	buffer           []rune
}

func newComparison(word string, letters int) (*comparison, bool) {
	c := &comparison{query: []rune(word), bytes: len(word), mask: lettersOf(word), letters: letters, allowed: typosAllowed(letters)}
	return c, c.allowed > 0 && len(c.query) >= 3
}

// with is how surely the word means another, of these letters; 0 if it doesn't.
func (c *comparison) with(word string, letters uint32) float64 {
	// An edit changes at most two letters of the set.
	if bits.OnesCount32(c.mask^letters) > 4 {
		return 0
	}
	if d := len(word) - c.bytes; d > 2*utf8.UTFMax || d < -2*utf8.UTFMax {
		return 0
	}
	c.buffer = c.buffer[:0]
	for _, r := range word {
		c.buffer = append(c.buffer, r)
	}
	return resemblance(c.query, c.buffer, c.letters, c.allowed)
}

// misspeltEnd looks for compounds that end with a word that is misspelt: the Handkaffeemühle for a Kafeemühle.
func (l *lexicon) misspeltEnd(word string, take func(uint32, float64)) {
	query := []rune(word)
	if len(query) < minCompound {
		return
	}
	mask := lettersOf(word)
	for i := range l.words {
		l.endsAlike(query, mask, uint32(i), l.words[i], l.masks[i], take)
	}
	for i := range l.spellings {
		l.endsAlike(query, mask, l.spellings[i].id, l.spellings[i].word, l.spellings[i].mask, take)
	}
}

// endsAlike takes a word whose end differs from the query in one letter.
func (l *lexicon) endsAlike(query []rune, mask, id uint32, word string, letters uint32, take func(uint32, float64)) {
	if bits.OnesCount32(mask&^letters) > 1 || len(word) < len(query)+minPart-1 {
		return
	}
	runes := []rune(word)
	for _, n := range []int{len(query), len(query) + 1, len(query) - 1} {
		if n > len(runes)-minPart+1 {
			continue
		}
		if end := runes[len(runes)-n:]; end[0] == query[0] && edits(query, end, 1) <= 1 {
			take(id, oneTypo*within)
			return
		}
	}
}

// resemblance is how surely a word of so many letters, so many of which may be wrong, means another; 0 if it doesn't.
func resemblance(query, word []rune, letters, allowed int) float64 {
	if len(word) < 3 {
		return 0
	}
	if word[0] != query[0] {
		if !soundsLike(query, word) {
			return 0
		}
	} else if letters < shortWord && word[1] != query[1] && !swapped(query, word) {
		return 0
	}
	limit := allowed
	if len(query) >= minVariant-1 {
		limit = 2 // if they sound alike
	}
	switch n := edits(query, word, limit); {
	case n > limit, n > allowed && !soundAlike(query, word):
		return 0
	case n > allowed:
		return oneTypo
	case letters < shortWord:
		return shortTypo
	case n < 2 && slices.Equal(query[:len(query)-1], word[:min(len(query)-1, len(word))]):
		return oneEnding
	case n < 2:
		return oneTypo
	default:
		return twoTypos
	}
}

// swapped says whether two words begin with the same letters in another order.
func swapped(a, b []rune) bool {
	return len(a) > 2 && len(b) > 2 && a[1] == b[2] && a[2] == b[1]
}

// alike are letters that sound alike at the beginning of a word.
var alike = []string{"bv", "ckq", "csz", "fpv", "iy", "gj", "dt", "vw", "xs", "ea"}

// soundsLike says whether two words may begin alike to the ear, or one with a letter that isn't heard.
func soundsLike(a, b []rune) bool {
	if a[0] == 'h' && a[1] == b[0] || b[0] == 'h' && b[1] == a[0] {
		return true
	}
	for _, set := range alike {
		if strings.ContainsRune(set, a[0]) && strings.ContainsRune(set, b[0]) {
			return true
		}
	}
	return false
}

// sounds are spellings that sound alike, in one language or another.
var sounds = strings.NewReplacer("qu", "k", "ck", "k", "ph", "f", "th", "t", "tz", "s", "sz", "s", "ce", "se", "ci", "si", "cy", "si", "ge", "je", "gi", "ji",
	"ie", "i", "ee", "i", "ea", "i", "ae", "e", "oe", "o", "ue", "u", "oo", "u", "ou", "u", "v", "b", "w", "b", "z", "s", "c", "k", "h", "", "y", "i", "mb", "nb", "mp", "np", "dt", "t", "d", "t")

// sound is roughly how a word sounds: spellings that sound alike are the same, and doubled letters one.
func sound(word []rune) string {
	return string(slices.Compact([]rune(sounds.Replace(string(word)))))
}

// yeista is how it sounds to who says y for ll.
func yeista(word []rune) string {
	return sound([]rune(strings.ReplaceAll(string(word), "ll", "y")))
}

// soundAlike says whether two words may sound alike to somebody.
func soundAlike(a, b []rune) bool { return sound(a) == sound(b) || yeista(a) == yeista(b) }

// lettersOf is the set of a word's letters, by their last bits.
func lettersOf(word string) uint32 {
	var set uint32
	for _, r := range word {
		set |= 1 << (uint32(r) & 31) //nolint:gosec // only five bits are kept
	}
	return set
}

// variants looks for words that begin alike and end differently.
func (l *lexicon) variants(word string, take func(uint32)) {
	if utf8.RuneCountInString(word) < minVariant {
		return
	}
	l.starting(word, func(id uint32) bool {
		if len(l.words[id]) <= len(word)+maxEnding {
			take(id)
		}
		return true
	})
	for cut := 1; cut <= maxEnding && len(word)-cut >= minVariant; cut++ {
		if id, ok := l.ids[word[:len(word)-cut]]; ok {
			take(id)
		}
	}
}

// typosAllowed grows with the word.
func typosAllowed(letters int) int {
	switch {
	case letters < shortWord-1:
		return 0
	case letters < 8:
		return 1
	default:
		return 2
	}
}

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
