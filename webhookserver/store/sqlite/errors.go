package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// resultCode returns SQLite's primary result code, 0 if err is not SQLite's.
func resultCode(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isDataError tells whether the data is to blame: then a smaller group, or the
// row alone, tells which.
func isDataError(err error) bool {
	switch resultCode(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return true
	default:
		return errors.Is(err, store.ErrInvalid)
	}
}

// classify turns an error of the database into one of the store. SQLite's own
// text is left out: it may quote what it could not store.
func classify(err error) error {
	switch {
	case err == nil, store.IsAnswer(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case isDataError(err):
		return fmt.Errorf("%w (SQLite code %d)", store.ErrInvalid, resultCode(err))
	default:
		return unavailable(err)
	}
}

// unavailable says what to do about a failure of the database.
func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	code := resultCode(err)
	return fmt.Errorf("%w: %s (SQLite code %d)", store.ErrUnavailable, remedy(code), code)
}

func remedy(code int) string {
	switch code {
	case sqlite3.SQLITE_FULL:
		return "the volume is full: enlarge it or shorten the retention"
	case sqlite3.SQLITE_READONLY:
		return "the file is read-only: mount the volume read-write and check the file's owner"
	case sqlite3.SQLITE_CANTOPEN:
		return "the file cannot be opened: check the volume and its permissions"
	case sqlite3.SQLITE_IOERR:
		return "the disk reports errors or is full: check the volume"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the file is damaged: restore it from a backup"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another program holds the file: close it"
	case sqlite3.SQLITE_NOMEM:
		return "out of memory: raise the memory limit"
	default:
		return "unexpected failure: check the volume and the log"
	}
}
