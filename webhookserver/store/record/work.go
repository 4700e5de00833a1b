package record

import (
	"context"
	"sync/atomic"
)

// The states of work. A caller that gives up takes it back only while it is
// queued: once it runs, only its end tells what became of it.
const (
	workQueued int32 = iota
	workRunning
	workAbandoned
)

// Work is what a caller waits for while another goroutine does it, together
// with that of others. Use it once.
type Work struct {
	state atomic.Int32
	done  chan struct{}
	// Err is what came of it. Whoever has taken the work sets it before the end.
	Err error
}

// Do hands the work over by queue, and waits until it has ended, or ctx is done
// before it was taken.
func (w *Work) Do(ctx context.Context, queue func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.done = make(chan struct{})
	if err := queue(); err != nil {
		return err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.state.CompareAndSwap(workQueued, workAbandoned) {
			return ctx.Err()
		}
		<-w.done
	}
	return w.Err
}

// Take tells whether the work is still wanted; from then on it is.
func (w *Work) Take() bool { return w.state.CompareAndSwap(workQueued, workRunning) }

// End lets the caller go on.
func (w *Work) End() { close(w.done) }
