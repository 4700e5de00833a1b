package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Bounds of one group. A larger one would make its first member wait for the
// last, and hold its locks, without making the commit much cheaper.
const (
	maxGroupJobs  = 512
	maxGroupBytes = 8 << 20
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

// job is a delivery on its way to the writer.
type job struct {
	record.Work

	items []record.Item
	bytes int64
}

// writer writes the deliveries of this process. More than one per process
// would be slower: their groups would be smaller, and wait for each other.
type writer struct {
	s    *Store
	pool *pgxpool.Pool // of one connection
	// ctx is the writer's own: a commit that has begun is never cut off by the
	// caller who happens to be first in its group.
	ctx  context.Context //nolint:containedctx // see above
	wake chan struct{}
	done chan struct{}

	maxWaiting      int
	maxWaitingBytes int64

	mu           sync.Mutex
	queue        []*job
	grouped      int // how many are under way
	waiting      int
	waitingBytes int64
	closed       bool

	// trafficAsked is when the table was last asked, per line, whether
	// traffic is known: a shortcut, good for a minute. It belongs to the
	// writing goroutine.
	trafficAsked map[string]int64
	// directory is of the customers who wrote lately. It belongs to the writing
	// goroutine.
	directory record.Directory
}

func startWriter(ctx context.Context, s *Store, pool *pgxpool.Pool, o Options) *writer {
	w := &writer{
		s: s, pool: pool,
		ctx:          context.WithoutCancel(ctx),
		wake:         make(chan struct{}, 1),
		done:         make(chan struct{}),
		maxWaiting:   o.MaxWaiting,
		trafficAsked: map[string]int64{},

		maxWaitingBytes: o.MaxWaitingBytes,
	}
	if w.maxWaiting <= 0 {
		w.maxWaiting = defaultMaxWaiting
	}
	if w.maxWaitingBytes <= 0 {
		w.maxWaitingBytes = defaultMaxWaitingBytes
	}
	go w.loop()
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
	select {
	case w.wake <- struct{}{}:
	default:
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

func (w *writer) loop() {
	defer close(w.done)
	for {
		group, closed := w.next()
		if len(group) > 0 {
			w.commit(group)
			for _, j := range group {
				w.discharge(j.bytes)
				j.End()
			}
			continue
		}
		if closed {
			return
		}
		<-w.wake
	}
}

// next takes what waits, up to the bounds of a group.
func (w *writer) next() (group []*job, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var bytes int64
	n := 0
	for n < len(w.queue) && n < maxGroupJobs && (n == 0 || bytes+w.queue[n].bytes <= maxGroupBytes) {
		bytes += w.queue[n].bytes
		n++
	}
	group = slices.Clone(w.queue[:n])
	rest := copy(w.queue, w.queue[n:])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	w.grouped = n
	return group, w.closed
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

// commit runs the group in one transaction and sets the outcome of each job.
func (w *writer) commit(group []*job) {
	var items []*record.Item
	for _, j := range group {
		if !j.Take() {
			continue
		}
		for i := range j.items {
			items = append(items, &j.items[i])
		}
	}
	if len(items) == 0 {
		return
	}
	record.Sort(items)
	// Nearly every group is sound, and spares the round trips of a savepoint.
	err := w.deliver(items, (*tx).apply)
	if errors.Is(err, store.ErrInvalid) {
		err = w.deliver(items, (*tx).bisect)
	}
	if err != nil {
		for _, j := range group {
			j.Err = err
		}
		return
	}
	w.s.hints.tell()
}

// deliver applies the items in one transaction.
func (w *writer) deliver(items []*record.Item, apply func(*tx, []*record.Item) error) error {
	return w.s.transact(w.ctx, w.pool, func(t *tx, q *pgx.Batch) {
		t.queueDelivery(q)
		t.loaded = newBatch(t)
		t.loaded.queueLoad(q, items)
	}, func(t *tx) error {
		kept, err := t.dropErased(items)
		if err != nil || len(kept) == 0 {
			return err
		}
		return apply(t, kept)
	})
}

// close lets the writer finish its queue, and closes its connection.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
	w.pool.Close()
}
