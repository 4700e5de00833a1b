package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// errRace means that another replica has changed meanwhile what a transaction
// had read. Trying it again sees the change.
var errRace = errors.New("postgres store: overtaken by another replica")

// weakError is a server whose settings would lose what was acknowledged.
type weakError struct{ text string }

func (e *weakError) Error() string { return e.text }

// SQLSTATEs that are told apart. See
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	stateUniqueViolation  = "23505"
	stateSerialization    = "40001"
	stateDeadlock         = "40P01"
	stateReadOnly         = "25006"
	stateLockNotAvailable = "55P03"
)

// sqlState returns the SQLSTATE of the server's answer, empty if it gave none.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// isRace tells whether the same transaction may succeed if it is tried again.
// Copies are dropped by ON CONFLICT; so a violated unique key is a race, too.
func isRace(err error) bool {
	switch sqlState(err) {
	case stateUniqueViolation, stateSerialization, stateDeadlock, stateLockNotAvailable:
		return true
	default:
		return errors.Is(err, errRace)
	}
}

// isDataError tells whether the data is to blame: then a smaller group, or the
// row alone, tells which. The classes are data exceptions, constraints, and
// limits such as the size of an index entry.
func isDataError(err error) bool {
	state := sqlState(err)
	switch {
	case isRace(err):
		return false
	case strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"), strings.HasPrefix(state, "54"):
		return true
	default:
		return errors.Is(err, store.ErrInvalid)
	}
}

// classify turns an error of the database into one of the store. The
// database's own text is left out: it may quote what it could not store, and
// that of the driver the DSN.
func classify(err error) error {
	switch {
	case err == nil, store.IsAnswer(err):
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	case isDataError(err):
		return fmt.Errorf("%w (SQLSTATE %s)", store.ErrInvalid, sqlState(err))
	default:
		return fmt.Errorf("%w: %s", store.ErrUnavailable, remedy(err))
	}
}

// remedies say what to do, by SQLSTATE or its class.
var remedies = map[string]string{
	"08":    "the connection broke: check that PostgreSQL runs and the network between",
	"22":    "unexpected failure: check PostgreSQL's log",
	"25006": "the server is read-only: lead the DSN to the primary (target_session_attrs=read-write), not to a replica",
	"28":    "the server refuses the log-in: check user, password and pg_hba.conf",
	"3D":    "there is no such database: create it, or correct the DSN",
	"3F":    "there is no such schema: create it, or correct search_path in the DSN",
	"40":    "replicas kept overtaking each other: try again",
	"42501": "the user lacks a privilege: let it own its schema",
	"42P01": "a table is missing: restart the webhook-server, which creates it",
	"53100": "the volume is full: enlarge it or shorten the retention",
	"53200": "out of memory or locks: raise memory or max_locks_per_transaction of the server",
	"53300": "the server has no connection left: raise its max_connections or lower pool_max_conns in the DSN",
	"55":    "a lock was held for too long: look for a session that is idle in a transaction",
	"57014": "a statement took too long: check the server's load",
	"57":    "the server is starting or stopping: wait, or start it",
	"58":    "the server's disk reports errors: check its volume",
	"XX":    "the server reports damage: check its log, and restore from a backup if need be",
}

func remedy(err error) string {
	if weak, ok := errors.AsType[*weakError](err); ok {
		return weak.text
	}
	if state := sqlState(err); state != "" {
		for _, key := range []string{state, state[:min(2, len(state))]} {
			if text := remedies[key]; text != "" {
				return text + " (SQLSTATE " + state + ")"
			}
		}
		return "unexpected failure: check PostgreSQL's log (SQLSTATE " + state + ")"
	}
	if pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return "PostgreSQL did not answer in time: check its load and the network between"
	}
	if errors.Is(err, errRace) {
		return remedies["40"]
	}
	return "PostgreSQL cannot be reached: check that it runs, the host and port in the DSN, TLS, and the network between"
}
