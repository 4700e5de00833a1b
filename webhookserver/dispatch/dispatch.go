package dispatch

import (
	"context"
	"sync"
	"time"
)

// Claim takes the next piece of work out of the store and returns the function that does it, or nil if there is none at
// present. An error stops nothing: claiming goes on after a poll.
type Claim func(ctx context.Context) (func(), error)

// Loop claims work and does it in goroutines. Use New.
type Loop struct {
	slots   int
	poll    time.Duration
	claim   Claim
	onError func(error)
	hint    chan struct{}
}

// New makes a Loop that does up to slots pieces of work at a time and looks for more at least every poll. onError is
// told of the errors of claim.
func New(slots int, poll time.Duration, claim Claim, onError func(error)) *Loop {
	return &Loop{slots: slots, poll: poll, claim: claim, onError: onError, hint: make(chan struct{}, 1)}
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
		do, err := l.next(ctx)
		if do != nil {
			work.Go(func() {
				defer func() { <-slots }()
				do()
			})
			continue
		}
		<-slots
		if err != nil && ctx.Err() == nil {
			l.onError(err)
		}
		if !l.wait(ctx, err == nil) {
			return
		}
	}
}

// next claims unless ctx is done: a select may choose a free slot although it is.
func (l *Loop) next(ctx context.Context) (func(), error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return l.claim(ctx)
}

// wait returns after a poll, or earlier on a hint if hints count, and reports whether to go on. After an error they do
// not: a store that is away would be asked as fast as hints come.
func (l *Loop) wait(ctx context.Context, hints bool) bool {
	hint := l.hint
	if !hints {
		hint = nil
	}
	timer := time.NewTimer(l.poll)
	defer timer.Stop()
	select {
	case <-hint:
		return true
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
