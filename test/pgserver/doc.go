// Package pgserver starts a PostgreSQL server for tests and benchmarks: in a
// scratch directory, on a Unix socket, as an unprivileged user, with the
// durability settings of production. Each test takes a schema of its own.
// TEST_DATABASE_URL names a server that is used in its place, except by tests
// that stop the server or weaken its settings.
//
// It needs the binaries of Debian's package postgresql, or their folder in
// POSTGRES_BIN, and fails without them. It uses no server that runs already, and
// product code never imports it.
package pgserver
