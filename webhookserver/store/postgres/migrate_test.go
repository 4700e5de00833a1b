package postgres

import (
	"strings"
	"testing"
)

func TestMigrateApartFromServing(t *testing.T) {
	dsn := schemaOf(t, server)
	if _, err := Open(t.Context(), Options{DSN: dsn, KeepSchema: true}); err == nil || !strings.Contains(err.Error(), `run "webhook-server migrate"`) {
		t.Errorf("without tables: %v", err)
	}
	before, would, err := Migrate(t.Context(), dsn, true)
	if err != nil || before != 0 || would == 0 {
		t.Fatalf("a dry run: from %d to %d, %v", before, would, err)
	}
	if before, after, err := Migrate(t.Context(), dsn, false); err != nil || before != 0 || after != would {
		t.Fatalf("from %d to %d, %v; the dry run said to %d", before, after, err, would)
	}
	s, err := Open(t.Context(), Options{DSN: dsn, KeepSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if before, after, err := Migrate(t.Context(), dsn, false); err != nil || before != after {
		t.Errorf("the second time: from %d to %d, %v", before, after, err)
	}
}
