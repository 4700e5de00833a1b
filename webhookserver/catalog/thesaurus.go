package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
)

// thesauri are the concepts and the matters in the words of an analyzer, made on first use, once: it takes as long as many answers.
var thesauri sync.Map // of func() *words by the analyzer's name

// words are the terms that mean nearly the same, by term, of goods and of what a shop does, and the kinds that a term names.
type words struct {
	concepts, matters map[string][]string
	kinds             map[string][]kind
	// affairs are the matters that a term names.
	affairs map[string][]kind
	// things are the terms that name what shops sell, properties those that say how a thing is.
	things, properties map[string][]kind
}

func wordsOf(name string, a analysis.Analyzer) *words {
	known, ok := thesauri.Load(name)
	if !ok {
		known, _ = thesauri.LoadOrStore(name, sync.OnceValue(func() *words {
			v, all := vocabularyOf(), &words{kinds: map[string][]kind{}, affairs: map[string][]kind{}, things: map[string][]kind{}, properties: map[string][]kind{}}
			all.concepts = thesaurus(a, v.concepts, all.note)
			all.matters = thesaurus(a, v.matters, func(term string, matter kind) { all.affairs[term] = append(all.affairs[term], matter) })
			return all
		}))
	}
	made, _ := known.(func() *words) // nothing else is stored
	return made()
}

// under finds what is known of a term in a text of a language.
func under[T any](byTerm map[string][]T, term, language string) []T {
	if found, ok := byTerm[term]; ok {
		return found
	}
	return byTerm[term+"@"+language]
}

// thesaurus returns the terms, or pairs of them with a space between, that mean nearly the same as a term, and notes which concepts
// each names.
func thesaurus(a analysis.Analyzer, concepts []concept, note func(term string, concept kind)) map[string][]string {
	all := map[string][]string{}
	for i := range concepts {
		keys := map[string]string{} // by term
		var terms []string
		for _, word := range concepts[i].names {
			word, language, only := strings.Cut(word, "@")
			var parts []string
			for _, token := range a.Analyze([]byte(word)) {
				parts = append(parts, folded(string(token.Term)))
			}
			term := strings.Join(parts, " ")
			if len(parts) != len(strings.Split(word, "-")) || len(parts) > 2 || slices.Contains(terms, term) {
				continue // a language that leaves a part out would take it for the other
			}
			terms = append(terms, term)
			keys[term] = term
			if only {
				keys[term] = term + "@" + language
			}
		}
		for _, term := range terms {
			key := keys[term]
			for _, other := range terms {
				if other != term && !slices.Contains(all[key], other) {
					all[key] = append(all[key], other)
				}
			}
			note(key, kind(i))
		}
	}
	return all
}

// note takes a term as a name of a concept.
func (w *words) note(term string, concept kind) {
	v := vocabularyOf()
	switch {
	case len(v.concepts[concept].uses) > 0:
		w.kinds[term] = append(w.kinds[term], concept)
		w.things[term] = w.kinds[term]
	case w.kinds[term] == nil && strings.Contains(term, " "):
		w.kinds[term] = []kind{} // its words name none: what is non-stick is no stick
	}
	if v.properties[concept] {
		w.properties[term] = append(w.properties[term], concept)
	}
}
