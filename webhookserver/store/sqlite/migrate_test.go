package sqlite

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

func TestMigrateApartFromServing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	_, err := Open(t.Context(), Options{Path: path, KeepSchema: true})
	wantText(t, err, `run "webhook-server migrate"`)
	before, would, err := Migrate(t.Context(), path, true)
	if err != nil || before != 0 || would == 0 {
		t.Fatalf("a dry run: from %d to %d, %v", before, would, err)
	}
	_, err = Open(t.Context(), Options{Path: path, KeepSchema: true})
	wantText(t, err, "the schema has version 0")
	if before, after, err := Migrate(t.Context(), path, false); err != nil || before != 0 || after != would {
		t.Fatalf("from %d to %d, %v; the dry run said to %d", before, after, err, would)
	}
	s := openStore(t, Options{Path: path, KeepSchema: true})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	_, _, err = Migrate(t.Context(), path, false)
	wantText(t, err, "another process has the database open")
}

// TestMigrateKeepsRows has rows of each table that is made anew, as an older version left them.
func TestMigrateKeepsRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	before := migratedTo(t, path, 132)
	for _, query := range []string{
		`INSERT INTO statuses VALUES (7, '1555', 'wamid.1', 'failed', 'p', 'line', 1, 2, 131042, 'pricing', 'raw')`,
		`INSERT INTO raw_changes (id, digest, app, line, waba_id, phone_number_id, field, entry_at, received_at, pending, raw)
		 VALUES (8, 'digest', '42', 'line', 'waba', '1555', 'history', 1, 2, TRUE, 'raw')`,
		`INSERT INTO unclaimed_changes VALUES (9, 'digest', '42', 'waba', '1555', 'messages', 1, 2, 'raw')`,
		`INSERT INTO dead_letters VALUES (10, '42', 'line', 'message', 'it has no id', 1, 'raw')`,
		`INSERT INTO quarantine VALUES (11, '42', 'sha256=00', '/webhooks', 'body', 4, 1)`,
	} {
		if _, err := before.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	tables := []string{"statuses", "raw_changes", "unclaimed_changes", "dead_letters", "quarantine"}
	want := map[string]map[string]any{}
	for _, table := range tables {
		want[table] = onlyRow(t, before, table)
	}
	openStore(t, Options{Path: path})
	for _, table := range tables {
		if diff := cmp.Diff(want[table], onlyRow(t, before, table)); diff != "" {
			t.Errorf("%s: %s", table, diff)
		}
	}
}

// migratedTo is a database with the schema of an older version.
func migratedTo(t *testing.T, path string, version int64) *sql.DB {
	t.Helper()
	db := rawDB(t, path, "journal_mode(WAL)")
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return db
}

// onlyRow is the only row of a table, by column.
func onlyRow(t *testing.T, db *sql.DB, table string) map[string]any {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]any, len(columns))
	places := make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	n, row := 0, map[string]any{}
	for ; rows.Next(); n++ {
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil || n != 1 {
		t.Fatalf("%s has %d rows, %v", table, n, err)
	}
	for i, column := range columns {
		row[column] = values[i]
	}
	return row
}
