package sqlite

import (
	"path/filepath"
	"testing"
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
