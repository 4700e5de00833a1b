package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 60 * time.Second

// queue hands out work from a channel.
func queue(work chan func()) Claim {
	return One(func(context.Context) (func(), error) {
		select {
		case do := <-work:
			return do, nil
		default:
			return nil, nil
		}
	})
}

// start runs a loop until it is told to stop, or the test ends.
func start(t *testing.T, l *Loop) (stop func(), ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, done, "the end of the loop")
	})
	return cancel, done
}

func receive(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
}

func TestLoopBoundsItsWorkersAndUsesThemAll(t *testing.T) {
	const slots = 3
	work := make(chan func(), 100)
	var mu sync.Mutex
	running, most := 0, 0
	count := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		running += more
		most = max(most, running)
	}
	started, release, finished := make(chan struct{}, 100), make(chan struct{}), make(chan struct{}, 100)
	for range 10 {
		work <- func() {
			count(1)
			started <- struct{}{}
			<-release
			count(-1)
			finished <- struct{}{}
		}
	}
	start(t, New(slots, 1, time.Millisecond, queue(work), nil))
	for range slots {
		receive(t, started, "the start of a worker")
	}
	close(release)
	for range 10 {
		receive(t, finished, "the end of a piece of work")
	}
	mu.Lock()
	defer mu.Unlock()
	if most != slots {
		t.Errorf("%d at a time, want %d", most, slots)
	}
}

func TestLoopWakesUpOnAHint(t *testing.T) {
	work, done := make(chan func(), 1), make(chan struct{})
	asked := make(chan struct{}, 10)
	claim := queue(work)
	l := New(1, 1, time.Hour, func(ctx context.Context, limit int) ([]func(), error) {
		do, err := claim(ctx, limit)
		asked <- struct{}{}
		return do, err
	}, nil)
	start(t, l)
	receive(t, asked, "the first claim") // finds nothing; without a hint the next one is in an hour
	work <- func() { close(done) }
	l.Hint()
	receive(t, done, "the work after a hint")
}

func TestLoopFindsWorkWithoutHints(t *testing.T) {
	work, done := make(chan func(), 1), make(chan struct{})
	start(t, New(1, 1, time.Millisecond, queue(work), nil))
	work <- func() { close(done) }
	receive(t, done, "the work after a poll")
}

func TestLoopGoesOnAfterErrors(t *testing.T) {
	var claims, errs atomic.Int32
	done := make(chan struct{})
	start(t, New(1, 1, time.Millisecond, One(func(context.Context) (func(), error) {
		if claims.Add(1) < 3 {
			return nil, errors.New("the store is away")
		}
		if claims.Load() == 3 {
			return func() { close(done) }, nil
		}
		return nil, nil
	}), func(error) { errs.Add(1) }))
	receive(t, done, "the work after errors")
	if errs.Load() != 2 {
		t.Errorf("told of %d errors", errs.Load())
	}
}

func TestLoopWaitsForItsWork(t *testing.T) {
	work := make(chan func(), 2)
	started, release := make(chan struct{}), make(chan struct{})
	var ended, second atomic.Bool
	work <- func() {
		close(started)
		<-release
		ended.Store(true)
	}
	stop, stopped := start(t, New(1, 1, time.Millisecond, queue(work), nil))
	receive(t, started, "the start")
	work <- func() { second.Store(true) }
	stop()
	close(release)
	receive(t, stopped, "the end of the loop")
	if !ended.Load() || second.Load() {
		t.Errorf("the work under way ended: %t; new work was begun after the stop: %t", ended.Load(), second.Load())
	}
}

func TestLoopClaimsAsManyAsItHasWorkersFor(t *testing.T) {
	const slots, batch, all = 5, 3, 7
	limits := make(chan int, 100)
	started, release := make(chan struct{}, all), make(chan struct{})
	left := all
	start(t, New(slots, batch, time.Hour, func(_ context.Context, limit int) ([]func(), error) {
		limits <- limit
		claimed := make([]func(), min(limit, left))
		left -= len(claimed)
		for i := range claimed {
			claimed[i] = func() {
				started <- struct{}{}
				<-release
			}
		}
		return claimed, nil
	}, nil))
	for range slots {
		receive(t, started, "the start of a worker")
	}
	if first, second := <-limits, <-limits; first != batch || second != slots-batch {
		t.Errorf("asked for %d and then %d, want %d and %d", first, second, batch, slots-batch)
	}
	if len(limits) != 0 {
		t.Error("more was claimed while no worker was free")
	}
	close(release)
	for range all - slots {
		receive(t, started, "the rest, when workers are free again")
	}
}

func TestLoopDoesWhatWasClaimedBeforeAnError(t *testing.T) {
	done := make(chan struct{}, 100)
	told := make(chan struct{}, 100)
	start(t, New(2, 2, time.Hour, func(context.Context, int) ([]func(), error) {
		return []func(){func() { done <- struct{}{} }}, errors.New("the store went away")
	}, func(error) { told <- struct{}{} }))
	receive(t, done, "the work that was claimed")
	receive(t, told, "word of the error")
}
