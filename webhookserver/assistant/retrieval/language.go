package retrieval

import (
	"strings"
	"unicode"
)

// normalize lowers a message and reduces it to its words, so that "Hi!!" is "hi".
func normalize(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.M, r) && r != '\'' && r != '-'
	}), " ")
}

// contains reports whether the normalized text contains phrase as whole words.
func contains(text, phrase string) bool {
	phrase = normalize(phrase)
	return phrase != "" && strings.Contains(" "+text+" ", " "+phrase+" ")
}

// choose guesses which of a channel's languages the customer writes, by the words that only some languages use. Without
// a sign it is the channel's first language. Languages without phrases are spoken to in the default one.
func (a *Assistant) choose(languages []string, text string) *phrases {
	var candidates []string
	for _, tag := range languages {
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if a.spoken[base] != nil {
			candidates = append(candidates, base)
		}
	}
	if len(candidates) == 0 {
		return a.spoken[defaultLanguage]
	}
	words := strings.Fields(text)
	best, most := candidates[0], 0
	for _, c := range candidates {
		score := 0
		for _, w := range words {
			if a.markers[c][w] {
				score++
			}
		}
		for _, phrase := range a.spoken[c].own() {
			if contains(text, phrase) {
				score += 2
			}
		}
		if score > most {
			best, most = c, score
		}
	}
	return a.spoken[best]
}

// own are the texts that only somebody who speaks the language writes or taps.
func (p *phrases) own() []string {
	all := []string{p.products, p.person}
	for _, list := range [][]string{p.greetings, p.personPhrases, p.productWords} {
		all = append(all, list...)
	}
	return all
}
