package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestColumnsArriveAsSent sends what a column can hold to a server and reads it
// back, as one whose plans are those of pgx would.
func TestColumnsArriveAsSent(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	checkColumn(t, s, "text", []string{"", "a", "ä \x01 \"{,}\\", strings.Repeat("long ", 100_000), "NULL"})
	checkColumn(t, s, "bigint", []int64{0, 1, -1, 1<<63 - 1, -1 << 63})
	checkColumn(t, s, "bytea", [][]byte{{}, nil, {0, 1, 255}, []byte(strings.Repeat("x", 1<<20)), nil})
	checkColumn(t, s, "text", []string{})
}

func checkColumn[T any](t *testing.T, s *Store, kind string, want []T) {
	t.Helper()
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	types := conn.Conn().TypeMap()
	array, ok := types.TypeForValue(want)
	if !ok {
		t.Fatalf("%T is no array", want)
	}
	if _, ours := types.PlanEncode(array.OID, pgtype.BinaryFormatCode, want).(column[T]); !ours {
		t.Errorf("%s: the column is not written by our plan", kind)
	}
	var got []T
	// unnest takes the array apart on the server, so that its header counts.
	query := `SELECT coalesce(array_agg(v ORDER BY n), '{}') FROM unnest($1::` + kind + `[]) WITH ORDINALITY AS u (v, n)`
	if err := conn.QueryRow(t.Context(), query, want).Scan(&got); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-sent +read):\n%.2000s", kind, diff)
	}
}
