package store

import "errors"

// Errors that callers match with errors.Is. Their texts carry no data of a
// message, so that they can be logged.
var (
	// ErrBusy means that the queue in front of the database is full. Nothing
	// was stored; the same call may be repeated at once elsewhere or later here.
	ErrBusy = errors.New("store: the write queue is full; try again later")

	// ErrUnavailable means that the database cannot be written: no space, no
	// connection, read-only, or closed. Nothing is known to be stored.
	ErrUnavailable = errors.New("store: the database cannot be written")

	// ErrQuarantineFull means that the quarantine of one app, or of all of them
	// together, has used up its bytes. Nothing was stored.
	ErrQuarantineFull = errors.New("store: the quarantine is full")

	// ErrNothingDue means that there is nothing to claim at present.
	ErrNothingDue = errors.New("store: nothing is due")

	// ErrLeaseLost means that somebody else has claimed the turn or send since,
	// or that it is over. Nothing was changed.
	ErrLeaseLost = errors.New("store: the lease is lost")

	// ErrSuperseded means that the customer wrote again while the turn was
	// prepared. The turn is over without a reply, and its conversation is due
	// again with the newer messages.
	ErrSuperseded = errors.New("store: newer messages have arrived for this turn")

	// ErrNotFound means that the named row does not exist on the named line.
	ErrNotFound = errors.New("store: no such row")

	// ErrInvalid means that an argument can never be stored. Repeating the call
	// does not help.
	ErrInvalid = errors.New("store: the row is not storable")
)

// IsAnswer tells whether err is one of the errors above: an answer of the store
// rather than a failure of its database that has yet to be made one.
func IsAnswer(err error) bool {
	for _, answer := range []error{
		ErrBusy, ErrUnavailable, ErrQuarantineFull, ErrNothingDue, ErrLeaseLost, ErrSuperseded, ErrNotFound, ErrInvalid,
		ErrLimitReached,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
