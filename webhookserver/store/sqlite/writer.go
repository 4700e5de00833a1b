package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// Bounds of one group. A larger one would make its first member wait for the
// last without making the commit any cheaper.
const (
	maxGroupJobs  = 1024
	maxGroupBytes = 8 << 20
)

// job is a piece of work for the writer: either the items of a delivery or a
// function.
type job struct {
	record.Work

	items []record.Item
	// run does its work inside a savepoint: if it returns an error, nothing of
	// it remains, and the group goes on.
	run   func(*tx) error
	bytes int64
	// bounded jobs count against the limits of the queue. The work that
	// empties the store's queues is not bounded, lest a flood stop it.
	bounded bool
}

// writer owns the only connection that writes.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	sync  *syncer
	clock func() time.Time
	// queries are the compiled ones, by their text: all are constants, so there
	// are not many.
	queries    map[string]*sql.Stmt
	statements *statements
	// ctx is the writer's own: a commit that has begun is never cut off by the
	// caller who happens to be first in its group.
	ctx  context.Context //nolint:containedctx // see above
	wake chan struct{}
	done chan struct{}

	maxWaiting      int
	maxWaitingBytes int64

	mu           sync.Mutex
	queue        []*job
	waiting      int
	waitingBytes int64
	closed       bool

	// What follows belongs to the writing goroutine.

	// trafficHour is the hour last reported per line: a shortcut, the table
	// decides.
	trafficHour map[traffic]int64
	// waitingTests are the lines with test messages that wait for their tester.
	waitingTests map[string]bool
	// marker recognises what was erased; nil if nothing was lately.
	marker *record.Marker
	// directory is of the customers who wrote lately, and threads of their
	// conversations.
	directory record.Directory
	threads   threads
}

func startWriter(ctx context.Context, db *sql.DB, path string, clock func() time.Time, o Options) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlite store: %w", err)
	}
	w := &writer{
		db: db, conn: conn, clock: clock,
		ctx:          context.WithoutCancel(ctx),
		queries:      map[string]*sql.Stmt{},
		statements:   newStatements(conn),
		wake:         make(chan struct{}, 1),
		done:         make(chan struct{}),
		maxWaiting:   o.MaxWaiting,
		trafficHour:  map[traffic]int64{},
		waitingTests: map[string]bool{},
		threads:      threads{},

		maxWaitingBytes: o.MaxWaitingBytes,
	}
	if w.maxWaiting <= 0 {
		w.maxWaiting = defaultMaxWaiting
	}
	if w.maxWaitingBytes <= 0 {
		w.maxWaitingBytes = defaultMaxWaitingBytes
	}
	if err := errors.Join(w.threads.watch(conn), w.loadWaitingTests(), w.loadMarker()); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite store: %w", err), conn.Close())
	}
	if w.sync, err = startSyncer(path, w.release); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite store: %w", err), conn.Close())
	}
	go w.loop()
	return w, nil
}

// do queues j and waits until it is durable or refused.
func (w *writer) do(ctx context.Context, j *job) error {
	return j.Do(ctx, func() error { return w.enqueue(j) })
}

func (w *writer) enqueue(j *job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	}
	if j.bounded {
		// A single delivery above the bound still passes when it is alone.
		if w.waiting >= w.maxWaiting || w.waiting > 0 && w.waitingBytes+j.bytes > w.maxWaitingBytes {
			return store.ErrBusy
		}
		w.waiting++
		w.waitingBytes += j.bytes
	}
	w.queue = append(w.queue, j)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// write runs fn in the next group.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	return s.writer.do(ctx, &job{run: fn})
}

func (w *writer) loop() {
	defer close(w.done)
	for {
		group, closed := w.next()
		if len(group) > 0 {
			if w.commit(group) {
				w.sync.groups <- group
			} else {
				w.release(group)
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
	return group, w.closed
}

// release frees the places in the queue, which include the groups under way:
// their bytes are still held.
func (w *writer) release(group []*job) {
	w.mu.Lock()
	for _, j := range group {
		if j.bounded {
			w.waiting--
			w.waitingBytes -= j.bytes
		}
	}
	w.mu.Unlock()
	for _, j := range group {
		j.End()
	}
}

// commit runs the group in one transaction, sets the outcome of each job, and
// tells whether there is something to force to the disk.
func (w *writer) commit(group []*job) bool {
	live := group[:0:0]
	for _, j := range group {
		if j.Take() {
			live = append(live, j)
		}
	}
	if len(live) == 0 {
		return false
	}
	t := &tx{w: w, now: w.clock().UnixMilli()}
	err := t.exec0("BEGIN IMMEDIATE")
	if err == nil {
		err = t.runGroup(live)
		if err == nil {
			err = t.exec0("COMMIT")
		}
		if err != nil {
			// SQLite may have rolled back by itself; then this one fails, and
			// there is nothing to undo.
			_ = t.undo("ROLLBACK")
		}
	}
	if err != nil {
		err = unavailable(err)
		for _, j := range live {
			j.Err = err
		}
		return false
	}
	for _, fn := range t.afterCommit {
		fn()
	}
	return true
}

// close lets the writer finish its queue, and closes its connection.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
	errs := make([]error, 0, len(w.queries)+5)
	errs = append(errs, w.sync.close(), w.statements.close())
	for _, q := range w.queries {
		errs = append(errs, q.Close())
	}
	w.queries = nil
	return errors.Join(append(errs, w.threads.unwatch(w.conn), w.conn.Close(), w.db.Close())...)
}

// tx is the group's transaction.
type tx struct {
	w *writer
	// now is the store's clock for everything in the group.
	now         int64
	afterCommit []func()
}

// runGroup applies the deliveries, then the functions in the order in which
// they came. An error means that the database is at fault.
func (t *tx) runGroup(group []*job) error {
	if err := t.ingest(group); err != nil {
		return err
	}
	for _, j := range group {
		if j.run == nil {
			continue
		}
		err := t.savepoint(func() error { return j.run(t) })
		if err = classify(err); errors.Is(err, store.ErrUnavailable) {
			return err
		}
		j.Err = err
	}
	return nil
}

// restart undoes everything and begins anew.
func (t *tx) restart() error {
	t.afterCommit = t.afterCommit[:0]
	if err := t.undo("ROLLBACK"); err != nil {
		return err
	}
	return t.exec0("BEGIN IMMEDIATE")
}

// undo rolls back, and with it what is remembered of what may not be.
func (t *tx) undo(rollback string) error {
	clear(t.w.threads)
	return t.exec0(rollback)
}

// savepoint runs fn, and undoes all of it if it fails.
func (t *tx) savepoint(fn func() error) error {
	if err := t.exec0("SAVEPOINT s"); err != nil {
		return err
	}
	mark := len(t.afterCommit)
	err := fn()
	if err != nil {
		t.afterCommit = t.afterCommit[:mark]
		if rollback := t.undo("ROLLBACK TO s"); rollback != nil {
			// SQLite has given up the whole transaction, as it does when the
			// disk is full: what follows would run outside of any.
			return unavailable(err)
		}
	}
	if release := t.exec0("RELEASE s"); release != nil {
		return unavailable(release)
	}
	return err
}

// query returns a compiled query.
func (w *writer) query(query string) (*sql.Stmt, error) {
	if q := w.queries[query]; q != nil {
		return q, nil
	}
	q, err := w.conn.PrepareContext(w.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing a query: %w", err)
	}
	w.queries[query] = q
	return q, nil
}

func (t *tx) exec0(query string) error {
	_, err := t.exec(query)
	return err
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.w.statements.exec(t.w.ctx, query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert runs an INSERT and returns the row's id, or 0 if it was left out
// because of a conflict.
func (t *tx) insert(query string, args ...any) (int64, error) {
	res, err := t.w.statements.exec(t.w.ctx, query, args)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, err
	}
	return res.LastInsertId()
}

// row runs a query for one row and scans it. Errors: sql.ErrNoRows.
func (t *tx) row(query string, args []any, dest ...any) error {
	q, err := t.w.query(query)
	if err != nil {
		return err
	}
	return q.QueryRowContext(t.w.ctx, args...).Scan(dest...)
}

// found is row, with absence told apart from failure.
func (t *tx) found(query string, args []any, dest ...any) (bool, error) {
	err := t.row(query, args, dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each runs a query and calls scan for every row. scan must not use t.
func (t *tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	q, err := t.w.query(query)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(t.w.ctx, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

// drain scans all rows and closes them.
func drain(rows *sql.Rows, scan func(*sql.Rows) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
