package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// marker returns that of the store, with a new key if nothing is marked.
func (t *tx) marker() (*record.Marker, error) {
	_, err := t.exec(`INSERT INTO erasure_key (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, record.NewMarkerKey())
	if err != nil {
		return nil, err
	}
	var key []byte
	err = t.row(`SELECT key FROM erasure_key FOR SHARE`, nil, &key)
	return record.NewMarker(key), err
}

func (t *tx) addMarks(marks []string) error {
	slices.Sort(marks)
	_, err := t.exec(`
		INSERT INTO erasures (mark, erased_at) SELECT DISTINCT u.mark, $2::bigint FROM unnest($1::bytea[]) u (mark) ORDER BY 1
		ON CONFLICT (mark) DO UPDATE SET erased_at = excluded.erased_at`, asBytes(marks), t.now)
	return err
}

func asBytes(marks []string) [][]byte {
	out := make([][]byte, len(marks))
	for i, mark := range marks {
		out[i] = []byte(mark)
	}
	return out
}

// dropErased leaves out what belongs to somebody who was erased. The key was
// read as the transaction began, under the lock that an erasure has alone.
func (t *tx) dropErased(items []*record.Item) ([]*record.Item, error) {
	m := record.NewMarker(t.erasureKey)
	if m == nil {
		return items, nil
	}
	return m.DropErased(items, func(marks []string) (map[string]int64, error) {
		type made struct {
			mark []byte
			at   int64
		}
		found, err := rowsOf(t, func(row pgx.CollectableRow) (m made, err error) {
			err = row.Scan(&m.mark, &m.at)
			return m, err
		}, `SELECT mark, erased_at FROM erasures WHERE mark = ANY ($1)`, asBytes(marks))
		at := make(map[string]int64, len(found))
		for _, m := range found {
			at[string(m.mark)] = m.at
		}
		return at, err
	})
}

// expireMarks forgets what can't come again, and the key with the last of it.
func (t *tx) expireMarks(batch int) (int, error) {
	n, err := t.exec(`DELETE FROM erasures WHERE mark IN (SELECT mark FROM erasures WHERE erased_at < $1 ORDER BY mark LIMIT $2 FOR UPDATE)`,
		t.now-store.MinRetention.Milliseconds(), batch)
	if err != nil || n == 0 {
		return int(n), err
	}
	// An erasure under way holds the key.
	_, err = t.exec(`DELETE FROM erasure_key WHERE id IN (SELECT id FROM erasure_key FOR UPDATE SKIP LOCKED) AND NOT EXISTS (SELECT 1 FROM erasures)`)
	return int(n), err
}
