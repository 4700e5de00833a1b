package catalog

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// kind is a concept that says what it is for: an index into concepts; on a shelf of knowledge, into matters.
type kind uint16

// concept is a line of words/*.txt: what shops and their customers call the same kind of thing, in all languages that the retrieval
// assistant speaks, and after "=" what it is for.
//
// Things that share their uses share a line, with "/" between. Two names with a hyphen stand side by side; "hose@de" is meant in a
// German question only. A use that ends in * stands for all words that begin so. The words are those of retail at large, by
// department: a shop adds its own to its feed.
//
// The lines of servicesFile are the matters of a shop beside selling. What stands after "=" there are words of who speaks of one
// without its name, and their names may be phrases.
type concept struct{ names, uses []string }

//go:embed words/*.txt
var wordFiles embed.FS

// servicesFile has the words for what a shop does beside selling, propertiesFile those for how a thing is.
const servicesFile, propertiesFile = "services.txt", "properties.txt"

// vocabulary is what the files say.
type vocabulary struct {
	concepts, matters []concept
	// properties are those of the concepts that say how a thing is.
	properties map[kind]bool
	// uses are what concepts are for, needs what those speak of who want a matter.
	uses, needs useIndex
	phrases     phrases
}

// useIndex finds the kinds that are for something: by the word, and by how words begin.
type useIndex struct{ words, starts map[string][]kind }

var vocabularyOf = sync.OnceValue(func() *vocabulary {
	v := &vocabulary{properties: map[kind]bool{}, uses: newUseIndex(), needs: newUseIndex(), phrases: phrases{}}
	files, err := fs.Glob(wordFiles, "words/*.txt")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, name := range files {
		text, err := wordFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is part of the program
		}
		for line := range strings.Lines(string(text)) {
			names, uses, _ := strings.Cut(line, "=")
			for group := range strings.SplitSeq(names, "/") {
				c := concept{strings.Fields(group), strings.Fields(uses)}
				if strings.HasSuffix(name, servicesFile) {
					v.needs.add(c.uses, kind(len(v.matters)))
					v.phrases.add(c.names)
					v.matters = append(v.matters, c)
					continue
				}
				v.uses.add(c.uses, kind(len(v.concepts)))
				v.properties[kind(len(v.concepts))] = strings.HasSuffix(name, propertiesFile)
				v.concepts = append(v.concepts, c)
			}
		}
	}
	return v
})

func newUseIndex() useIndex { return useIndex{words: map[string][]kind{}, starts: map[string][]kind{}} }

func (u *useIndex) add(uses []string, k kind) {
	for _, use := range uses {
		into := u.words
		use, open := strings.CutSuffix(use, "*")
		if open {
			into = u.starts
		}
		use = folded(use)
		into[use] = append(into[use], k)
	}
}

// minStart is the shortest beginning of a word that says a use, in bytes.
const minStart = 3

// of returns the kinds that are for what a folded word says; of a compound its end may say it.
func (u *useIndex) of(word string, compound bool) []kind {
	found := u.words[word]
	for n := minStart; n <= len(word); n++ {
		found = append(slices.Clip(found), u.starts[word[:n]]...)
	}
	if len(found) > 0 || !compound {
		return found
	}
	for i := minPart; i+minPart <= len(word); i++ {
		if found = u.of(word[i:], false); len(found) > 0 {
			return found
		}
	}
	return nil
}
