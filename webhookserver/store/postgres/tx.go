package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// transactionTimeout bounds a transaction with all its attempts: Meta waits
	// longer, and a server that has not answered by then is away.
	transactionTimeout = 10 * time.Second
	// maxAttempts is how often a transaction is tried that lost a race.
	maxAttempts = 6
	// maxPause is the longest wait before the second attempt; it doubles with
	// each further one. Without jitter two replicas would meet again.
	maxPause = 10 * time.Millisecond
)

// tx is a transaction under way.
type tx struct {
	s *Store
	// ctx is the transaction's own; see transact.
	ctx  context.Context //nolint:containedctx // a transaction lives shorter than its context
	conn *pgx.Conn
	// now is the store's clock for everything in the transaction.
	now int64
	// lane is whose transaction this is, nil if it writes no delivery.
	lane *lane
	// erasureKey is that of the marks of what was erased, nil if there are none.
	// Only the transactions of lanes ask for it.
	erasureKey []byte
	// loaded is what the opening has read for the first attempt to apply items.
	loaded *batch
	// tail are statements whose success the server alone decides. They go to it
	// with the next ones, which spares a round trip: usually with the commit.
	tail *pgx.Batch
	// then follows before the commit, when the tail has run.
	then []func() error
	// traffic and reports are written last; see commit.
	traffic     []traffic
	reports     []store.Report
	afterCommit []func()
}

// write runs fn in a transaction. fn may run several times.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.transact(ctx, s.pool, (*tx).queueClock, fn)
}

// transact runs fn in a transaction on a connection of the pool, again if it
// lost a race. opening queues what is asked in the same round trip as the
// transaction begins. Once it has begun, a caller who gives up does not stop it:
// a cancelled statement would close the connection, and leave open what became
// of the commit.
func (s *Store) transact(ctx context.Context, pool *pgxpool.Pool, opening func(*tx, *pgx.Batch), fn func(*tx) error) error {
	if s.closed.Load() {
		return fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	}
	waiting, cancelWaiting := context.WithTimeout(ctx, transactionTimeout)
	defer cancelWaiting()
	working, cancelWorking := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancelWorking()
	var err error
	for attempt := range maxAttempts {
		var conn *pgxpool.Conn
		if conn, err = pool.Acquire(waiting); err == nil {
			err = s.attempt(working, conn, opening, fn)
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		// A connection that broke while it was idle is told apart from a server
		// that is away by trying another one: nothing had been sent.
		if !isRace(err) && (attempt > 0 || err == nil || !pgconn.SafeToRetry(err)) {
			break
		}
		if !pause(working, attempt) {
			break
		}
	}
	if sqlState(err) == stateReadOnly {
		// After a failover the connections lead to what is now a standby.
		for _, pool := range []*pgxpool.Pool{s.pool, s.work, s.writer.pool} {
			pool.Reset()
		}
	}
	return classify(err)
}

func pause(ctx context.Context, attempt int) bool {
	return sleep(ctx, rand.N(maxPause<<attempt)) //nolint:gosec // jitter is no secret
}

func (s *Store) attempt(ctx context.Context, conn *pgxpool.Conn, opening func(*tx, *pgx.Batch), fn func(*tx) error) error {
	// A connection that is broken or still in a transaction is closed by this.
	defer conn.Release()
	t := &tx{s: s, ctx: ctx, conn: conn.Conn()}
	if err := t.begin(opening); err != nil {
		return err
	}
	err := fn(t)
	if err == nil {
		err = t.commit()
	}
	if err != nil {
		if !t.conn.IsClosed() {
			_, _ = t.conn.Exec(ctx, "ROLLBACK") // if it fails, Release closes the connection
		}
		return err
	}
	for _, done := range t.afterCommit {
		done()
	}
	return nil
}

// clockNow is the clock in SQL: parameter 1 if it is set (tests turn it), else
// the database's. It is stable within a statement, so that indexes apply.
const clockNow = `coalesce($1::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint)`

// clockOverride is the parameter of clockNow.
func (s *Store) clockOverride() *int64 {
	if s.clock == nil {
		return nil
	}
	now := s.clock().UnixMilli()
	return &now
}

// begin names the isolation level, which a server can have another default for.
func (t *tx) begin(opening func(*tx, *pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	opening(t, b)
	return t.send(b)
}

func (t *tx) queueClock(b *pgx.Batch) {
	b.Queue("SELECT "+clockNow, t.s.clockOverride()).QueryRow(func(row pgx.Row) error { return row.Scan(&t.now) })
}

// queueDelivery opens a transaction of a lane. It is shared with other
// writers, not with who adds a test message or erases: see EnqueueTestMessage
// and Erase. What these have committed is seen by the statements that follow.
func (t *tx) queueDelivery(b *pgx.Batch) {
	b.Queue(`SELECT pg_advisory_xact_lock_shared($1)`, t.s.key(lockDeliveries))
	b.Queue("SELECT "+clockNow+", (SELECT key FROM erasure_key)", t.s.clockOverride()).QueryRow(func(row pgx.Row) error { return row.Scan(&t.now, &t.erasureKey) })
}

// commit writes what all transactions share, in one order and last: the
// traffic by line, then the reports. Readers follow reports by id, so ids must
// become visible in order: their lock is held until the commit.
func (t *tx) commit() error {
	if len(t.then) > 0 {
		if err := t.settle(); err != nil {
			return err
		}
	}
	for _, rest := range t.then {
		if err := rest(); err != nil {
			return err
		}
	}
	if err := t.writeTraffic(); err != nil {
		return err
	}
	b := cmp.Or(t.tail, &pgx.Batch{})
	t.tail = nil
	if n := len(t.reports); n > 0 {
		kinds, lines, apps, payloads := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
		for i := range t.reports {
			r := &t.reports[i]
			kinds[i], lines[i], apps[i], payloads[i] = string(r.Kind), r.Line, r.App, r.Payload
		}
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, t.s.key(lockReports))
		b.Queue(`
			INSERT INTO reports (received_at, kind, line, app, payload)
			SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[])`, t.now, kinds, lines, apps, payloads)
	}
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return errors.New("postgres store: the transaction was rolled back")
		}
		return nil
	})
	return t.send(b)
}

// savepoint runs fn, and undoes all of it if it fails.
func (t *tx) savepoint(fn func() error) error {
	if _, err := t.exec("SAVEPOINT s"); err != nil {
		return err
	}
	traffic, reports, done := len(t.traffic), len(t.reports), len(t.afterCommit)
	err := fn()
	if err == nil {
		err = t.settle()
	}
	if err == nil {
		_, err = t.conn.Exec(t.ctx, "RELEASE s")
		return err
	}
	if t.conn.IsClosed() {
		return err
	}
	t.tail = nil
	t.traffic, t.reports, t.afterCommit = t.traffic[:traffic], t.reports[:reports], t.afterCommit[:done]
	// Not as a batch: it would prepare RELEASE in a transaction that has failed.
	if _, undo := t.conn.Exec(t.ctx, "ROLLBACK TO s; RELEASE s"); undo != nil {
		return undo
	}
	return err
}

// lock takes an advisory lock until the transaction ends.
func (t *tx) lock(purpose string) error {
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, t.s.key(purpose))
	return err
}

// send runs the statements of a batch in one round trip. The first one that
// fails ends it.
func (t *tx) send(b *pgx.Batch) error {
	if err := t.settle(); err != nil {
		return err
	}
	return t.conn.SendBatch(t.ctx, b).Close()
}

// later is where statements are put that may wait for the next round trip.
func (t *tx) later() *pgx.Batch {
	if t.tail == nil {
		t.tail = &pgx.Batch{}
	}
	return t.tail
}

// settle runs the statements of the tail, before any others.
func (t *tx) settle() error {
	b := t.tail
	if b == nil {
		return nil
	}
	t.tail = nil
	return t.conn.SendBatch(t.ctx, b).Close()
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.settle(); err != nil {
		return 0, err
	}
	tag, err := t.conn.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

// exec1 runs a statement that must change a row.
func (t *tx) exec1(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// row runs a query for one row and scans it. Errors: pgx.ErrNoRows.
func (t *tx) row(query string, args []any, dest ...any) error {
	if err := t.settle(); err != nil {
		return err
	}
	return t.conn.QueryRow(t.ctx, query, args...).Scan(dest...)
}

// found is row, with absence told apart from failure.
func (t *tx) found(query string, args []any, dest ...any) (bool, error) {
	err := t.row(query, args, dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rowsOf reads all rows of a query.
func rowsOf[T any](t *tx, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	if err := t.settle(); err != nil {
		return nil, err
	}
	rows, err := t.conn.Query(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
