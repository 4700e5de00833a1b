package sqlite

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	driver "modernc.org/sqlite"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "store.db")
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// rawDB opens the file with settings of the test's own.
func rawDB(t *testing.T, path string, pragmas ...string) *sql.DB {
	t.Helper()
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	connector, err := driver.NewConnector(u.String())
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return db
}

func wantText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, reason, want string
		path               func(t *testing.T) string
	}{
		{
			name: "no path", want: "set the path",
			reason: "an empty path would be a database in memory",
			path:   func(*testing.T) string { return "" },
		},
		{
			name: "missing directory", want: "create it",
			reason: "the error says what to do",
			path: func(t *testing.T) string {
				t.Helper()
				return filepath.Join(t.TempDir(), "missing", "store.db")
			},
		},
		{
			name: "file in use", want: "another process has the database open",
			reason: "two writers would answer the same customers",
			path: func(t *testing.T) string {
				t.Helper()
				path := filepath.Join(t.TempDir(), "store.db")
				openStore(t, Options{Path: path})
				return path
			},
		},
		{
			name: "newer schema", want: "run the version of webhook-server that wrote it",
			reason: "an older binary does not know what the newer one relies on",
			path: func(t *testing.T) string {
				t.Helper()
				path := filepath.Join(t.TempDir(), "store.db")
				s, err := Open(t.Context(), Options{Path: path})
				if err != nil {
					t.Fatal(err)
				}
				err = s.write(t.Context(), func(tx *tx) error {
					return tx.exec0(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
				})
				if err := errors.Join(err, s.Close()); err != nil {
					t.Fatal(err)
				}
				return path
			},
		},
		{
			name: "no database", want: "cannot be opened",
			reason: "a directory in its place is told apart from a bug",
			path: func(t *testing.T) string {
				t.Helper()
				return t.TempDir()
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{Path: tc.path(t)})
			if s != nil {
				t.Errorf("opened, although %s", tc.reason)
			}
			wantText(t, err, tc.want)
		})
	}
}

func TestOpenKeepsDurability(t *testing.T) {
	// A path that looks like a DSN must not weaken anything.
	path := filepath.Join(t.TempDir(), "store.db?_pragma=synchronous(OFF)&_journal_mode=MEMORY")
	s := openStore(t, Options{Path: path})
	var synchronous, autocheckpoint, pageSize int
	var mode string
	err := s.write(t.Context(), func(tx *tx) error {
		return errors.Join(
			tx.row("PRAGMA synchronous", nil, &synchronous),
			tx.row("PRAGMA journal_mode", nil, &mode),
			tx.row("PRAGMA wal_autocheckpoint", nil, &autocheckpoint),
			tx.row("PRAGMA page_size", nil, &pageSize))
	})
	if err != nil || synchronous != 1 || mode != "wal" || autocheckpoint != 4096 || pageSize != 8192 {
		t.Errorf("synchronous %d, journal_mode %q, wal_autocheckpoint %d, page_size %d, %v; want 1 (the syncer does the rest), wal, 4096, 8192",
			synchronous, mode, autocheckpoint, pageSize, err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	s := openStore(t, Options{})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var path string
	if err := s.write(t.Context(), func(tx *tx) error {
		return tx.row("SELECT file FROM pragma_database_list WHERE name = 'main'", nil, &path)
	}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%q has mode %o, want 600", suffix, mode)
		}
	}
}

// TestHotQueriesUseIndexes keeps the queries that run per message or per poll
// from reading whole tables.
func TestHotQueriesUseIndexes(t *testing.T) {
	s := openStore(t, Options{})
	// Partial indexes hold only what is due, pending or under way; w are the lines
	// among them. What walks through spans ends with what it has found.
	small := regexp.MustCompile(`CONSTANT ROW|VIRTUAL TABLE|parked_lines|_(due|pending|leased|sending|silent|unfinished)$|^SCAN (w|s|spans|walk|\(subquery-\d+\))$`)
	for name, query := range map[string]string{
		"claimable": claimable, "sendable": sendable, "fetchable": fetchable, "garbage": garbage, "unknown": unknownSends, "idle": idleConversations, "unsettled": unsettledSends, "waiting": waitingConversations, "witness": witnessOf, "by BSUID": threadByBSUID, "by phone": threadByPhone,
		"unanswered": messagesQuery + newestOf(unanswered), "history": messagesQuery + newestOf(history), "page": messagesQuery + `WHERE m.id IN (` + pageBefore + `)`,
		"all": allMessages, "later": messagesOnceUnanswered, "oldest": oldestMessages,
	} {
		err := s.plan(t.Context(), query, func(step string) {
			if strings.HasPrefix(step, "SCAN ") && !small.MatchString(step) {
				t.Errorf("%s: %s", name, step)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyDurability(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		pragmas    []string
	}{
		{"synchronous OFF", "below NORMAL", []string{"journal_mode(WAL)", "synchronous(OFF)"}},
		{"rollback journal", "not WAL", []string{"journal_mode(DELETE)", "synchronous(FULL)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantText(t, verifyDurability(t.Context(), rawDB(t, filepath.Join(t.TempDir(), "x.db"), tc.pragmas...)), tc.want)
		})
	}
}

func TestClosedStore(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping: %v, want ErrUnavailable", err)
	}
	if _, err := s.Stats(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Stats: %v, want ErrUnavailable", err)
	}
}
