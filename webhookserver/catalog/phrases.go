package catalog

import (
	"slices"
	"strings"
)

// This file knows what people say in words of which each carries nothing, but all together do: "where are you", "wie lange dauert es".

// maxPhrase is the longest phrase, in words.
const maxPhrase = 5

// phrases are the one word that stands for several, by those, folded and with a space between, and by the first of them.
type phrases map[string]map[string]string

// add takes the names of a matter that are made of several words, of which one is left out of questions: the others would be too little,
// or another matter.
func (p phrases) add(names []string) {
	short := names[slices.IndexFunc(names, func(name string) bool { return !strings.ContainsAny(name, "-@") })]
	for _, name := range names {
		words := strings.Split(folded(name), "-")
		if len(words) > 1 && slices.ContainsFunc(words, idleAnywhere) {
			if p[words[0]] == nil {
				p[words[0]] = map[string]string{}
			}
			p[words[0]][strings.Join(words, " ")] = short
		}
	}
}

// idleAnywhere says whether some language leaves a folded word out of questions.
func idleAnywhere(word string) bool { return mannerOf(word, "") == filler }

// of returns the word that the first of several stand for, and how many those are; the longest phrase counts.
func (p phrases) of(words []string) (short string, n int) {
	if len(words) == 0 {
		return "", 0
	}
	begun := p[folded(words[0])]
	if begun == nil {
		return "", 0
	}
	var plain []string
	for _, word := range words[:min(maxPhrase, len(words))] {
		plain = append(plain, folded(word))
	}
	for n := len(plain); n > 1; n-- {
		if short, ok := begun[strings.Join(plain[:n], " ")]; ok {
			return short, n
		}
	}
	return "", 0
}
