package postgres

import (
	"errors"
	"hash/fnv"

	"github.com/jackc/pgx/v5"

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
	// lanes is how many connections write deliveries when much waits. The database
	// works for each with one processor, and not while a lane prepares its next
	// group; beyond two they would mostly wait for each other.
	lanes = 2
	// heavy is how many items wait where one lane falls behind. Fewer are all
	// written by the first: two would make smaller groups of them, which cost more.
	heavy = 256
)

// lane writes deliveries on a connection of its own, group by group. What waits
// while a group is committed becomes the next one. When much waits each lane
// writes for the numbers of its own, so that they seldom wait for each other's
// locks; if they do, it is as if they were two replicas.
type lane struct {
	w      *writer
	number int
	wake   chan struct{}
	done   chan struct{}

	// What follows belongs to the lane's goroutine.

	// trafficAsked is when the table was last asked, per line, whether
	// traffic is known: a shortcut, good for a minute.
	trafficAsked map[string]int64
	// directory is of the customers who wrote lately.
	directory record.Directory
}

func newLane(w *writer, number int) *lane {
	return &lane{w: w, number: number, wake: make(chan struct{}, 1), done: make(chan struct{}), trafficAsked: map[string]int64{}}
}

// laneOf is that of a phone number.
func laneOf(number string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(number)) // never fails
	return int(h.Sum32() % lanes)
}

func (l *lane) loop() {
	defer close(l.done)
	for {
		group, closed := l.w.next(l)
		if len(group) > 0 {
			l.commit(group)
			l.w.release(group)
			continue
		}
		if closed {
			return
		}
		<-l.wake
	}
}

// next takes what waits for the lane, up to the bounds of a group. Nothing is
// left behind: of little the first lane takes all, of much each takes its part,
// and one that has begun goes on with its part until there is none.
func (w *writer) next(l *lane) (group []*job, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := l.number == 0 && w.queued < heavy
	var bytes int64
	rest := w.queue[:0]
	for i, j := range w.queue {
		if len(group) == maxGroupJobs || len(group) > 0 && bytes+j.bytes > maxGroupBytes {
			rest = append(rest, w.queue[i:]...)
			break
		}
		if !all && j.lane != l.number {
			rest = append(rest, j)
			continue
		}
		group, bytes = append(group, j), bytes+j.bytes
		w.queued -= len(j.items)
	}
	clear(w.queue[len(rest):])
	w.queue = rest
	w.grouped += len(group)
	return group, w.closed
}

// release lets the callers of a group go.
func (w *writer) release(group []*job) {
	w.mu.Lock()
	w.grouped -= len(group)
	w.mu.Unlock()
	for _, j := range group {
		w.discharge(j.bytes)
		j.End()
	}
}

// commit runs the group in one transaction and sets the outcome of each job.
func (l *lane) commit(group []*job) {
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
	err := l.deliver(items, (*tx).apply)
	if errors.Is(err, store.ErrInvalid) {
		err = l.deliver(items, (*tx).bisect)
	}
	if err != nil {
		for _, j := range group {
			j.Err = err
		}
		return
	}
	l.w.s.hints.tell()
}

// deliver applies the items in one transaction.
func (l *lane) deliver(items []*record.Item, apply func(*tx, []*record.Item) error) error {
	return l.w.s.transact(l.w.ctx, l.w.pool, func(t *tx, q *pgx.Batch) {
		t.lane = l
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
