package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestIndexesCompareBytes: the order of a language is that of a library, and an
// index in it can't be trusted any more once the library changes.
func TestIndexesCompareBytes(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	rows, err := s.pool.Query(t.Context(), `
		SELECT DISTINCT i.indrelid::regclass || '.' || a.attname
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = current_schema()::regnamespace
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE a.attcollation <> 0 AND a.attcollation <> '"C"'::regcollation ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		t.Errorf("%s is in an index, and not COLLATE \"C\"", c)
	}
}
