package catalog

import (
	"cmp"
	"regexp"
	"strings"
)

// This file knows pages that say the same in several languages, which their names tell: returns.md and returns.de.md.

// inOneLanguage leaves the passages of one page of those that are translations of each other: of the one in the customer's language if
// it says something of what is asked, in the place of the one that answers best, else of that one. Nothing tells which one it is where
// the customer's language is unknown: then all are left.
func inOneLanguage(passages []PassageHit, language string) []PassageHit {
	if language == "" {
		return passages
	}
	chosen := map[string]*PassageHit{} // by what the pages are called without their languages
	for i := range passages {
		h := &passages[i]
		name, _ := translated(h.Passage.Document)
		if best := chosen[name]; best == nil || h.in(language) && !best.in(language) && h.Coverage >= besides {
			chosen[name] = h
		}
	}
	var left []PassageHit
	placed := map[*PassageHit]bool{}
	for i := range passages {
		h := &passages[i]
		name, _ := translated(h.Passage.Document)
		own := chosen[name]
		switch {
		case !placed[own]:
			placed[own] = true
			left = append(left, *own)
			left[len(left)-1].Coverage = max(own.Coverage, h.Coverage)
		case h != own && h.Passage.Document == own.Passage.Document:
			left = append(left, *h)
		}
	}
	return left
}

// in says whether a passage is in a language.
func (h *PassageHit) in(language string) bool {
	_, named := translated(h.Passage.Document)
	return cmp.Or(named, h.Passage.Language) == language
}

// translated takes the language out of a document's name, if there is one: "returns.de.md" is "returns.md" in "de".
func translated(document string) (name, language string) {
	stem, ending := document, ""
	if i := strings.LastIndexByte(document, '.'); i > 0 && !isLanguage(document[i+1:]) {
		stem, ending = document[:i], document[i:]
	}
	m := languageEnd.FindStringSubmatch(stem)
	if len(m) == 0 || !isLanguage(m[2]) {
		return document, ""
	}
	return m[1] + ending, strings.ToLower(m[2])
}

// languageEnd is a language, and perhaps a country, at the end of a name.
var languageEnd = regexp.MustCompile(`^(.+?)[._-]([A-Za-z]{2})(?:[-_][A-Z]{2})?$`)

// isLanguage says whether a part of a name is the first subtag of a language that texts are analyzed in.
func isLanguage(part string) bool {
	_, known := analyzers[strings.ToLower(part)]
	return known
}
