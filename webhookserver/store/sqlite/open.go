package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Limits of the queue in front of the writer, if Options leave them open.
const (
	// defaultMaxWaiting is about a quarter of a second of work at full load:
	// what waits longer is better retried by Meta than acknowledged late.
	defaultMaxWaiting = 4096
	// defaultMaxWaitingBytes keeps 20 deliveries of the largest size (3 MB).
	defaultMaxWaitingBytes = 64 << 20
)

// Options say where the store is.
type Options struct {
	// Path is the database file. Its directory must exist, be writable, and be
	// on a local disk.
	Path string
	// Clock is the store's clock; nil means time.Now.
	Clock func() time.Time
	// MaxWaiting and MaxWaitingBytes bound the deliveries that wait for the
	// writer; 0 means the default. Beyond them Ingest returns store.ErrBusy.
	MaxWaiting      int
	MaxWaitingBytes int64
	// KeepSchema makes Open fail on an older schema instead of migrating it.
	KeepSchema bool
}

// Store is a store.Store in one SQLite file.
type Store struct {
	clock  func() time.Time
	lock   *os.File
	reader *sql.DB
	// queries are the reader's compiled ones, by their text.
	queries sync.Map
	writer  *writer
}

var _ store.Store = (*Store)(nil)

// Open opens the store and brings its schema up to date. It fails with an
// error that names the remedy if the file is in use, on a network file system,
// newer than this binary, or cannot be made durable. The context bounds the
// opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Path == "" {
		return nil, errors.New("sqlite store: no file named: set the path of the database file")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("sqlite store: %w", err)
	}
	if err := refuseNetworkFilesystem(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store{clock: o.Clock, lock: lock}
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := s.open(ctx, path, o); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, o Options) error {
	db, err := openDB(path, false)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := prepareDatabase(ctx, db, record.MayMigrate(!o.KeepSchema)); err != nil {
		return errors.Join(err, db.Close())
	}
	s.writer, err = startWriter(ctx, db, path, s.clock, o)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.reader, err = openDB(path, true)
	if err != nil {
		return errors.Join(err, s.writer.close())
	}
	s.reader.SetMaxOpenConns(max(2, runtime.GOMAXPROCS(0)))
	s.reader.SetMaxIdleConns(max(2, runtime.GOMAXPROCS(0)))
	return nil
}

func prepareDatabase(ctx context.Context, db *sql.DB, decide record.Migration) error {
	if err := verifyDurability(ctx, db); err != nil {
		return err
	}
	return migrate(ctx, db, decide)
}

// Migrate brings the schema up to date without serving, and returns its
// versions before and after; with dryRun it changes nothing, and after is what
// it would be. No server may have the file open.
func Migrate(ctx context.Context, path string, dryRun bool) (before, after int64, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return 0, 0, fmt.Errorf("sqlite store: %w", err)
	}
	if err := refuseNetworkFilesystem(filepath.Dir(path)); err != nil {
		return 0, 0, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := createPrivate(path); err != nil {
		return 0, 0, err
	}
	db, err := openDB(path, false)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	err = prepareDatabase(ctx, db, func(current, target int64) (bool, error) {
		before, after = current, target
		return !dryRun, nil
	})
	return before, after, err
}

// Close finishes what was accepted, and releases the file. The writer's
// connection goes last: the last one of a database folds the log into the file.
func (s *Store) Close() error {
	return errors.Join(s.reader.Close(), s.writer.close(), s.lock.Close())
}

// pragmas are set on every connection, whatever the path says. The driver sets
// them in alphabetical order, and the journal mode after them.
var pragmas = []string{
	// A file keeps the size that it began with. Fewer, larger pages are split less
	// often, and found sooner.
	"page_size(8192)",
	// The log is forced to the disk after each commit, by the syncer; SQLite
	// does so itself when it begins the log anew and before each checkpoint.
	"synchronous(NORMAL)",
	"busy_timeout(10000)",
	// 32 MiB of pages: what a busy hour touches. They take twice that, as the
	// driver's allocator rounds the size of each up.
	"cache_size(-32768)",
	// A checkpoint costs two fsyncs and rewrites each changed page once; at
	// 32 MiB of log it is rare, and still short.
	"wal_autocheckpoint(4096)",
	"journal_size_limit(67108864)",
	"temp_store(MEMORY)",
	"foreign_keys(OFF)",
	"trusted_schema(OFF)",
}

func openDB(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_journal_mode": {"WAL"}}
	if readOnly {
		q.Set("_query_only", "1")
	}
	connector, err := driver.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite store: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// verifyDurability reads the settings back: a file may refuse WAL (for one on a
// file system without shared memory), and a build of the driver may differ.
func verifyDurability(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("sqlite store: the database cannot be opened: check that the directory exists, is writable, and has space: %w", err)
	}
	if !strings.EqualFold(mode, "wal") {
		return fmt.Errorf("sqlite store: the journal mode is %q, not WAL: put the file on a local disk with ext4, xfs or btrfs", mode)
	}
	var level int
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return fmt.Errorf("sqlite store: %w", err)
	}
	const normal = 1
	if level < normal {
		return fmt.Errorf("sqlite store: synchronous is %d, below NORMAL (1): a power cut could damage the file", level)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, decide record.Migration) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("sqlite store: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("sqlite store: migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("sqlite store: the schema version cannot be read: %w", err)
	}
	if apply, err := decide.Decide(current, target); err != nil {
		return fmt.Errorf("sqlite store: %w", err)
	} else if !apply {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("sqlite store: migrating from version %d to %d: %w", current, target, err)
	}
	return nil
}
