package catalog

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
)

// manner is what a word does in a question about a shop.
type manner uint8

const (
	// naming words say what is meant: all words that no list knows.
	naming manner = iota
	// tiny words are numbers and single letters: "55 l" says less than "backpack".
	tiny
	// trait words say how a thing is or for whom, not what it is: red, warm, for women.
	trait
	// idle words surround what is meant: what it is used for, where, when and by whom.
	idle
	// trade words are about any product: price, available, order. The knowledge may have a page about them.
	trade
	// filler words carry nothing.
	filler
)

// manners are the words of each that a language has, separated by spaces.
type manners struct{ filler, trade, idle, trait string }

// speech knows the words of one language that say little, as folded makes them.
type speech map[string]manner

// speeches are those of the languages that the retrieval assistant speaks.
var speeches = map[string]speech{
	"en": english.speech(), "de": german.speech(), "es": spanish.speech(),
	"fr": french.speech(), "it": italian.speech(), "pt": portuguese.speech(),
}

// spoken are the languages of speeches, in an order that stays.
var spoken = []string{"en", "de", "es", "fr", "it", "pt"}

func (m manners) speech() speech {
	s := speech{}
	for _, list := range []struct {
		words string
		as    manner
	}{{m.filler, filler}, {m.trade, trade}, {m.idle, idle}, {m.trait, trait}} {
		for word := range strings.FieldsSeq(list.words) {
			word = folded(word)
			for _, word := range []string{word, strings.ReplaceAll(word, "'", "")} { // "that's" is written "thats" as often
				if s[word] == naming {
					s[word] = list.as
				}
			}
		}
	}
	return s
}

// mannerOf returns what a folded word does in a language, and in any of them if that is "".
func mannerOf(word, language string) manner {
	if n := utf8.RuneCountInString(word); strings.ContainsFunc(word, unicode.IsDigit) || n == 1 && word[0] < utf8.RuneSelf {
		if language == "" || speeches[language][word] != filler {
			return tiny
		}
	}
	if language != "" {
		return speeches[language][word]
	}
	most := naming
	for _, l := range spoken {
		most = max(most, speeches[l][word])
	}
	return most
}

var folding = asciifolding.New()

// folded is a word in lower case and without accents, as people write it in a hurry.
func folded(word string) string {
	word = strings.ToLower(word)
	if !slices.ContainsFunc([]byte(word), func(b byte) bool { return b >= utf8.RuneSelf }) {
		return word
	}
	return string(folding.Filter([]byte(word)))
}

// How much a word tells for a language: that it is spoken, or is known to name something, more than that it is known at all.
const (
	tellsLittle = 2
	tellsMuch   = 3
)

// languageOf guesses which of the languages a text is in, by the words of its speech and what those tell that are known in it, the
// likely ones first; "" when nothing tells or two are alike.
func languageOf(text string, languages, likely []string, known func(word, language string) int) string {
	best, most, tie := "", 0, false
	for _, language := range languages {
		n := 0
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			word = strings.Trim(word, punctuation)
			switch speeches[language][folded(word)] {
			case naming:
				n += known(word, language)
			case filler:
				n += tellsMuch
			default:
				n += tellsLittle
			}
		}
		if n > 0 && slices.Contains(likely, language) {
			n += tellsMuch
		}
		switch {
		case n > most:
			best, most, tie = language, n, false
		case n == most:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return best
}
