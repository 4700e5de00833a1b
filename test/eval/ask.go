package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// among is how many answers count for the second figure.
const among = 3

// result is what a set of questions gave.
type result struct {
	name string
	// answerable questions, of which first had the right answer first and three among the first three.
	answerable, first, three int
	// unanswerable questions, of which wrong were answered.
	unanswerable, wrong int
	misses              []string
	// kinds are the results by kind of question, in the order in which the kinds first come.
	kinds []*result
}

// of is the result of one kind of question.
func (r *result) of(kind string) *result {
	for _, k := range r.kinds {
		if k.name == kind {
			return k
		}
	}
	r.kinds = append(r.kinds, &result{name: kind})
	return r.kinds[len(r.kinds)-1]
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

func (r result) hitAtOne() float64   { return share(r.first, r.answerable) }
func (r result) hitAtThree() float64 { return share(r.three, r.answerable) }
func (r result) wrongShare() float64 { return share(r.wrong, r.unanswerable) }

func (r result) String() string {
	return fmt.Sprintf("%-14s hit@1 %5.1f %% (%d of %d)   hit@%d %5.1f %% (%d of %d)   wrong answers to unanswerable questions %5.1f %% (%d of %d)",
		r.name, r.hitAtOne(), r.first, r.answerable, among, r.hitAtThree(), r.three, r.answerable, r.wrongShare(), r.wrong, r.unanswerable)
}

// ask puts all questions to one index.
func (s *set) ask(ctx context.Context) (results []result, err error) {
	index, err := catalog.Build(ctx, s.source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	if _, count, err := index.FeedReport(); err != nil || count > 0 {
		return nil, fmt.Errorf("the catalog has %d rows that can't be used (%w)", count, err)
	}
	for _, q := range s.questions {
		r := result{name: q.name}
		for i := range q.all {
			found, err := index.Find(ctx, q.all[i].text, among)
			if err != nil {
				return nil, err
			}
			r.count(&q.all[i], names(found))
			r.of(q.all[i].kind).count(&q.all[i], names(found))
		}
		results = append(results, r)
	}
	return results, nil
}

// names are the ids of products and the names of pages, each once.
func names(found []catalog.Finding) []string {
	var all []string
	for _, f := range found {
		var name string
		if f.Product != nil {
			name = f.Product.ID
		} else {
			name = f.Passage.Document
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func (r *result) count(q *question, got []string) {
	right := func(name string) bool { return slices.Contains(q.answers, name) }
	miss := true
	if len(q.answers) == 0 {
		r.unanswerable++
		if len(got) > 0 {
			r.wrong++
		} else {
			miss = false
		}
	} else {
		r.answerable++
		if slices.ContainsFunc(got, right) {
			r.three++
		}
		if len(got) > 0 && right(got[0]) {
			r.first++
			miss = false
		}
	}
	if miss {
		r.misses = append(r.misses, fmt.Sprintf("%s %s %q: want %s, got %s", q.kind, q.language, q.text, strings.Join(q.answers, " "), strings.Join(got, " ")))
	}
}

// summary is a kind's line, without what it has no questions for.
func (r *result) summary() string {
	if r.answerable == 0 {
		return fmt.Sprintf("%-14s %d of %d answered", r.name, r.wrong, r.unanswerable)
	}
	return fmt.Sprintf("%-14s first %d, among three %d of %d", r.name, r.first, r.three, r.answerable)
}
