package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The floor of the frozen set, below what is reached: docs/development.md says that, and what is aimed at.
const (
	leastAtOne, leastAtThree = 90, 92
	mostWrong                = 8
)

func TestSearchIsGoodEnough(t *testing.T) {
	set, err := readSet("shop")
	if err != nil {
		t.Fatal(err)
	}
	results, err := set.ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	judged := false
	for _, r := range results {
		if n := r.answerable + r.unanswerable; n < 150 || r.unanswerable < 20 {
			t.Errorf("%s has %d questions, %d of them without an answer", r.name, n, r.unanswerable)
		}
		if r.name != frozen {
			continue
		}
		judged = true
		if r.hitAtOne() < leastAtOne || r.hitAtThree() < leastAtThree || r.wrongShare() > mostWrong {
			t.Errorf("below %d %% first, %d %% among three, or above %d %% wrong:\n%s", leastAtOne, leastAtThree, mostWrong, r)
		}
	}
	if !judged {
		t.Errorf("there is no questions.%s.tsv", frozen)
	}
}

// TestOwnSet reads a set as the documentation describes it, and counts what is right and what is not.
func TestOwnSet(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readSet(dir); err == nil || !strings.Contains(err.Error(), "questions.NAME.tsv") {
		t.Errorf("an empty directory: %v", err)
	}
	write("catalog.json", `[{"id": "1", "title": "Boston Fern"}, {"id": "2", "title": "Areca Palm"}]`)
	write("knowledge/hours.md", "# Opening hours\n\nMonday to Friday.\n")
	write("questions.own.tsv", "a\tb\n")
	if _, err := readSet(dir); err == nil || !strings.Contains(err.Error(), "kind language question answers") {
		t.Errorf("a wrong header: %v", err)
	}
	write("questions.own.tsv", "kind\tlanguage\tquestion\tanswers\n"+
		"plain\ten\tboston fern\t1\nplain\ten\tareca palm\t1\nplain\ten\topening hours\thours\nnone\ten\tmotorcycle\t-\nnone\ten\tboston fern\t-\n")
	set, err := readSet(dir)
	if err != nil {
		t.Fatal(err)
	}
	results, err := set.ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	if r.answerable != 3 || r.first != 2 || r.three != 2 || r.unanswerable != 2 || r.wrong != 1 || len(r.misses) != 2 {
		t.Errorf("counted %+v", r)
	}
	if len(r.kinds) != 2 || r.kinds[0].summary() != "plain          first 2, among three 2 of 3" || r.kinds[1].summary() != "none           1 of 2 answered" {
		t.Errorf("by kind: %+v", r.kinds)
	}
}
