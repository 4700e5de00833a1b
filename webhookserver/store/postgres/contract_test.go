package postgres

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, (&schemas{}).open) }

// schemas are what the suite takes for directories.
type schemas struct {
	mu   sync.Mutex
	dsns map[string]string // by directory
}

func (s *schemas) dsn(t *testing.T, dir string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dsns == nil {
		s.dsns = map[string]string{}
	}
	if s.dsns[dir] == "" {
		s.dsns[dir] = schemaOf(t, server)
	}
	return s.dsns[dir]
}

func (s *schemas) open(t *testing.T, dir string, clock func() time.Time) store.Store {
	t.Helper()
	opened, err := Open(t.Context(), Options{DSN: s.dsn(t, dir), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestEraseReachesEveryColumn(t *testing.T) {
	var s schemas
	storetest.RunErasure(t, s.open, s.columns)
}

func TestDiscardReachesEveryColumn(t *testing.T) {
	var s schemas
	storetest.RunDiscard(t, s.open, s.columns)
}

// columns is a storetest.Columns.
func (s *schemas) columns(t *testing.T, dir string) map[string][]string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.dsn(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := conn.Exec(t.Context(), `SET bytea_output = 'escape'`); err != nil { // which leaves letters readable
		t.Fatal(err)
	}
	read := func(query string) []string {
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	all := map[string][]string{}
	for _, name := range read(`
			SELECT table_name || '.' || column_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
			WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND data_type NOT IN ('bigint', 'integer', 'smallint', 'boolean')`) {
		table, column, _ := strings.Cut(name, ".")
		all[name] = read(`SELECT coalesce(` + pgx.Identifier{column}.Sanitize() + `::text, '') FROM ` + pgx.Identifier{table}.Sanitize())
	}
	return all
}
