package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	// maxJoint bounds how many jobs share a transaction: its locks, for which
	// webhooks wait, too, are held until all of them are done.
	maxJoint = 8
	// maxRuns is how many transactions of one kind are under way at a time.
	maxRuns = 3
	// gatherTurns and gatherSends are how long jobs wait for others. For the end
	// of a turn a customer waits, for that of a send only the next message to him.
	gatherTurns = 5 * time.Millisecond
	gatherSends = 20 * time.Millisecond
)

// joint gives jobs of one kind transactions together: those that come while as
// many as may be are under way share the next. A commit waits for the disk, and
// its round trips cost more than what most jobs write.
type joint[J any] struct {
	// key tells what a job is about. A transaction has one job about the same.
	key func(J) string
	// run does jobs in one transaction, all or nothing.
	run func(ctx context.Context, jobs []J) error

	// runs is how many transactions may be under way at a time.
	runs int
	// gather waits for others to come before a transaction begins; nil if it
	// begins at once.
	gather func(context.Context)

	mu      sync.Mutex
	waiting []*jointJob[J]
	running int
	// gathering is whether one of those that are running has yet to take jobs.
	gathering bool
}

// gathering waits for jobs as long as that.
func gathering(d time.Duration) func(context.Context) {
	return func(ctx context.Context) { sleep(ctx, d) }
}

type jointJob[J any] struct {
	record.Work

	job J
}

// do runs a job, and returns when it is durable or has failed.
func (g *joint[J]) do(ctx context.Context, job J) error {
	j := &jointJob[J]{job: job}
	return j.Do(ctx, func() error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting = append(g.waiting, j)
		// Once it has begun, a caller who gives up does not stop it.
		g.startLocked(context.WithoutCancel(ctx))
		return nil
	})
}

// startLocked lets somebody take what waits, unless somebody is about to, or as
// many as may be are running.
func (g *joint[J]) startLocked(ctx context.Context) {
	if g.gathering || g.running == g.runs {
		return
	}
	g.running++
	g.gathering = true
	go g.loop(ctx)
}

// loop runs until nothing waits that nobody else is about to take.
func (g *joint[J]) loop(ctx context.Context) {
	for again := true; again; again = g.again() {
		if g.gather != nil && !g.full() {
			g.gather(ctx)
		}
		group := g.next(ctx)
		g.together(ctx, group)
		for _, j := range group {
			j.End()
		}
	}
}

// full tells whether it is of no use to wait for more jobs.
func (g *joint[J]) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting) >= maxJoint
}

// again tells whether to go on taking jobs.
func (g *joint[J]) again() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gathering || len(g.waiting) == 0 {
		g.running--
		return false
	}
	g.gathering = true
	return true
}

// next takes what waits, in its order, but for a second job about the same.
func (g *joint[J]) next(ctx context.Context) (group []*jointJob[J]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gathering = false
	taken := map[string]bool{}
	rest := g.waiting[:0:0]
	for _, j := range g.waiting {
		switch key := g.key(j.job); {
		case len(group) == maxJoint || taken[key]:
			rest = append(rest, j)
		case j.Take():
			taken[key] = true
			group = append(group, j)
		}
	}
	g.waiting = rest
	if len(group) == maxJoint && len(rest) > 0 {
		g.startLocked(ctx)
	}
	return group
}

// together runs the group, and its members alone if that fails: whose fault it
// is shows then, and nobody else suffers. A database that is away fails all.
func (g *joint[J]) together(ctx context.Context, group []*jointJob[J]) {
	if len(group) == 0 {
		return // all of them have given up
	}
	jobs := make([]J, len(group))
	for i, j := range group {
		jobs[i] = j.job
	}
	err := g.run(ctx, jobs)
	for _, j := range group {
		if j.Err = err; err != nil && len(group) > 1 && !errors.Is(err, store.ErrUnavailable) {
			j.Err = g.run(ctx, []J{j.job})
		}
	}
}
