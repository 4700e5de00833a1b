package catalog

import (
	"slices"
	"strings"
	"unicode"
)

// This file takes apart what a customer wrote: into sentences, and words that carry something, each with its part in the sentence.

// modifierShare is what a word weighs that says more about another one.
const modifierShare = 0.9

// said is a word of a question that is kept.
type said struct {
	word   string
	manner manner
	// at is its place among all words.
	at int
	// aside says that it stands after a word that names something and one like "for", purpose that it tells what a thing is for, be that
	// named or "something".
	aside, purpose bool
}

// course is how far a sentence has come: whether it has named something or left it open, and tells what that is for, or whose a thing is.
type course struct {
	named, open, aside, purpose, owned bool
	last                               string
}

// takes in the next word, folded, and says whether that is what the customer has already.
func (c *course) takes(word string) (had bool) {
	had, c.owned = c.owned, owners[word]
	c.aside = c.aside || c.named && asides[word]
	c.purpose = c.purpose || c.aside || (c.open || offers[c.last]) && purposes[word]
	c.open = c.open || unnamed[word]
	c.last = word
	return had
}

// kept are the words that carry something, each once.
func (r *reader) kept(text string) []said {
	var kept []said
	at := 0
	for _, sentence := range sentences(text) {
		var c course
		words := tokens(sentence)
		for i := 0; i < len(words); i++ {
			word := words[i]
			at++
			if short, n := vocabularyOf().phrases.of(words[i:]); n > 0 {
				if !slices.ContainsFunc(kept, func(s said) bool { return s.word == short }) {
					kept = append(kept, said{word: short, at: at})
				}
				at, i, c.named, c.owned = at+n-1, i+n-1, true, false
				continue
			}
			had := c.takes(folded(word))
			as := r.manner(word)
			if as == filler || slices.ContainsFunc(kept, func(s said) bool { return s.word == word }) {
				continue
			}
			kept = append(kept, said{word, as, at, c.aside || had, c.purpose})
			c.named = c.named || as == naming
		}
	}
	return kept
}

// narrow lets the names of departments say little beside a thing that is for sale, and beside a purpose that something here is for.
// Alone, or beside what nobody sells, they are what is asked for.
func (r *reader) narrow(kept []said) {
	sold, served := r.beside(kept)
	for i := range kept {
		switch {
		case department(kept[i]) && (sold || served):
			kept[i].manner = idle
		case served && r.serves(kept[i]):
			kept[i].aside = false // what is for that is all that is asked
		}
	}
}

// beside says whether a thing that is for sale is named beside the departments, or nothing but them and a purpose that something is for.
func (r *reader) beside(kept []said) (sold, served bool) {
	named, thing := false, false
	for _, s := range kept {
		switch {
		case s.aside:
			served = served || r.serves(s)
		case department(s):
			named = true
		case s.manner == naming:
			thing, sold = true, sold || r.sells(s.word)
		}
	}
	return sold, served && named && !thing
}

// department says whether a word names a whole one.
func department(s said) bool { return s.manner == naming && genera[folded(s.word)] }

// serves says whether something here is for what a word says, that is no thing for sale itself.
func (r *reader) serves(s said) bool {
	return r.shelf.goods && s.purpose && s.manner == naming && !r.sells(s.word) && best(r.meanings(s.word)) >= within
}

// sentences cuts a text at the ends of its sentences.
func sentences(text string) []string {
	var all []string
	start := 0
	for i, c := range text {
		if (c == '.' || c == '?' || c == '!') && (i+1 == len(text) || text[i+1] == ' ') || c == '\n' {
			all = append(all, text[start:i])
			start = i + 1
		}
	}
	return append(all, text[start:])
}

// tokens are the words of a text as they are written. Scripts without spaces are cut into pairs, as their analyzers do.
func tokens(text string) []string {
	var out []string
	isPart := func(c rune) bool {
		return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || c == '\'' || c == '’'
	}
	for word := range strings.FieldsFuncSeq(strings.ToLower(spaced(text)), func(c rune) bool { return !isPart(c) }) {
		word = strings.Trim(strings.ReplaceAll(word, "’", "'"), "'")
		runes := []rune(word)
		switch {
		case word == "":
		case len(runes) > 2 && slices.ContainsFunc(runes, ideographic):
			for i := range len(runes) - 1 {
				out = append(out, string(runes[i:i+2]))
			}
		default:
			out = append(out, word)
		}
	}
	return out
}

func ideographic(c rune) bool {
	return unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// asides are words after which a question tells what the thing is for, or when it is needed. What stands there is welcome in an
// answer, but no answer by itself.
var asides = foldedSet("for that which who when while if because so with without to after before since where but",
	"für fürs zum zur damit wenn weil mit ohne um gegen beim wo dass aber nachdem seit", "para que cuando si porque con sin por donde pero desde",
	"pour qui quand si parce avec sans", "per che quando se perché con senza", "para que quando se porque com sem")

// purposes are those of asides after which a question tells what even something is for that it doesn't name.
var purposes = foldedSet("for", "für fürs zum zur gegen", "para contra", "pour contre", "per contro", "para contra")

// unnamed are words for a thing of which a question says no more than what it is for: something, or what is good.
var unnamed = foldedSet("something anything sth smth thing things stuff good best great ideal perfect suitable suited meant made recommend suggest",
	"etwas irgendwas irgendetwas gut beste besten ideal perfekt geeignet eignet passt gedacht empfehlen empfehlt empfiehlst",
	"algo bueno buena buenos buenas mejor ideal perfecto apto adecuado sirve sirven recomiendan recomiendas recomendais recomendar",
	"quelque chose bon bonne idéal parfait adapté recommandez conseillez", "qualcosa buono buona ideale adatto adatta consigliate consiglia",
	"algo bom boa ideal adequado serve recomendam")

// offers are words that do the same right before one of purposes: "what do you have for bees".
var offers = foldedSet("have got", "tiene tienen tienes tenéis hay", "avez auriez", "avete", "tem têm")

// owners are words before what the customer has already.
var owners = foldedSet("my our his her their", "mein meine meinen meinem meiner unser unsere unseren unserem unserer", "mi mis nuestro nuestra nuestros nuestras",
	"mon ma mes notre nos", "mio mia miei mie", "meu minha meus minhas")

func foldedSet(lines ...string) map[string]bool {
	set := map[string]bool{}
	for word := range wordSet(lines...) {
		set[folded(word)] = true
	}
	return set
}

// standing is less for a word that says more about another one: in "bread knife" and in "cuchillo de pan".
func (r *reader) standing(kept []said, i int) float64 {
	if kept[i].manner != naming {
		return 1
	}
	if romance[r.language] {
		if i > 0 && kept[i-1].manner == naming && kept[i].at-kept[i-1].at <= 2 {
			return modifierShare
		}
	} else if i+1 < len(kept) && kept[i+1].manner == naming && kept[i+1].at == kept[i].at+1 {
		return modifierShare
	}
	return 1
}

// romance are the languages that name the thing first.
var romance = map[string]bool{"es": true, "fr": true, "it": true, "pt": true, "ro": true, "ca": true}
