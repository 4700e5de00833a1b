package postgres

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
)

// server is the PostgreSQL that the tests share; each has a schema of its own.
var server *pgserver.Server

// crashDSN leads to the store that a child process fills until it is killed.
const crashDSN = "POSTGRES_STORE_CRASH_DSN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(crashDSN); dsn != "" {
		if err := ingestUntilKilled(dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgserver.RunTests(m, func(s *pgserver.Server) { server = s }))
}

// schemaOf makes a schema on the server, which goes with the test.
func schemaOf(tb testing.TB, s *pgserver.Server) (dsn string) {
	tb.Helper()
	dsn, drop, err := s.Schema(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := drop(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return dsn
}

func openStore(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}
