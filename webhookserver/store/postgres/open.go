package postgres

import (
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// defaultMaxWaiting is about a quarter of a second of work at full load:
	// what waits longer is better retried by Meta than acknowledged late.
	defaultMaxWaiting = 4096
	// defaultMaxWaitingBytes keeps 20 deliveries of the largest size (3 MB).
	defaultMaxWaitingBytes = 64 << 20

	// connectTimeout bounds how long callers wait for a server that is silent.
	// One that is down refuses at once.
	connectTimeout = 3 * time.Second
	// defaultMaxConns are enough for what a process reads and seldom writes, and
	// few enough that some replicas fit into a server's default of 100.
	defaultMaxConns = 10
	// maxWorkConns bounds how many transactions that claim or end turns and sends
	// are under way: each takes its part of the processors from the webhooks, which
	// come first. What waits for one shares the next, so fewer do not mean less work.
	maxWorkConns = 2
	// migrationPoll and migrationPolls (one a second) bound the wait for another
	// replica that migrates.
	migrationPoll  = 1
	migrationPolls = 300
)

// Options say where the store is.
type Options struct {
	// DSN leads to the primary: postgres://user:password@host:5432/database, with
	// the parameters of libpq and pgxpool. It appears in no error. The user must
	// own, or be allowed to create in, the first schema of its search_path.
	DSN string
	// Clock is the store's clock; nil, which replicas need, means the database's.
	Clock func() time.Time
	// MaxWaiting and MaxWaitingBytes bound the deliveries that wait for the
	// writer; 0 means the default. Beyond them Ingest returns store.ErrBusy.
	MaxWaiting      int
	MaxWaitingBytes int64
	// KeepSchema makes Open fail on an older schema instead of migrating it.
	KeepSchema bool
}

// Store is a store.Store in PostgreSQL.
type Store struct {
	clock  func() time.Time
	schema string
	pool   *pgxpool.Pool
	// work is where turns and sends are claimed and ended.
	work   *pgxpool.Pool
	writer *writer
	hints  *hints
	turns  *joint[holding]
	sends  *joint[settling]
	closed atomic.Bool
	// quarantining admits one body at a time.
	quarantining chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open connects and brings the schema up to date. It fails with an error that
// names the remedy if the server cannot be reached, would lose commits, is a
// standby, or has a schema that is newer than this binary. The context bounds
// the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	config, err := configOf(o.DSN)
	if err != nil {
		return nil, err
	}
	place := placeOf(config.ConnConfig)
	s := &Store{clock: o.Clock, quarantining: make(chan struct{}, 1)}
	s.turns = &joint[holding]{key: holding.key, run: s.holdAll, runs: maxRuns, gather: gathering(gatherTurns)}
	s.sends = &joint[settling]{key: settling.key, run: s.settleAll, runs: maxRuns, gather: gathering(gatherSends)}
	if s.schema, err = prepare(ctx, config.ConnConfig, record.MayMigrate(!o.KeepSchema)); err != nil {
		return nil, fmt.Errorf("postgres store: %s: %w", place, err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config.Copy()); err != nil {
		return nil, fmt.Errorf("postgres store: %s: %w", place, classify(err))
	}
	maps.Copy(config.ConnConfig.RuntimeParams, keyedSettings)
	config.MinConns, config.MinIdleConns = 0, 0
	config.MaxConns = maxWorkConns
	if s.work, err = pgxpool.NewWithConfig(ctx, config.Copy()); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("postgres store: %s: %w", place, classify(err))
	}
	// The writer's connections are its own: workers can't take them away.
	config.MaxConns = lanes
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		s.pool.Close()
		s.work.Close()
		return nil, fmt.Errorf("postgres store: %s: %w", place, classify(err))
	}
	s.writer = startWriter(ctx, s, own, o)
	s.hints = startHints(ctx, s, config.ConnConfig)
	return s, nil
}

// keyedSettings spare the connections of the writer and of the workers the
// planning, which takes longer than their statements: all of them look a few rows
// up by their keys, however large the tables are, and so there is only one way
// that is right.
var keyedSettings = map[string]string{
	"plan_cache_mode":  "force_generic_plan",
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	// The planner takes what it is kept from for so costly that compiling would pay.
	"jit": "off",
}

// Migrate brings the schema up to date without serving, and returns its
// versions before and after; with dryRun it changes nothing, and after is what
// it would be. It waits for another one that migrates.
func Migrate(ctx context.Context, dsn string, dryRun bool) (before, after int64, err error) {
	config, err := configOf(dsn)
	if err != nil {
		return 0, 0, err
	}
	_, err = prepare(ctx, config.ConnConfig, func(current, target int64) (bool, error) {
		before, after = current, target
		return !dryRun, nil
	})
	if err != nil {
		return before, before, fmt.Errorf("postgres store: %s: %w", placeOf(config.ConnConfig), err)
	}
	return before, after, nil
}

// Close finishes what was accepted, and closes the connections.
func (s *Store) Close() error {
	s.writer.close()
	s.closed.Store(true)
	s.hints.close()
	s.work.Close()
	s.pool.Close()
	return nil
}

// configOf parses a DSN. The driver's error is left out: it quotes the DSN.
func configOf(dsn string) (*pgxpool.Config, error) {
	if dsn == "" {
		return nil, errors.New("postgres store: the DSN is empty: set it, such as postgres://user:password@host:5432/database")
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("postgres store: the DSN is malformed (it is not shown, since it holds the password): it must look like " +
			"postgres://user:password@host:5432/database?sslmode=verify-full, special characters of the password percent-encoded")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = defaultMaxConns
	}
	if config.ConnConfig.ConnectTimeout <= 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"application_name": "whatsapp-webhook-server",
		// A plan that was made while a table was empty would read all of it later.
		"plan_cache_mode": "force_custom_plan",
		// What holds a lock for this long is no replica of ours.
		"lock_timeout":                        "5s",
		"statement_timeout":                   "10s",
		"idle_in_transaction_session_timeout": "30s",
	} {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		return errors.Join(verifyDurability(ctx, conn), useColumns(conn))
	}
	return config, nil
}

// placeOf names the database for people, without user and password.
func placeOf(c *pgx.ConnConfig) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// prepare checks the server, migrates, and returns the schema in use.
func prepare(ctx context.Context, config *pgx.ConnConfig, decide record.Migration) (schema string, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", classify(err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := verifyDurability(ctx, conn); err != nil {
		return "", err
	}
	var name *string
	var standby bool
	if err := conn.QueryRow(ctx, `SELECT current_schema(), pg_is_in_recovery()`).Scan(&name, &standby); err != nil {
		return "", classify(err)
	}
	if standby {
		return "", fmt.Errorf("%w: %s", store.ErrUnavailable, remedies[stateReadOnly])
	}
	if name == nil {
		return "", fmt.Errorf("%w: %s", store.ErrUnavailable, remedies["3F"])
	}
	return *name, migrate(ctx, conn, *name, decide)
}

// verifyDurability runs on each new connection: a server's settings can change
// while it runs, and those of a session with the role, the database and the
// DSN. remote_apply is stronger than on.
func verifyDurability(ctx context.Context, conn *pgx.Conn) error {
	var fsync, pages, commits string
	err := conn.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`).
		Scan(&fsync, &pages, &commits)
	if err != nil {
		return classify(err)
	}
	for _, setting := range []struct {
		name, value string
		good        []string
	}{
		{"fsync", fsync, []string{"on"}},
		{"full_page_writes", pages, []string{"on"}},
		{"synchronous_commit", commits, []string{"on", "remote_apply"}},
	} {
		if !slices.Contains(setting.good, setting.value) {
			return &weakError{fmt.Sprintf("the server's %s is %q: a power cut would lose acknowledged messages; set it to on (ALTER SYSTEM, ALTER ROLE or the DSN, "+
				"wherever it was changed) and reload", setting.name, setting.value)}
		}
	}
	return nil
}

// migrate brings the schema up to date. Without work to do it only reads, so
// that replicas start without waiting for each other.
func migrate(ctx context.Context, conn *pgx.Conn, schema string, decide record.Migration) (err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(keyOf(schema, lockMigrations)), lock.WithLockTimeout(migrationPoll, migrationPolls))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	config := conn.Config()
	for _, limit := range []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(config.RuntimeParams, limit) // a migration takes the time that it takes
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	sources := provider.ListSources()
	target := sources[len(sources)-1].Version
	current, err := versionOf(ctx, conn)
	if err != nil {
		return fmt.Errorf("the schema version cannot be read: %w", classify(err))
	}
	if apply, err := decide.Decide(current, target); !apply {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating from version %d to %d: %w", current, target, classify(err))
	}
	return nil
}

// versionOf reads the version without goose, which would create its table
// outside of its lock.
func versionOf(ctx context.Context, conn *pgx.Conn) (version int64, err error) {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = conn.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}

// The purposes of advisory locks. That of reports is taken after everything
// else.
const (
	lockDeliveries     = "deliveries"
	lockExpiry         = "expiry"
	lockMigrations     = "migrations"
	lockQuarantine     = "quarantine"
	lockReports        = "reports"
	lockSecurityEvents = "security events"
)

// key is the advisory lock of a purpose. Such locks are common to all schemas
// of a database.
func (s *Store) key(purpose string) int64 { return keyOf(s.schema, purpose) }

func keyOf(schema, purpose string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("whatsapp-operator store\x00" + schema + "\x00" + purpose)) // never fails
	return int64(binary.BigEndian.Uint64(h.Sum(nil)))                                 //nolint:gosec // all 64 bits count, the sign does not
}
