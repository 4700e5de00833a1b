// Package postgres keeps the store in PostgreSQL, which several replicas of the
// webhook-server share.
//
// One goroutine per process writes the deliveries, and a second one when more
// wait than one connection can keep up with. Each gathers whatever waits while
// its previous commit runs, and commits it as one group in a few round trips.
// Groups take their locks in one order (contacts, conversations,
// messages, statuses), sorted by unique key within each, so that replicas wait
// for each other instead of locking each other out. What happens nevertheless
// (a deadlock, a race for the same new contact) is tried again. All other
// changes are transactions of their own that lock the conversation first.
//
// Every rule about time is decided against the database's clock. NOTIFY tells
// the replicas that there may be work; it is a hint that may get lost, and
// polling stays the truth.
//
// The package refuses a server that would lose a commit in a power cut, a
// schema that is newer than the binary, and a standby. It does not create
// databases or roles, and it does not work through a proxy that pools
// transactions, since sessions hold locks, settings and LISTEN.
package postgres
