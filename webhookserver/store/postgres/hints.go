package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// hintInterval bounds how often a busy process tells the others.
	hintInterval = 20 * time.Millisecond
	// listenAgain is the wait before a lost connection is replaced.
	listenAgain = time.Second
)

// hints carries word of new work between the processes of a database. Telling
// is no part of the transactions: NOTIFY would make their commits wait for each
// other.
type hints struct {
	s       *Store
	config  *pgx.ConnConfig
	channel string
	pending chan struct{}
	heard   chan struct{}
	stop    context.CancelFunc
	work    sync.WaitGroup
}

func startHints(ctx context.Context, s *Store, config *pgx.ConnConfig) *hints {
	h := &hints{
		s: s, config: config.Copy(),
		channel: fmt.Sprintf("whatsapp_%016x", uint64(s.key("hints"))), //nolint:gosec // a name, not a figure
		pending: make(chan struct{}, 1),
		heard:   make(chan struct{}, 1),
	}
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.work.Go(func() { h.listen(ctx) })
	h.work.Go(func() { h.notify(ctx) })
	return h
}

// Hints returns a channel that receives when this or another process may have
// made work for Turns or Outbox. One receiver is enough: hints that nobody
// takes are folded into one, and some get lost. Polling is the truth.
func (s *Store) Hints() <-chan struct{} { return s.hints.heard }

// tell lets all processes know that there may be work. It never blocks.
func (h *hints) tell() { offer(h.pending) }

func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (h *hints) notify(ctx context.Context) {
	for {
		select {
		case <-h.pending:
		case <-ctx.Done():
			return
		}
		// A hint, for polling is the truth: it is not worth an fsync of its own.
		_, _ = h.s.pool.Exec(ctx, `SELECT pg_notify($1, ''), set_config('synchronous_commit', 'off', true)`, h.channel)
		if !sleep(ctx, hintInterval) {
			return
		}
	}
}

func (h *hints) listen(ctx context.Context) {
	for ctx.Err() == nil {
		_ = h.listenOnce(ctx) // the connection is gone; those who poll will say so
		if !sleep(ctx, listenAgain) {
			return
		}
	}
}

// listenOnce returns when the connection is lost.
func (h *hints) listenOnce(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, h.config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it is of no use any more
	if _, err := conn.Exec(ctx, "LISTEN "+h.channel); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		offer(h.heard)
	}
}

// sleep waits and reports whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *hints) close() {
	h.stop()
	h.work.Wait()
}
