package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	// maxJoint bounds how many jobs share a transaction: its locks, for which
	// webhooks wait, too, are held until all of them are done.
	maxJoint = 8
	// maxRuns is how many transactions of one kind are under way at a time.
	maxRuns = 3
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

	mu      sync.Mutex
	waiting []*jointJob[J]
	running int
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
		if g.running < g.runs {
			g.running++
			// Once it has begun, a caller who gives up does not stop it.
			go g.loop(context.WithoutCancel(ctx))
		}
		return nil
	})
}

// loop runs until nothing waits.
func (g *joint[J]) loop(ctx context.Context) {
	for group := g.next(); len(group) > 0; group = g.next() {
		g.together(ctx, group)
		for _, j := range group {
			j.End()
		}
	}
}

// next takes what waits, in its order, but for a second job about the same.
func (g *joint[J]) next() (group []*jointJob[J]) {
	g.mu.Lock()
	defer g.mu.Unlock()
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
	if len(group) == 0 {
		g.running--
	}
	return group
}

// together runs the group, and its members alone if that fails: whose fault it
// is shows then, and nobody else suffers. A database that is away fails all.
func (g *joint[J]) together(ctx context.Context, group []*jointJob[J]) {
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
