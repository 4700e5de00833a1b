package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

const (
	// crowd is how many deliveries share a group, or wait for the next, where more
	// come than can be written one by one. In quiet times one or two do.
	crowd = 16
	// yieldFor is how long a claim of turns lets a crowd go first, at most: some
	// customers are answered all the same. yieldLook is how often it looks.
	yieldFor  = 200 * time.Millisecond
	yieldLook = 10 * time.Millisecond
)

// job is a delivery on its way to a lane.
type job struct {
	record.Work

	items []record.Item
	bytes int64
	// lane is the number of the one that writes it when much waits.
	lane int
}

// writer writes the deliveries of this process.
type writer struct {
	s    *Store
	pool *pgxpool.Pool // of a connection for each lane
	// ctx is the writer's own: a commit that has begun is never cut off by the
	// caller who happens to be first in its group.
	ctx   context.Context //nolint:containedctx // see above
	lanes [lanes]*lane

	maxWaiting      int
	maxWaitingBytes int64

	mu           sync.Mutex
	queue        []*job
	queued       int // how many items that is
	grouped      int // how many jobs are under way
	waiting      int
	waitingBytes int64
	closed       bool
}

func startWriter(ctx context.Context, s *Store, pool *pgxpool.Pool, o Options) *writer {
	w := &writer{
		s: s, pool: pool,
		ctx:             context.WithoutCancel(ctx),
		maxWaiting:      o.MaxWaiting,
		maxWaitingBytes: o.MaxWaitingBytes,
	}
	if w.maxWaiting <= 0 {
		w.maxWaiting = defaultMaxWaiting
	}
	if w.maxWaitingBytes <= 0 {
		w.maxWaitingBytes = defaultMaxWaitingBytes
	}
	for i := range w.lanes {
		w.lanes[i] = newLane(w, i)
	}
	for _, l := range w.lanes {
		go l.loop()
	}
	return w
}

// do queues j and waits until it is durable or refused.
func (w *writer) do(ctx context.Context, j *job) error {
	return j.Do(ctx, func() error { return w.enqueue(j) })
}

func (w *writer) enqueue(j *job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admitLocked(j.bytes); err != nil {
		return err
	}
	w.queue = append(w.queue, j)
	w.queued += len(j.items)
	for _, l := range w.lanes {
		if l.number == 0 || w.queued >= heavy {
			offer(l.wake)
		}
	}
	return nil
}

// admit counts bytes that wait for the database against the limits of the
// queue. The work that empties the store's queues is not counted, lest a flood
// stop it.
func (w *writer) admit(bytes int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.admitLocked(bytes)
}

func (w *writer) admitLocked(bytes int64) error {
	if w.closed {
		return fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	}
	// A single delivery above the bound still passes when it is alone.
	if w.waiting >= w.maxWaiting || w.waiting > 0 && w.waitingBytes+bytes > w.maxWaitingBytes {
		return store.ErrBusy
	}
	w.waiting++
	w.waitingBytes += bytes
	return nil
}

// discharge reverses admit.
func (w *writer) discharge(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	w.waitingBytes -= bytes
}

// crowded tells whether webhooks come faster than they can be written one by one.
func (w *writer) crowded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.grouped, len(w.queue)) >= crowd
}

// giveWay lets webhooks have the database while they crowd: Meta waits for its
// 200 and repeats what takes too long, while a customer who gets his answer a
// moment later notices nothing. All that follows from a claim comes as much later.
func (w *writer) giveWay(ctx context.Context) {
	for range int(yieldFor / yieldLook) {
		if !w.crowded() || !sleep(ctx, yieldLook) {
			return
		}
	}
}

// close lets the lanes finish the queue, and closes their connections.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	for _, l := range w.lanes {
		offer(l.wake)
		<-l.done
	}
	w.pool.Close()
}
