package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// meantTwice are names that two departments share because they name two things, or a thing and how one is.
var meantTwice = wordSet("afilado anhänger café gastronomie impermeable laden light orologio reloj relógio tenda uhr zapatillas")

// TestWordFiles holds the files of words to their format, so that an editor finds a word where it belongs: lines by their first name, the
// other names and the uses by the alphabet, each once, and no name in two departments that doesn't mean two things.
func TestWordFiles(t *testing.T) {
	files, err := wordFiles.ReadDir("words")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := wordFiles.ReadFile("words/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		all[file.Name()] = string(text)
	}
	for _, fault := range wordFaults(all) {
		t.Error(fault)
	}
}

// TestWordFaults: each way to get a line wrong is told with its file and line.
func TestWordFaults(t *testing.T) {
	for reason, tc := range map[string]struct{ text, want string }{
		"right":                  {"cap beanie hat@en = cold* head\nring anillo / scarf = neck\n", ""},
		"capitals":               {"Cap beanie\n", "a.txt:1: must be in lower case"},
		"two lines in disorder":  {"ring anillo\ncap beanie\n", `a.txt:2: "cap" must stand before "ring"`},
		"names in disorder":      {"cap hat beanie\n", `a.txt:1: "beanie" must stand before "hat"`},
		"a name twice":           {"cap beanie beanie\n", `a.txt:1: "beanie" stands twice`},
		"the first name twice":   {"cap beanie cap\n", `a.txt:1: "cap" stands twice`},
		"uses in disorder":       {"cap beanie = head cold\n", `a.txt:1: "cold" must stand before "head"`},
		"a use that another has": {"cap beanie = cold* coldness\n", `a.txt:1: "cold*" has "coldness" already`},
		"a use that is short":    {"cap beanie = co*\n", `a.txt:1: "co*" stands for too many words`},
		"no uses":                {"cap beanie =\n", "a.txt:1: nothing stands after ="},
		"two sets of uses":       {"cap = cold = head\n", "a.txt:1: has more than one ="},
		"a name alone":           {"cap\n", `a.txt:1: "cap" has neither another name nor a use`},
		"an empty group":         {"cap beanie / = head\n", "a.txt:1: nothing stands beside /"},
		"no such language":       {"cap hat@xx\n", `a.txt:1: nobody speaks the language of "hat@xx"`},
		"punctuation":            {"cap hat,\n", `a.txt:1: "hat," is no word`},
		"an empty line":          {"cap beanie\n\nring anillo\n", "a.txt:2: is empty"},
	} {
		if got := strings.Join(wordFaults(map[string]string{"a.txt": tc.text}), "; "); got != tc.want {
			t.Errorf("%s: %q, want %q", reason, got, tc.want)
		}
	}
	got := wordFaults(map[string]string{"a.txt": "cap beanie\n", "b.txt": "beanie bonnet\n"})
	if len(got) != 1 || got[0] != `b.txt:1: "beanie" stands in a.txt:1 too` {
		t.Errorf("two departments: %q", got)
	}
}

// wordFaults is what is wrong in files of words, by their names.
func wordFaults(files map[string]string) []string {
	var faults []string
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	type place struct{ file, line string }
	known := map[string]place{}
	for _, file := range names {
		above := ""
		for i, line := range strings.Split(strings.TrimSuffix(files[file], "\n"), "\n") {
			at := fmt.Sprintf("%s:%d", file, i+1)
			fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }
			switch fields := strings.Fields(line); {
			case len(fields) == 0:
				fault("is empty")
				continue
			case fields[0] < above:
				fault("%q must stand before %q", fields[0], above)
			default:
				above = fields[0]
			}
			if line != strings.ToLower(line) {
				fault("must be in lower case")
			}
			parts := strings.Split(line, "=")
			if len(parts) > 2 {
				fault("has more than one =")
				continue
			}
			var uses []string
			if len(parts) == 2 {
				if uses = strings.Fields(parts[1]); len(uses) == 0 {
					fault("nothing stands after =")
					continue
				}
			}
			useFaults(uses, fault)
			for group := range strings.SplitSeq(parts[0], "/") {
				called := strings.Fields(group)
				nameFaults(called, len(uses) > 0, fault)
				for _, name := range called {
					if before, ok := known[name]; ok && before.file != file && !meantTwice[name] {
						fault("%q stands in %s too", name, before.line)
					}
					known[name] = place{file, at}
				}
			}
		}
	}
	return faults
}

func nameFaults(names []string, used bool, fault func(format string, args ...any)) {
	switch {
	case len(names) == 0:
		fault("nothing stands beside /")
		return
	case len(names) == 1 && !used:
		fault("%q has neither another name nor a use", names[0])
	}
	for i, name := range names {
		word, language, only := strings.Cut(name, "@")
		switch {
		case strings.ContainsAny(strings.ReplaceAll(word, "'", ""), punctuation+"*") || strings.Count(word, "-") >= maxPhrase:
			fault("%q is no word", name)
		case only && speeches[language] == nil:
			fault("nobody speaks the language of %q", name)
		}
		ordered(names[1:], name, i-1, names[0], fault)
	}
}

func useFaults(uses []string, fault func(format string, args ...any)) {
	for i, use := range uses {
		word, open := strings.CutSuffix(use, "*")
		if strings.ContainsAny(word, punctuation+"@*-") {
			fault("%q is no word", use)
		}
		if open && len(folded(word)) < minStart {
			fault("%q stands for too many words", use)
		}
		for _, other := range uses {
			if open && other != use && strings.HasPrefix(other, word) {
				fault("%q has %q already", use, other)
			}
		}
		ordered(uses, use, i, "", fault)
	}
}

// ordered faults a word of a list that stands before the one at i but should not, or that is the first one again.
func ordered(list []string, word string, i int, first string, fault func(format string, args ...any)) {
	switch {
	case i < 0:
	case word == first, i > 0 && word == list[i-1]:
		fault("%q stands twice", word)
	case i > 0 && word < list[i-1]:
		fault("%q must stand before %q", word, list[i-1])
	}
}
