package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// set is a shop and the questions that it is asked.
type set struct {
	source    catalog.Source
	questions []questions
}

// questions are one file of them.
type questions struct {
	name string
	all  []question
}

// question is a line of the file.
type question struct {
	kind, language, text string
	// answers are the ids of products and the names of pages that are right; none means that there is no answer.
	answers []string
}

// frozen is the set of questions of which nothing but the totals is shown.
const frozen = "test"

var header = []string{"kind", "language", "question", "answers"}

// noAnswer stands in the column answers.
const noAnswer = "-"

func readSet(dir string) (*set, error) {
	s := &set{}
	for name, format := range map[string]catalog.Format{
		"catalog.csv": catalog.CSV, "catalog.tsv": catalog.TSV, "catalog.json": catalog.JSON, "catalog.xml": catalog.XML,
	} {
		feed, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			s.source.Feed, s.source.Format = feed, format
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "knowledge", "*"))
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(page), filepath.Ext(page))
		s.source.Documents = append(s.source.Documents, catalog.Document{Name: name, Text: string(text)})
	}
	files, err := filepath.Glob(filepath.Join(dir, "questions.*.tsv"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 || s.source.Feed == nil && len(pages) == 0 {
		return nil, fmt.Errorf("%s needs questions.NAME.tsv, and a catalog (catalog.csv, .tsv, .json or .xml) or pages (knowledge/*.md)", dir)
	}
	for _, file := range files {
		q, err := readQuestions(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		s.questions = append(s.questions, q)
		for i := range q.all {
			if l := q.all[i].language; !slices.Contains(s.source.Languages, l) {
				s.source.Languages = append(s.source.Languages, l)
			}
		}
	}
	return s, nil
}

func readQuestions(file string) (questions, error) {
	q := questions{name: strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "questions."), ".tsv")}
	data, err := os.ReadFile(file)
	if err != nil {
		return q, err
	}
	r := csv.NewReader(strings.NewReader(string(data)))
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		return q, err
	}
	if len(rows) < 2 || !slices.Equal(rows[0], header) {
		return q, fmt.Errorf("the first line must be %q, separated by tabs, and a question must follow", strings.Join(header, " "))
	}
	for _, row := range rows[1:] {
		one := question{kind: row[0], language: row[1], text: row[2]}
		if row[3] != noAnswer {
			one.answers = strings.Fields(row[3])
		}
		q.all = append(q.all, one)
	}
	return q, nil
}
