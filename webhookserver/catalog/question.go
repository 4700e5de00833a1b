package catalog

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxQueryChars bounds what is searched for: a question, not a pasted document.
	maxQueryChars = 400
	// maxQueryWords bounds the words of it.
	maxQueryWords = 24
	// kindShare is what the last part of a compound weighs: a Kaffeetasse is a Tasse.
	kindShare = 0.75
	// elsewhere is what a word is worth that is found in another language than the question's.
	elsewhere = 0.9
	// modifierShare is what a word weighs that says more about another one.
	modifierShare = 0.9
	// asideFound and asideMissing are what a word weighs that tells what the thing is for.
	asideFound, asideMissing = 0.8, 0.35
	// unknownShare is what a word weighs that nothing in the shop has: most likely it is the thing that is asked for.
	unknownShare = 1.3
	// storyShare is the same in a question about what the shop does, around which people tell more.
	storyShare = 1
	// contextShare is what the name of something for sale weighs in a question about the shop, where a passage doesn't have it.
	contextShare = 0.25
)

// shares are what a word counts beside one that names something, where a document has it and where it doesn't.
var shares = [...]struct{ found, missing float64 }{
	naming: {1, 1}, tiny: {0.4, 0.2}, trait: {0.5, 0.3}, idle: {0.4, 0.06}, trade: {0.7, 0.15}, filler: {},
}

// wanted is a word of a question: what it may mean in each tongue, the surest first, and how much it weighs where a document
// has it and where it doesn't.
type wanted struct {
	word   string
	manner manner
	// names says that an answer without any such word is none.
	names          bool
	found, missing float64
	matches        [][]match
	// kinds are those of the shop that are for what the word says.
	kinds []kind
	// thing says that it is a name of something that shops sell.
	thing bool
	// named are the kinds of the shop that it names.
	named []kind
	// sold says that the shop has things of that name.
	sold bool
}

// question is what is asked, as a shelf reads it.
type question struct {
	// goods says that it is read as one about things for sale.
	goods bool
	words []wanted
	// names says that some word names something.
	names bool
}

// reader reads the questions of one shelf.
type reader struct {
	shelf *shelf
	// language is the question's, "" if it is unknown.
	language string
	// tongues are those of all shelves.
	tongues []*tongue
	// sells says of a word that it names something for sale.
	sells func(word string) bool
}

// said is a word of a question that is kept.
type said struct {
	word   string
	manner manner
	// at is its place among all words.
	at int
	// aside says that it stands after a word that names something and one like "for".
	aside bool
}

// read takes out what carries nothing, and looks up the rest.
func (r *reader) read(text string) question {
	q := question{goods: r.shelf.goods}
	kept := r.kept(text)
	for i := 0; i < len(kept) && len(q.words) < maxQueryWords; i++ {
		if i+1 < len(kept) {
			// "french press" is one thing, and so is "tea pot", where the catalog has teapots.
			if matches := r.together(kept[i].word, kept[i+1].word); best(matches) > 0 {
				q.add(r.wanted(kept[i].word+" "+kept[i+1].word, naming, matches, r.standing(kept, i+1)), kept[i].aside)
				i++
				continue
			}
			if r.shelf.goods && r.thing(kept[i].word+" "+kept[i+1].word) {
				// Who wants a bike lock is helped neither by a bike nor by a lock.
				q.add(r.wanted(kept[i].word+" "+kept[i+1].word, naming, make([][]match, len(r.shelf.tongues)), 1), kept[i+1].aside)
				i++
				continue
			}
			if r.shelf.goods && r.matter(kept[i].word+" "+kept[i+1].word) {
				// Who wants to send back shoes wants none.
				q.add(r.wanted(kept[i].word, naming, make([][]match, len(r.shelf.tongues)), 1), false)
				i++
				continue
			}
		}
		r.word(&q, kept[i], r.standing(kept, i), true)
	}
	return q
}

// kept are the words that carry something, each once.
func (r *reader) kept(text string) []said {
	var kept []said
	at := 0
	for _, sentence := range sentences(text) {
		named, aside, owned := false, false, false
		for _, word := range r.tokens(sentence) {
			at++
			had := owned
			owned = owners[folded(word)]
			aside = aside || named && asides[folded(word)]
			as := r.manner(word)
			if as == filler || slices.ContainsFunc(kept, func(s said) bool { return s.word == word }) {
				continue
			}
			kept = append(kept, said{word, as, at, aside || had})
			named = named || as == naming
		}
	}
	return kept
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

// asides are words after which a question tells what the thing is for, or when it is needed. What stands there is welcome in an
// answer, but no answer by itself.
var asides = foldedSet("for that which who when while if because so with without to after before since where but",
	"für fürs zum zur damit wenn weil mit ohne um gegen beim wo dass aber nachdem seit", "para que cuando si porque con sin por donde pero desde",
	"pour qui quand si parce avec sans", "per che quando se perché con senza", "para que quando se porque com sem")

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

// word adds one, or the parts that it is made of.
func (r *reader) word(q *question, s said, share float64, whole bool) {
	matches := r.meanings(s.word)
	sureness := best(matches)
	if s.manner != naming || r.shelf.goods && (r.matter(s.word) || sureness == 0 && r.thing(s.word)) {
		// A thing that isn't sold here is spelt well.
		q.add(r.wanted(s.word, s.manner, matches, share), s.aside)
		return
	}
	if sureness >= within && r.foreign(matches) {
		r.addOwn(matches, s.word)
	}
	if sureness < within {
		near := r.nearMisses(s.word)
		if best(near) < oneTypo && whole {
			if head, kind := r.parts(s.word); kind != "" {
				r.modifier(q, said{head, naming, s.at, s.aside}, share*(1-kindShare))
				r.word(q, said{kind, naming, s.at, s.aside}, share*kindShare, false)
				return
			}
		}
		if sureness == 0 {
			matches = near
		}
		if best(matches) == 0 && r.filling(s.word) {
			return
		}
	}
	q.add(r.wanted(s.word, naming, r.withForms(s.word, matches), share), s.aside)
}

// addOwn adds what a word of another language may be in the question's, misspelt.
func (r *reader) addOwn(matches [][]match, word string) {
	for i, near := range r.nearMisses(word) {
		if r.shelf.tongues[i].language == r.language {
			matches[i] = slices.DeleteFunc(near, func(m match) bool { return m.strength < oneTypo })
		}
	}
}

// foreign says whether a word has a meaning in other languages of the shop only.
func (r *reader) foreign(matches [][]match) bool {
	own := false
	for i, t := range r.shelf.tongues {
		if t.language == r.language {
			own = true
			if len(matches[i]) > 0 {
				return false
			}
		}
	}
	return own
}

// modifier adds the first part of a compound. It names nothing: of a Teesieb the tea says little.
func (r *reader) modifier(q *question, s said, share float64) {
	before, names := len(q.words), q.names
	r.word(q, s, share, false)
	if r.shelf.goods {
		q.names = names
		for i := before; i < len(q.words); i++ {
			q.words[i].names = false
		}
	}
}

// withForms adds to what an unknown word may mean what differs from it in the ending alone: that there is a synonym of the word
// doesn't tell that no other form of it is there.
func (r *reader) withForms(word string, matches [][]match) [][]match {
	if r.known(word) || r.matter(word) {
		return matches
	}
	for i, near := range r.nearMisses(word) {
		forms := slices.DeleteFunc(near, func(m match) bool { return m.strength < oneEnding*elsewhere })
		matches[i] = surest(append(matches[i], forms...))
	}
	return matches
}

func (q *question) add(w wanted, aside bool) {
	if w.thing && !aside {
		w.kinds = nil // who wants a laptop is not helped by a bag for one
		if !w.sold && w.word != "" {
			for _, matches := range w.matches {
				for i := range matches {
					matches[i].strength *= besideShare
				}
			}
		}
	}
	if aside && q.goods {
		w.found *= asideFound
		w.missing *= asideMissing
	}
	q.words = append(q.words, w)
	q.names = q.names || w.names
}

// wanted weighs a word: what nobody wrote tells as much as the rarest word.
func (r *reader) wanted(word string, as manner, matches [][]match, share float64) wanted {
	in, sureness := uint32(1), 0.0
	for i, t := range r.shelf.tongues {
		if len(matches[i]) > 0 && matches[i][0].strength > sureness {
			in, sureness = max(t.words.in[matches[i][0].id], 1), matches[i][0].strength
		}
	}
	weight := r.shelf.rarity(in) * share
	w := wanted{word: word, manner: as, found: weight * shares[as].found, missing: weight * shares[as].missing, matches: matches}
	w.names = as == naming || as == trade
	if r.shelf.goods {
		r.lookUp(&w, share < 1)
		if as == naming && sureness == 0 && len(w.kinds) == 0 {
			w.missing *= unknownShare
		}
		return w
	}
	w.sold = true
	switch {
	case as == trait, as == tiny:
		w.missing *= contextShare
	case as == naming && r.sells(word) && !r.matter(word):
		w.missing *= contextShare
		w.names = false
	case as == naming && sureness == 0:
		w.missing *= storyShare
	}
	return w
}

// lookUp finds the kinds that a word names, or that are for what it says. What tells more about another word needs none that is sold.
func (r *reader) lookUp(w *wanted, modifies bool) {
	w.thing = w.manner == naming && r.thing(w.word)
	w.named = r.namedKinds(w.word)
	w.sold = modifies || len(w.named) > 0
	if w.manner != filler && !r.matter(w.word) {
		uses := vocabularyOf().uses.of(folded(w.word), compounding[r.language])
		w.kinds = slices.DeleteFunc(slices.Clone(uses), func(k kind) bool { return len(r.shelf.ofKind[k]) == 0 })
	}
}

// manner is what a word does here. One that is idle in a language nobody is known to speak may name something in another.
func (r *reader) manner(word string) manner {
	plain := folded(word)
	as := mannerOf(plain, r.language)
	switch {
	case as == trade && r.shelf.goods:
		// "tienda" is a shop and a tent.
		if r.some(func(t *tongue) bool {
			return (t.language == r.language || r.language == "") && t.words.inTitle(t.term(word))
		}) {
			return trait
		}
		return filler
	case as == idle || as == trade:
		if r.some(func(t *tongue) bool { return t.language == r.language && t.matters(t.term(word)) }) {
			return naming
		}
	}
	if as > tiny && r.language == "" && r.shelf.goods &&
		r.some(func(t *tongue) bool { return mannerOf(plain, t.language) == naming && t.words.has(t.term(word)) }) {
		return naming
	}
	return as
}

// some says whether something is true of a tongue.
func (r *reader) some(is func(*tongue) bool) bool { return slices.ContainsFunc(r.shelf.tongues, is) }

// meanings are what a word may mean in each tongue, apart from typos.
func (r *reader) meanings(word string) [][]match {
	return r.each(func(t *tongue) []match { return t.meanings(t.term(word), r.language) })
}

// matter says whether a word is for what a shop does beside selling.
func (r *reader) matter(word string) bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.matters(strings.Join(t.terms(word), " ")) })
}

// namedKinds are the kinds of the shop that a word, or two, names.
func (r *reader) namedKinds(word string) []kind {
	var all []kind
	for _, t := range r.shelf.tongues {
		if t.language == r.language || !r.own() {
			all = append(all, slices.DeleteFunc(t.kinds(t.terms(word)), func(k kind) bool { return len(r.shelf.ofKind[k]) == 0 })...)
		}
	}
	return all
}

// thing says whether a word, or two, is a name of something that shops sell, this one or others.
func (r *reader) thing(word string) bool {
	return r.some(func(t *tongue) bool {
		terms := t.terms(word)
		return len(terms) == len(strings.Fields(word)) && t.thing(strings.Join(terms, " "))
	})
}

// filling says whether a word that nothing in the shop has is a filler with a typo, or of another language, as "is" in a German question.
func (r *reader) filling(word string) bool {
	return r.misspeltFiller(word) || mannerOf(folded(word), "") == filler
}

// misspeltFiller says whether a word that nothing in the shop has is a filler with a typo.
func (r *reader) misspeltFiller(word string) bool {
	query := []rune(folded(word))
	if len(query) < longWord {
		return false
	}
	for other, as := range speeches[r.language] {
		if as == filler && edits(query, []rune(other), 1) <= 1 {
			return true
		}
	}
	return false
}

// known says whether a word is there as it is.
func (r *reader) known(word string) bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.words.has(t.term(word)) })
}

// nearMisses are what a word may mean that was misspelt.
func (r *reader) nearMisses(word string) [][]match {
	letters := utf8.RuneCountInString(word)
	plain := folded(word)
	own := r.own()
	return r.each(func(t *tongue) []match {
		if own && t.language != r.language && letters < longWord {
			return nil // almost every short word is one letter from another in some language
		}
		term := t.term(word)
		near := append(t.words.nearMisses(term, letters), t.words.respelt(plain)...)
		if term != plain {
			for i := range near {
				near[i].strength = min(near[i].strength, oneTypo) // the last letter of an analyzed form is no ending
			}
			// What the analyzer cuts off a misspelt word may have been no ending.
			near = append(near, t.words.nearMisses(plain, letters)...)
		}
		near = surest(near)
		if t.compounds && len(near) == 0 {
			t.words.misspeltEnd(plain, func(id uint32, strength float64) { near = append(near, match{id, id, strength}) })
			near = surest(near)
		}
		return near
	})
}

// together are what two words mean that stand side by side.
func (r *reader) together(a, b string) [][]match {
	return r.each(func(t *tongue) []match {
		x, y := t.term(a), t.term(b)
		if x == "" || y == "" {
			return nil
		}
		if others := t.synonyms(x+" "+y, r.language); others != nil {
			return t.words.meanings(x+" "+y, others, t.compounds)
		}
		joined := t.term(a + b)
		switch {
		case t.words.has(x):
			return nil
		case t.words.has(joined):
			return t.words.meanings(joined, nil, false)
		case !t.words.has(y) && !t.knows(x) && !t.knows(y):
			near := surest(append(t.words.nearMisses(folded(a+b), utf8.RuneCountInString(a+b)), t.words.respelt(folded(a+b))...))
			return slices.DeleteFunc(near, func(m match) bool { return m.strength < oneTypo })
		default:
			return nil
		}
	})
}

// parts splits a word that nobody wrote into two that somebody did.
func (r *reader) parts(word string) (head, kind string) {
	for _, t := range r.tongues {
		if head, kind = t.parts(folded(word)); kind != "" {
			return head, kind
		}
	}
	return "", ""
}

// each asks all tongues; what those say that are not the question's is worth less.
func (r *reader) each(ask func(*tongue) []match) [][]match {
	all := make([][]match, len(r.shelf.tongues))
	own := r.own()
	for i, t := range r.shelf.tongues {
		all[i] = ask(t)
		if own && t.language != r.language {
			for j := range all[i] {
				all[i][j].strength *= elsewhere
			}
		}
	}
	return all
}

// own says whether the shop speaks the question's language.
func (r *reader) own() bool {
	return slices.ContainsFunc(r.shelf.tongues, func(t *tongue) bool { return t.language == r.language })
}

// best is how sure the surest meaning is.
func best(matches [][]match) float64 {
	most := 0.0
	for _, m := range matches {
		if len(m) > 0 {
			most = max(most, m[0].strength)
		}
	}
	return most
}

// tokens are the words of a text as they are written. Scripts without spaces are cut into pairs, as their analyzers do.
func (r *reader) tokens(text string) []string {
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
