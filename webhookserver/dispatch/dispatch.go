package dispatch

import (
	"context"
	"sync"
	"time"
)

// gap lies between two looks for work that hints ask for: what comes meanwhile is claimed together, which costs the store
// less than one by one.
const gap = 5 * time.Millisecond

// Claim takes up to limit pieces of work out of the store and returns the functions that do them. Fewer mean that there are
// no more at present. An error stops nothing: what was claimed is done, and claiming goes on after a poll.
type Claim func(ctx context.Context, limit int) ([]func(), error)

// One makes a Claim of what claims one piece of work, nil if there is none; its Loop must not ask for more at a time.
func One(claim func(ctx context.Context) (func(), error)) Claim {
	return func(ctx context.Context, _ int) ([]func(), error) {
		do, err := claim(ctx)
		if do == nil {
			return nil, err
		}
		return []func(){do}, err
	}
}

// Loop claims work and does it in goroutines. Use New.
type Loop struct {
	slots   int
	batch   int
	poll    time.Duration
	claim   Claim
	onError func(error)
	hint    chan struct{}
}

// New makes a Loop that does up to slots pieces of work at a time, claims up to batch of them at once, and looks for more at
// least every poll. onError is told of the errors of claim.
func New(slots, batch int, poll time.Duration, claim Claim, onError func(error)) *Loop {
	return &Loop{slots: slots, batch: batch, poll: poll, claim: claim, onError: onError, hint: make(chan struct{}, 1)}
}

// Hint says that there may be work. It never blocks; losing one costs a poll at most.
func (l *Loop) Hint() {
	select {
	case l.hint <- struct{}{}:
	default:
	}
}

// Run claims until ctx is done, and returns when all work that was claimed is done. Work that should end early on a
// shutdown has to watch ctx itself.
func (l *Loop) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, l.slots)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		// Nothing is claimed that would have to wait for a worker.
		free := 1 + l.reserve(slots)
		looked := time.Now()
		claimed, err := l.next(ctx, free)
		for range free - len(claimed) {
			<-slots
		}
		for _, do := range claimed {
			work.Go(func() {
				defer func() { <-slots }()
				do()
			})
		}
		if err != nil && ctx.Err() == nil {
			l.onError(err)
		}
		if err == nil && len(claimed) == free {
			continue
		}
		if !l.wait(ctx, looked, err == nil) {
			return
		}
	}
}

// reserve takes further free slots, as many as a claim may use, and returns how many.
func (l *Loop) reserve(slots chan struct{}) (n int) {
	for n < l.batch-1 {
		select {
		case slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
	return n
}

// next claims unless ctx is done: a select may choose a free slot although it is.
func (l *Loop) next(ctx context.Context, limit int) ([]func(), error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return l.claim(ctx, limit)
}

// wait returns after a poll, or earlier on a hint if hints count, but not before gap is over, and reports whether to go on.
// After an error they do not: a store that is away would be asked as fast as hints come.
func (l *Loop) wait(ctx context.Context, looked time.Time, hints bool) bool {
	hint := l.hint
	if !hints {
		hint = nil
	}
	timer := time.NewTimer(l.poll)
	defer timer.Stop()
	select {
	case <-hint:
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
	rest := time.NewTimer(time.Until(looked.Add(gap)))
	defer rest.Stop()
	select {
	case <-rest.C:
		return true
	case <-ctx.Done():
		return false
	}
}
