package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

func TestEraseReachesEveryColumn(t *testing.T) { storetest.RunErasure(t, open, columns) }

func TestDiscardReachesEveryColumn(t *testing.T) { storetest.RunDiscard(t, open, columns) }

// columns are a storetest.Columns.
func columns(t *testing.T, dir string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	read := func(query string) (values []string) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}()
		for rows.Next() {
			var value sql.NullString
			if err := rows.Scan(&value); err != nil {
				t.Fatal(err)
			}
			values = append(values, value.String)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return values
	}
	all := map[string][]string{}
	for _, name := range read(`
			SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.type NOT IN ('INTEGER', 'BOOLEAN')`) {
		table, column, _ := strings.Cut(name, ".")
		all[name] = read(`SELECT CAST("` + column + `" AS TEXT) FROM "` + table + `"`)
	}
	return all
}
