package sqlite

import (
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// marker returns that of the store, with a new key if nothing is marked.
func (t *tx) marker() (*record.Marker, error) {
	var key []byte
	if found, err := t.found(`SELECT key FROM erasure_key`, nil, &key); err != nil {
		return nil, err
	} else if !found {
		key = record.NewMarkerKey()
		if _, err := t.exec(`INSERT INTO erasure_key (id, key) VALUES (1, ?)`, key); err != nil {
			return nil, err
		}
	}
	m := record.NewMarker(key)
	w := t.w
	t.afterCommit = append(t.afterCommit, func() { w.marker = m })
	return m, nil
}

func (t *tx) addMark(mark string) error {
	_, err := t.exec(`INSERT INTO erasures (mark, erased_at) VALUES (?, ?) ON CONFLICT (mark) DO UPDATE SET erased_at = excluded.erased_at`, []byte(mark), t.now)
	return err
}

// loadMarker is for the start.
func (w *writer) loadMarker() error {
	var key []byte
	err := w.conn.QueryRowContext(w.ctx, `SELECT (SELECT key FROM erasure_key)`).Scan(&key)
	w.marker = record.NewMarker(key)
	return err
}

// dropErased leaves out what belongs to somebody who was erased.
func (t *tx) dropErased(items []*record.Item) ([]*record.Item, error) {
	if t.w.marker == nil {
		return items, nil
	}
	return t.w.marker.DropErased(items, func(marks []string) (map[string]int64, error) {
		at := map[string]int64{}
		for _, mark := range marks {
			var erasedAt int64
			found, err := t.found(`SELECT erased_at FROM erasures WHERE mark = ?`, []any{[]byte(mark)}, &erasedAt)
			if err != nil {
				return nil, err
			}
			if found {
				at[mark] = erasedAt
			}
		}
		return at, nil
	})
}

// expireMarks forgets what can't come again, and the key with the last of it.
func (t *tx) expireMarks(batch int) (int, error) {
	n, err := t.exec(`DELETE FROM erasures WHERE mark IN (SELECT mark FROM erasures WHERE erased_at < ? LIMIT +?)`,
		t.now-store.MinRetention.Milliseconds(), batch)
	if err != nil || n == 0 {
		return int(n), err
	}
	keys, err := t.exec(`DELETE FROM erasure_key WHERE NOT EXISTS (SELECT 1 FROM erasures)`)
	if err == nil && keys > 0 {
		w := t.w
		t.afterCommit = append(t.afterCommit, func() { w.marker = nil })
	}
	return int(n), err
}
