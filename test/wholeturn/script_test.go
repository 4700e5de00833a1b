package wholeturn

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// script is a model that does for each customer what stands by his name, step by step, the last one again and again.
type script struct {
	mu    sync.Mutex
	steps map[string][]step
	done  map[string]int
}

// step is what the model does when it is asked.
type step func(Request) Answer

// always is a step that does not look at the request.
func always(a Answer) step { return func(Request) Answer { return a } }

// steps are answers, in turn.
func steps(answers ...Answer) []step {
	var out []step
	for _, a := range answers {
		out = append(out, always(a))
	}
	return out
}

var named = regexp.MustCompile(`WhatsApp is \\"([^"\\]+)\\"`)

func (s *script) answer(req Request) Answer {
	m := named.FindStringSubmatch(req.Body)
	if m == nil {
		return Says("Who are you?")
	}
	s.mu.Lock()
	all, n := s.steps[m[1]], s.done[m[1]]
	s.done[m[1]]++
	s.mu.Unlock()
	if len(all) == 0 {
		return Says("Nobody told me what to do for " + m[1])
	}
	return all[min(n, len(all)-1)](req)
}

// by are the requests that were about a customer.
func by(m *Model, name string) (mine []Request) {
	for _, r := range m.Asked() {
		if found := named.FindStringSubmatch(r.Body); len(found) > 1 && found[1] == name {
			mine = append(mine, r)
		}
	}
	return mine
}

func scripted(t *testing.T, steps map[string][]step) *Model {
	t.Helper()
	s := &script{steps: steps, done: map[string]int{}}
	return NewModel(t, s.answer)
}

var customers struct {
	sync.Mutex
	n int
}

// customer is a new one with a name.
func (w *World) customer(tb testing.TB, name string) *Phone {
	tb.Helper()
	customers.Lock()
	defer customers.Unlock()
	customers.n++
	p := w.Phone(tb, fmt.Sprintf("1650557%04d", customers.n))
	p.Name = name
	return p
}

// told reports whether one of the requests has all the words.
func told(requests []Request, words ...string) bool {
	for i := range requests {
		if hasAll(requests[i].Body, words) {
			return true
		}
	}
	return false
}

func join(p *Phone) string { return strings.Join(p.Sent(), "\n") }
