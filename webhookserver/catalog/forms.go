package catalog

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// This file knows words without a shop: which are spelt well because retail uses them, which of those a misspelt one may be, and what a
// word is called that was made smaller. It is asked about words that nothing in the shop has.

// knownWords are the words of the vocabulary as they are written, folded: names are the longer ones of things and of how they are, matters
// those of what a shop does; all are those of uses as well.
type knownWords struct {
	names, matters []spelling
	all            map[string]bool
}

var knownWordsOf = sync.OnceValue(func() *knownWords {
	v, k, named := vocabularyOf(), &knownWords{all: map[string]bool{}}, map[string]bool{}
	take := func(into *[]spelling, name string) {
		if utf8.RuneCountInString(name) >= minVariant && !strings.Contains(name, "-") && !named[name] {
			named[name] = true
			*into = append(*into, spelling{word: name, mask: lettersOf(name)})
		}
	}
	for i, c := range append(slices.Clip(v.concepts), v.matters...) {
		for _, name := range c.names {
			name, _, _ = strings.Cut(name, "@")
			name = folded(name)
			for part := range strings.SplitSeq(name, "-") {
				k.all[part] = true
			}
			if i < len(v.concepts) {
				take(&k.names, name)
			} else {
				take(&k.matters, name)
			}
		}
		for _, use := range c.uses {
			k.all[folded(strings.TrimSuffix(use, "*"))] = true
		}
	}
	return k
})

// spelt says whether a folded word is written well, although the shop doesn't have it: who asks for "comida" misspelt nothing.
func (k *knownWords) spelt(word string) bool {
	return k.all[word] || len(vocabularyOf().uses.of(word, false)) > 0
}

// nearest is the one of names that a folded word most likely is with a typo; "" if there is none, or several are as likely.
func nearest(names []spelling, word string) string {
	c, ok := newComparison(word, utf8.RuneCountInString(word))
	if !ok || utf8.RuneCountInString(word) < minVariant {
		return "" // many short words are one letter from another
	}
	best, most, tie := "", 0.0, false
	for i := range names {
		switch strength := c.with(names[i].word, names[i].mask); {
		case strength < oneTypo:
		case strength > most:
			best, most, tie = names[i].word, strength, false
		case strength == most:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return best
}

// diminutive is an ending that makes a word smaller or dearer, without the vowel that the word ends with after it.
type diminutive struct {
	ending string
	// vowels are those that may follow it, "" if it ends the word.
	vowels string
}

// diminutives are those of the languages that make them of any word, the longest first.
var diminutives = map[string][]diminutive{
	"de": {{"lein", ""}, {"chen", ""}, {"erl", ""}},
	"es": {{"ecit", "oa"}, {"cit", "oa"}, {"it", "oa"}},
	"it": {{"ett", "oaie"}, {"in", "oaie"}},
	"pt": {{"zinh", "oa"}, {"inh", "oa"}},
}

// hardened are letters that are written otherwise before i and e, and what they are before other vowels or at the end.
var hardened = [][2]string{{"qu", "c"}, {"gu", "g"}, {"ch", "c"}, {"gh", "g"}, {"c", "z"}}

// minBase is the shortest word that is made smaller, in letters.
const minBase = 3

// larger are the words that a folded one may be a diminutive of, in a language: a "timbrecito" is a timbre, a "Töpfchen" a Topf.
func larger(word, language string) []string {
	var all []string
	for _, d := range diminutives[language] {
		stem, vowel := word, ""
		if d.vowels != "" {
			stem = strings.TrimSuffix(word, "s")
			if stem == "" || !strings.Contains(d.vowels, stem[len(stem)-1:]) {
				continue
			}
			stem, vowel = stem[:len(stem)-1], stem[len(stem)-1:]
		}
		base, ok := strings.CutSuffix(stem, d.ending)
		if !ok || utf8.RuneCountInString(base) < minBase {
			continue
		}
		all = append(all, base, base+"e")
		if vowel != "" {
			all = append(all, base+"o", base+"a")
			for _, h := range hardened {
				if b, ok := strings.CutSuffix(base, h[0]); ok {
					all = append(all, b+h[1], b+h[1]+"o", b+h[1]+"a")
				}
			}
		}
	}
	return all
}
