package main

import (
	"cmp"
	"context"
	_ "embed" // the range-spec file
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/test/perf/figures"
	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
)

//go:embed figures.yaml
var spec []byte

// The databases.
const (
	onSQLite   = "SQLite"
	onPostgres = "PostgreSQL"
)

// benchSize says how much is measured.
type benchSize struct {
	rounds   int
	duration time.Duration
	messages int
	channels int
}

var (
	fullSize  = benchSize{rounds: 5, duration: 4 * time.Second, messages: 500_000, channels: 10_000}
	shortSize = benchSize{rounds: 1, duration: 3 * time.Second, messages: 30_000, channels: 2_000}
)

// baseChannels are the numbers that webhooks come for.
const baseChannels = 20

// section is a part of the measurement that can be run alone.
type section struct {
	name string
	run  func(*bench, context.Context) error
}

// sections in the order in which they run.
var sections = []section{
	{"closed", (*bench).closedLoop},
	{"mix", (*bench).statusMix},
	{"open", (*bench).openLoop},
	{"batches", (*bench).batches},
	{"replicas", (*bench).replicas},
	{"channels", (*bench).manyChannels},
	{"latency", (*bench).replyLatency},
	{"memory", (*bench).memory},
}

// bench is the world of these measurements.
type bench struct {
	size     benchSize
	bin, dir string
	secret   []byte
	book     *figures.Book
	server   *pgserver.Server
	// made numbers what needs a place of its own.
	made int
	// sources numbers the sequences of webhooks, so that none repeats another's ids.
	sources int64
	cleanup []func(context.Context) error
}

// measure prints a table of figures beside what figures.yaml expects of the chosen sections; all of them if none is chosen.
func measure(ctx context.Context, bin string, o options) (err error) {
	chosen, err := chooseSections(o.sections)
	if err != nil {
		return err
	}
	b := &bench{size: fullSize, bin: bin, secret: []byte("0123456789abcdef0123456789abcdef")}
	if o.short {
		b.size = shortSize
	}
	if b.book, err = figures.New(spec); err != nil {
		return err
	}
	// Not where the binaries are: PostgreSQL runs as another user.
	if b.dir, err = os.MkdirTemp("", "whatsapp-ingest-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.server, err = pgserver.Start(ctx, "shared_buffers=512MB"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.Stop()) }()
	for _, s := range chosen {
		fmt.Printf("\n== %s\n", s.name)
		err := s.run(b, ctx)
		if err = errors.Join(err, b.tidy(ctx)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fmt.Println()
	if o.sections != "" {
		b.book.KeepMeasured()
	}
	return b.book.Print()
}

func chooseSections(names string) ([]section, error) {
	if names == "" {
		return sections, nil
	}
	var chosen []section
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no section %q of the ingest measurement", name)
		}
		chosen = append(chosen, sections[i])
	}
	return chosen, nil
}

// later is done when the section is over, last things first.
func (b *bench) later(do func(context.Context) error) { b.cleanup = append(b.cleanup, do) }

func (b *bench) tidy(ctx context.Context) error {
	var errs []error
	for _, do := range slices.Backward(b.cleanup) {
		errs = append(errs, do(ctx))
	}
	b.cleanup = nil
	return errors.Join(errs...)
}

// place makes a directory of its own.
func (b *bench) place() (string, error) {
	b.made++
	dir := filepath.Join(b.dir, fmt.Sprintf("%02d", b.made))
	return dir, os.Mkdir(dir, 0o750)
}

// startFloor starts a bare handler on a database, or on none.
func (b *bench) startFloor(ctx context.Context, on string) (addr string, err error) {
	var k keeper
	switch on {
	case onSQLite:
		dir, err := b.place()
		if err != nil {
			return "", err
		}
		if k, err = newSQLiteKeeper(ctx, dir); err != nil {
			return "", err
		}
	case onPostgres:
		dsn, err := b.schema(ctx)
		if err != nil {
			return "", err
		}
		if k, err = newPostgresKeeper(ctx, dsn); err != nil {
			return "", err
		}
	}
	f, addr, err := startFloor(ctx, b.secret, k)
	if err != nil {
		return "", err
	}
	b.later(f.stop)
	return addr, nil
}

func (b *bench) schema(ctx context.Context) (dsn string, err error) {
	dsn, drop, err := b.server.Schema(ctx)
	if err != nil {
		return "", err
	}
	b.later(drop)
	return dsn, nil
}

// to is a load with ids of its own.
func (b *bench) to(next func(n int64) []byte, addrs ...string) load {
	l := load{addrs: addrs, secret: b.secret, next: next, sequence: &atomic.Int64{}}
	b.sources++
	l.sequence.Store(b.sources * lanes)
	return l
}

// runner is one of several that are measured in turns.
type runner struct {
	name string
	load
	// server is the product's, nil for a bare handler, which runs in the generator's process.
	server *instance
}

// busy is the processor time so far of the product's process and of PostgreSQL. It tells what a request costs even while others keep
// the machine busy.
func (b *bench) busy(ctx context.Context, r *runner) (server, database time.Duration, err error) {
	if r.server != nil {
		seconds, err := r.server.metric(ctx, "process_cpu_seconds_total")
		if err != nil {
			return 0, 0, err
		}
		server = time.Duration(seconds * float64(time.Second))
	}
	database, err = b.server.CPU()
	return server, database, err
}

// one measures a runner once.
func (b *bench) one(ctx context.Context, r *runner) (outcome, error) {
	server, database, err := b.busy(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	f, err := r.closed(ctx, b.size.duration)
	if err != nil {
		return outcome{}, err
	}
	laterServer, laterDatabase, err := b.busy(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	f.server, f.database = (laterServer-server)/time.Duration(f.requests), (laterDatabase-database)/time.Duration(f.requests)
	return f, nil
}

// acquaint lets all known contacts write before anything is measured, so that only those who are meant to be new are. A slow machine
// takes longer than the second that rounds leave out.
func (b *bench) acquaint(ctx context.Context, runners []runner) error {
	for _, r := range runners {
		for r.sequence.Load()%lanes < knownContacts {
			if _, err := r.closed(ctx, time.Second); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

// rounds drives the runners in turns, so that what disturbs the machine disturbs all, and returns the outcomes by runner and round. The
// first second of each is left out: connections are made, files grow.
func (b *bench) rounds(ctx context.Context, runners ...runner) (map[string][]outcome, error) {
	if err := b.acquaint(ctx, runners); err != nil {
		return nil, err
	}
	results := map[string][]outcome{}
	for round := range b.size.rounds {
		for _, r := range runners {
			if _, err := r.closed(ctx, time.Second); err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			f, err := b.one(ctx, &r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			fmt.Printf("%d  %-32s %s\n", round+1, r.name, f)
			results[r.name] = append(results[r.name], f)
		}
	}
	return results, nil
}

// ratio is the median of the ratios inside each round.
func ratio(of, to []outcome) float64 {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i].perSecond / to[i].perSecond
	}
	return median(ratios)
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// medianP99 is in milliseconds.
func medianP99(of []outcome) float64 {
	all := make([]time.Duration, len(of))
	for i := range of {
		all[i] = of[i].p99
	}
	return milliseconds(median(all))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
