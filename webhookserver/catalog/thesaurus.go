package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
)

// thesauri are the concepts and the matters in the words of an analyzer, made on first use.
var thesauri sync.Map // of words by the analyzer's name

// words are the terms that mean nearly the same, by term, of goods and of what a shop does.
type words struct{ concepts, matters map[string][]string }

// synonyms returns the terms, or pairs of them with a space between, that mean nearly the same as a term in a text of a
// language.
func synonyms(name string, a analysis.Analyzer, term, language string) (concepts, matters []string) {
	known, ok := thesauri.Load(name)
	if !ok {
		known, _ = thesauri.LoadOrStore(name, thesauriOf(a))
	}
	all, ok := known.(words)
	if !ok {
		return nil, nil
	}
	find := func(byTerm map[string][]string) []string {
		if others, ok := byTerm[term]; ok {
			return others
		}
		return byTerm[term+"@"+language]
	}
	return find(all.concepts), find(all.matters)
}

func thesauriOf(a analysis.Analyzer) words {
	return words{thesaurus(a, concepts), thesaurus(a, matters)}
}

func thesaurus(a analysis.Analyzer, concepts []string) map[string][]string {
	all := map[string][]string{}
	for _, concept := range concepts {
		keys := map[string]string{} // by term
		var terms []string
		for word := range strings.FieldsSeq(concept) {
			word, language, only := strings.Cut(word, "@")
			var parts []string
			for _, token := range a.Analyze([]byte(word)) {
				parts = append(parts, folded(string(token.Term)))
			}
			term := strings.Join(parts, " ")
			if len(parts) == 0 || len(parts) > 2 || slices.Contains(terms, term) {
				continue
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
		}
	}
	return all
}
