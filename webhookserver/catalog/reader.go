package catalog

// This file makes words that weigh out of what a customer wrote. Words that belong together are read as one thing, and one that nobody
// wrote is taken apart, or for another that is spelt nearly so.

const (
	// maxQueryWords bounds the words of a question.
	maxQueryWords = 24
	// kindShare is what the last part of a compound weighs: a Kaffeetasse is a Tasse.
	kindShare = 0.75
)

// reader reads the questions of one shelf.
type reader struct {
	shelf *shelf
	// language is the question's, "" if it is unknown.
	language string
	// tongues are those of all shelves: a compound may be taken apart by words of either.
	tongues []*tongue
	// sells says of a word that it names something for sale.
	sells func(word string) bool
}

// read takes out what carries nothing, and looks up the rest.
func (r *reader) read(text string) question {
	q := question{goods: r.shelf.goods}
	kept := r.kept(text)
	r.narrow(kept)
	for i := 0; i < len(kept) && len(q.words) < maxQueryWords; i++ {
		if i+1 < len(kept) && r.pair(&q, kept, i) {
			i++
			continue
		}
		r.word(&q, kept[i], r.standing(kept, i), true)
	}
	return q
}

// pair adds a word and the next one, if they mean one thing together.
func (r *reader) pair(q *question, kept []said, i int) bool {
	first, second := kept[i], kept[i+1]
	both := first.word + " " + second.word
	nothing := make([][]match, len(r.shelf.tongues))
	if matches := r.together(first.word, second.word); best(matches) > 0 {
		// "french press" is one thing, and so is "tea pot", where the catalog has teapots.
		q.add(r.wanted(both, naming, matches, r.standing(kept, i+1)), first)
		return true
	}
	switch {
	case !r.shelf.goods:
		return false
	case r.thing(both):
		// Who wants a bike lock is helped neither by a bike nor by a lock.
		q.add(r.wanted(both, naming, nothing, 1), second)
		return true
	case r.matter(both):
		// Who wants to send back shoes wants none.
		q.add(r.wanted(first.word, naming, nothing, 1), said{})
		return true
	default:
		return false
	}
}

// word adds one, or the parts that it is made of if it is whole.
func (r *reader) word(q *question, s said, share float64, whole bool) {
	matches := r.meanings(s.word)
	sureness := best(matches)
	if s.manner != naming || r.shelf.goods && (r.matter(s.word) || sureness == 0 && r.thing(s.word)) {
		// A thing that isn't sold here is spelt well.
		q.add(r.wanted(s.word, s.manner, matches, share), s)
		return
	}
	if sureness >= within && r.foreign(matches) {
		r.addOwn(matches, s.word)
	}
	if sureness < within {
		r.unsure(q, s, matches, share, whole)
		return
	}
	q.add(r.wanted(s.word, naming, r.withForms(s.word, matches), share), s)
}

// unsure adds a word that the shop hardly has as it is: as the parts that it is made of, as what is spelt nearly so, as the one that was
// meant, or not at all.
func (r *reader) unsure(q *question, s said, matches [][]match, share float64, whole bool) {
	near := r.nearMisses(s.word)
	if best(near) < oneTypo && whole {
		if head, kind := r.parts(s.word); kind != "" && r.manner(kind) == naming {
			r.modifier(q, said{head, naming, s.at, s.aside, s.purpose}, share*(1-kindShare))
			r.word(q, said{kind, naming, s.at, s.aside, s.purpose}, share*kindShare, false)
			return
		}
	}
	if best(matches) == 0 {
		matches = near
	}
	if best(matches) == 0 && r.filling(s.word) {
		return
	}
	if best(matches) <= variant {
		if name := r.meant(s.word); name != "" {
			q.add(r.wanted(name, naming, weaker(r.meanings(name), oneTypo), share), s)
			return
		}
	}
	q.add(r.wanted(s.word, naming, r.withForms(s.word, matches), share), s)
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
