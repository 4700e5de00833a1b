package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// jointly starts a joint that is held up in its first run, lets jobs gather, and
// returns what ran together and what each of the jobs came to.
func jointly(t *testing.T, fails func(jobs []string) error, jobs ...string) (runs [][]string, errs []error) {
	t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	g := &joint[string]{runs: 1, key: func(job string) string { return job[:1] }, run: func(_ context.Context, jobs []string) error {
		runs = append(runs, slices.Clone(jobs)) // one run at a time
		if len(runs) == 1 {
			close(begun)
			<-release
		}
		return fails(jobs)
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.do(t.Context(), "first"); err != nil {
			t.Error(err)
		}
	})
	<-begun
	errs = make([]error, len(jobs))
	for i, job := range jobs {
		wg.Go(func() { errs[i] = g.do(t.Context(), job) })
		for gathered := 0; gathered <= i; {
			g.mu.Lock()
			gathered = len(g.waiting)
			g.mu.Unlock()
			<-time.After(time.Millisecond)
		}
	}
	close(release)
	wg.Wait()
	return runs, errs
}

func TestJointSharesRuns(t *testing.T) {
	runs, errs := jointly(t, func([]string) error { return nil }, "a1", "b1", "a2", "c1")
	if got, want := fmt.Sprint(runs), "[[first] [a1 b1 c1] [a2]]"; got != want {
		t.Errorf("ran %s, want %s: what waits runs together, but for two jobs about the same", got, want)
	}
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestJointGathersWhoComesMeanwhile(t *testing.T) {
	gathered := make(chan struct{})
	ran := make(chan []string, 3)
	g := &joint[string]{
		runs: 3, key: func(job string) string { return job },
		gather: func(context.Context) { <-gathered },
		run: func(_ context.Context, jobs []string) error {
			ran <- slices.Sorted(slices.Values(jobs))
			return nil
		},
	}
	var wg sync.WaitGroup
	for _, job := range []string{"a", "b", "c"} {
		wg.Go(func() {
			if err := g.do(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < 3 && len(ran) == 0; {
		<-time.After(time.Millisecond)
		g.mu.Lock()
		waiting = len(g.waiting)
		g.mu.Unlock()
	}
	close(gathered)
	wg.Wait()
	close(ran)
	var runs [][]string
	for jobs := range ran {
		runs = append(runs, jobs)
	}
	if got, want := fmt.Sprint(runs), "[[a b c]]"; got != want {
		t.Errorf("ran %s, want %s: one transaction for all who came while it waited", got, want)
	}
}

func TestJointFailsOnlyWhoFails(t *testing.T) {
	runs, errs := jointly(t, func(jobs []string) error {
		if slices.Contains(jobs, "b1") {
			return store.ErrLeaseLost
		}
		return nil
	}, "a1", "b1", "c1")
	if got, want := fmt.Sprint(runs), "[[first] [a1 b1 c1] [a1] [b1] [c1]]"; got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
	if errs[0] != nil || !errors.Is(errs[1], store.ErrLeaseLost) || errs[2] != nil {
		t.Errorf("got %v, want an error for the second only", errs)
	}
}

func TestJointAsksAnAbsentDatabaseOnce(t *testing.T) {
	runs, errs := jointly(t, func(jobs []string) error {
		if len(jobs) > 1 {
			return fmt.Errorf("%w: gone", store.ErrUnavailable)
		}
		return nil
	}, "a1", "b1")
	if len(runs) != 2 || !errors.Is(errs[0], store.ErrUnavailable) || !errors.Is(errs[1], store.ErrUnavailable) {
		t.Errorf("ran %v with %v, want one run that fails both", runs, errs)
	}
}

func TestJointLeavesOutWhoGaveUp(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	ran := 0
	g := &joint[string]{runs: 1, key: func(job string) string { return job }, run: func(context.Context, []string) error {
		ran++
		if ran == 1 {
			close(begun)
			<-release
		}
		return nil
	}}
	first := make(chan error, 1)
	go func() { first <- g.do(t.Context(), "first") }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() { cancelled <- g.do(ctx, "second") }()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := g.do(t.Context(), "third"); err != nil {
		t.Error(err)
	}
	if ran != 2 {
		t.Errorf("%d runs, want 2: nobody waits for the one who gave up", ran)
	}
}
