package catalog

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
)

// tongue is the vocabulary of one language.
type tongue struct {
	// language is the first subtag of a BCP 47 tag, analyzer the name of its analyzer.
	language, analyzer string
	// compounds says that the language joins words into one.
	compounds bool
	// goods says that the words are those of things for sale.
	goods    bool
	words    *lexicon
	analysis analysis.Analyzer
}

func newTongue(language string, goods bool, documents int) *tongue {
	return &tongue{language: language, goods: goods, analyzer: analyzerOf(language), compounds: compounding[language], words: newLexicon(documents)}
}

func (t *tongue) titleField() string { return "title_" + t.language }
func (t *tongue) bodyField() string  { return "body_" + t.language }

// terms are the analyzed words of a text in their order, without accents.
func (t *tongue) terms(text string) []string {
	tokens := t.analysis.Analyze([]byte(spaced(text)))
	out := make([]string, 0, len(tokens))
	for _, token := range tokens {
		out = append(out, folded(string(token.Term)))
	}
	return out
}

// learn is terms of a document's text, whose spellings it remembers. core are those that say what the document is about.
func (t *tongue) learn(text string) (out, core []string) {
	text = strings.ToLower(spaced(text))
	tokens := t.analysis.Analyze([]byte(text))
	out = make([]string, 0, len(tokens))
	parts := []span{{0, len(text)}}
	if t.goods {
		parts = heads(text)
	}
	for _, token := range tokens {
		term := folded(string(token.Term))
		out = append(out, term)
		for len(parts) > 0 && parts[0].end <= token.Start {
			parts = parts[1:]
		}
		if len(parts) > 0 && parts[0].start <= token.Start {
			core = append(core, term)
		}
		if token.Start >= 0 && token.Start < token.End && token.End <= len(text) {
			t.words.spell([]byte(text[token.Start:token.End]), term)
		}
	}
	return out, core
}

// term is the analyzed form of one word; "" if the language leaves it out, or takes it for several.
func (t *tongue) term(word string) string {
	if terms := t.terms(word); len(terms) == 1 {
		return terms[0]
	}
	return ""
}

// synonyms returns the terms, or pairs of them with a space between, that mean nearly the same as one in a question
// of a language, "" if that is unknown.
func (t *tongue) synonyms(term, language string) []string {
	if language == "" {
		language = t.language
	}
	known := wordsOf(t.analyzer, t.analysis)
	concepts := under(known.concepts, term, language)
	if t.goods {
		// A sharp knife is no answer to who wants one sharpened.
		return concepts
	}
	return append(slices.Clip(concepts), under(known.matters, term, language)...)
}

// matters says whether a term is a word for what a shop does beside selling.
func (t *tongue) matters(term string) bool {
	return under(wordsOf(t.analyzer, t.analysis).matters, term, t.language) != nil
}

// thing says whether a term, or two with a space between, is a name of something that shops sell.
func (t *tongue) thing(term string) bool {
	return under(wordsOf(t.analyzer, t.analysis).things, term, t.language) != nil
}

// uncounted are the terms without things that stand after a number: a size of "6 cups" says what a pot holds, not what it is.
func (t *tongue) uncounted(terms []string) []string {
	var out []string
	for i, term := range terms {
		if i == 0 || !t.thing(term) || strings.ContainsFunc(terms[i-1], func(c rune) bool { return !unicode.IsDigit(c) }) {
			out = append(out, term)
		}
	}
	return out
}

// property says whether a term tells how a thing is, not what it is: its colour, whether it folds.
func (t *tongue) property(term string) bool {
	return under(wordsOf(t.analyzer, t.analysis).properties, term, t.language) != nil && !t.thing(term)
}

// kinds are those that the terms of a text name, each once. Of a compound its end does, and of two words that do together the one
// that says what it is.
func (t *tongue) kinds(terms []string) []kind {
	known := wordsOf(t.analyzer, t.analysis).kinds
	var all []kind
	for i := 0; i < len(terms); i++ {
		var found []kind
		if i+1 < len(terms) {
			if found = under(known, terms[i]+" "+terms[i+1], t.language); found != nil {
				head := terms[i+1]
				if romance[t.language] {
					head = terms[i]
				}
				if len(found) > 0 {
					all = append(all, under(known, head, t.language)...) // a smart watch is a watch
				}
				i++
			}
		}
		if found == nil {
			found = under(known, terms[i], t.language)
		}
		for at := minPart - 1; found == nil && t.compounds && at+minPart-1 <= len(terms[i]); at++ {
			if at+minPart <= len(terms[i]) || t.opens(terms[i][:at]) {
				found = under(known, terms[i][at:], t.language)
			}
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// affairs are the matters that the terms of a text name, each once.
func (t *tongue) affairs(terms []string) []kind {
	known := wordsOf(t.analyzer, t.analysis).affairs
	var all []kind
	for i, term := range terms {
		all = append(all, under(known, term, t.language)...)
		if i+1 < len(terms) {
			all = append(all, under(known, term+" "+terms[i+1], t.language)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// meanings returns what a term may mean, apart from typos.
func (t *tongue) meanings(term, language string) []match {
	if term == "" {
		return nil
	}
	return t.words.meanings(term, t.synonyms(term, language), t.opener())
}

// opener is opens in a language that joins words into one, else nil.
func (t *tongue) opener() func(word string) bool {
	if !t.compounds {
		return nil
	}
	return t.opens
}

// joints are what stands between the parts of a compound.
var joints = []string{"", "s", "n", "en", "es", "e"}

// opens says whether a word, without a joint, is one that something is called, and may be the first part of a compound.
func (t *tongue) opens(word string) bool {
	for _, joint := range joints {
		h, ok := strings.CutSuffix(word, joint)
		if !ok || len(h) < minPart-1 {
			continue
		}
		if term := t.term(h); term != "" && (t.words.has(term) || t.thing(term) || wordsOf(t.analyzer, t.analysis).concepts[term] != nil) {
			return true
		}
	}
	return false
}

// knows says whether a term, or one that means the same, is in the lexicon.
func (t *tongue) knows(term string) bool {
	if term == "" {
		return false
	}
	if t.words.has(term) {
		return true
	}
	for _, other := range t.synonyms(term, "") {
		if _, ok := t.words.find(other); ok {
			return true
		}
	}
	return false
}

// parts splits a word that nobody wrote into two that somebody did: "powerbank" when the catalog has "power bank", or
// the German Gusseisenpfanne. Empty if there are none.
func (t *tongue) parts(word string) (head, kind string) {
	runes := []rune(word)
	for i := len(runes) - minPart; i >= minPart-1; i-- {
		head, kind := string(runes[:i]), string(runes[i:])
		if !t.knows(t.term(kind)) || !t.compounds && !t.words.written(kind) {
			continue
		}
		for _, joint := range joints {
			if h, ok := strings.CutSuffix(head, joint); ok && (t.begins(h) || t.knows(t.term(h))) {
				return h, kind
			}
		}
	}
	// A typo in the second one: "rainjaket".
	for i := minPart; i <= len(runes)-minPart-1; i++ {
		if !t.words.has(string(runes[:i])) {
			continue
		}
		near := false
		t.words.misspelt(string(runes[i:]), len(runes)-i, func(uint32, float64) { near = true })
		if near {
			return string(runes[:i]), string(runes[i:])
		}
	}
	return "", ""
}

// begins says whether a word is the beginning of one.
func (t *tongue) begins(word string) bool {
	if utf8.RuneCountInString(word) < minPart {
		return false
	}
	found := false
	t.words.starting(word, func(uint32) bool {
		found = true
		return false
	})
	return found
}
