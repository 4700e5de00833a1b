package sqlite

import (
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/record"
)

// maxThreads bounds threads, at some 500 bytes each.
const maxThreads = 16_384

// threads are rows of conversations as ingestion has last written them, so that
// few are read again for each message. No other process has the file open, and
// SQLite tells of each row that the writer changes, by whatever statement: such
// a row is forgotten until ingestion keeps it again. It belongs to the writing
// goroutine.
type threads map[int64]keptThread

// keptThread is a row as threads have it.
type keptThread struct {
	record.Thread
	reach
}

// watch has the threads forgotten that change on a connection.
func (m threads) watch(conn *sql.Conn) error {
	return setHook(conn, func(change driver.SQLitePreUpdateData) {
		if change.TableName == "conversations" {
			delete(m, change.OldRowID)
			delete(m, change.NewRowID)
		}
	})
}

// unwatch is for a connection that is about to be closed: the driver would keep
// the threads for ever.
func (m threads) unwatch(conn *sql.Conn) error { return setHook(conn, nil) }

func setHook(conn *sql.Conn, hook driver.PreUpdateHookFn) error {
	return conn.Raw(func(conn any) error {
		hooks, ok := conn.(driver.HookRegisterer)
		if !ok {
			return errors.New("the driver does not tell what changes")
		}
		hooks.RegisterPreUpdateHook(hook)
		return nil
	})
}

// keep remembers a thread that is as its row is.
func (m threads) keep(h *thread) {
	if len(m) >= maxThreads {
		clear(m) // whoever writes again is soon kept again
	}
	m[h.ID] = keptThread{h.Thread, h.reach}
}

// find returns a thread of the next batch's own, nil if it is to be read.
func (m threads) find(id int64) *thread {
	kept, ok := m[id]
	if !ok {
		return nil
	}
	h := &thread{Thread: kept.Thread, reach: kept.reach}
	h.stored()
	return h
}
