package postgres

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func wantText(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// with changes a DSN.
func with(t *testing.T, dsn string, change func(u *url.URL, q url.Values)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

func execSQL(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), statement)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	const secret = "s3cret-of-the-test"
	for _, tc := range []struct {
		name, reason, want string
		dsn                func(t *testing.T, dsn string) string
	}{
		{
			name: "no DSN", want: "the DSN is empty", reason: "libpq's defaults would lead somewhere by chance",
			dsn: func(*testing.T, string) string { return "" },
		},
		{
			name: "malformed DSN", want: "the DSN is malformed", reason: "the driver's error would quote it",
			dsn: func(*testing.T, string) string { return "postgres://user:" + secret + "@host:port/db" },
		},
		{
			name: "nobody there", want: "127.0.0.1:1/x: store: the database cannot be written: PostgreSQL cannot be reached", reason: "it says where",
			dsn: func(*testing.T, string) string { return "postgres://user:" + secret + "@127.0.0.1:1/x" },
		},
		{
			name: "wrong password", want: "check user, password", reason: "the remedy is not the network",
			dsn: func(t *testing.T, dsn string) string {
				t.Helper()
				return with(t, dsn, func(u *url.URL, _ url.Values) { u.User = url.UserPassword(u.User.Username(), secret) })
			},
		},
		{
			name: "no such database", want: "there is no such database: create it", reason: "the store makes tables, no databases",
			dsn: func(t *testing.T, dsn string) string {
				t.Helper()
				return with(t, dsn, func(u *url.URL, _ url.Values) { u.Path = "/missing" })
			},
		},
		{
			name: "no such schema", want: "there is no such schema", reason: "tables must not go where nobody looks",
			dsn: func(t *testing.T, dsn string) string {
				t.Helper()
				return with(t, dsn, func(_ *url.URL, q url.Values) { q.Set("search_path", "missing") })
			},
		},
		{
			name: "asynchronous commits", want: `synchronous_commit is "off"`, reason: "a power cut would lose what was acknowledged",
			dsn: func(t *testing.T, dsn string) string {
				t.Helper()
				return with(t, dsn, func(_ *url.URL, q url.Values) { q.Set("synchronous_commit", "off") })
			},
		},
		{
			name: "newer schema", want: "run the version of webhook-server that wrote it", reason: "an older binary does not know what the newer one relies on",
			dsn: func(t *testing.T, dsn string) string {
				t.Helper()
				s, err := Open(t.Context(), Options{DSN: dsn})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				execSQL(t, dsn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`)
				return dsn
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{DSN: tc.dsn(t, schemaOf(t, server))})
			if s != nil {
				t.Errorf("opened, although %s", tc.reason)
			}
			wantText(t, err, tc.want)
			for _, password := range []string{secret, server.Password()} {
				if err != nil && strings.Contains(err.Error(), password) {
					t.Errorf("the error has the password")
				}
			}
		})
	}
}

// TestWeakServer refuses servers that lose commits in a power cut.
func TestWeakServer(t *testing.T) {
	for setting, want := range map[string]string{
		"fsync=off": `fsync is "off"`, "full_page_writes=off": `full_page_writes is "off"`, "synchronous_commit=local": `synchronous_commit is "local"`,
	} {
		t.Run(setting, func(t *testing.T) {
			weak := startServer(t, setting)
			s, err := Open(t.Context(), Options{DSN: schemaOf(t, weak)})
			if s != nil {
				t.Error("opened")
			}
			wantText(t, err, want)
			wantText(t, err, "set it to on")
		})
	}
}

// startServer starts a server of the test's own, which it may stop.
func startServer(t *testing.T, settings ...string) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestMigrationsRace starts replicas together on an empty schema.
func TestMigrationsRace(t *testing.T) {
	dsn := schemaOf(t, server)
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			s, err := Open(t.Context(), Options{DSN: dsn})
			if err != nil {
				return err
			}
			return errors.Join(s.Ping(t.Context()), s.Close())
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestServerGoesAndComes stops the server under a store, and starts it again.
func TestServerGoesAndComes(t *testing.T) {
	own := startServer(t)
	dsn, _, err := own.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, Options{DSN: dsn})
	for round := range 3 {
		if _, err := s.Ingest(t.Context(), delivery("before"+string(rune('a'+round)), "US.1")); err != nil {
			t.Fatal(err)
		}
		if err := own.Halt(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		calls := map[string]error{"Ping": s.Ping(t.Context())}
		_, calls["Ingest"] = s.Ingest(t.Context(), delivery("during", "US.1"))
		_, calls["Stats"] = s.Stats(t.Context())
		_, calls["ClaimConversations"] = s.ClaimConversations(t.Context(), store.ClaimRequest{Lease: time.Minute})
		for name, err := range calls {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s without a server: %v, want ErrUnavailable", name, err)
			}
			if err != nil && strings.Contains(err.Error(), own.Password()) {
				t.Errorf("%s: the error has the password", name)
			}
		}
		if took := time.Since(start); took > connectTimeout {
			t.Errorf("a server that refuses was waited for %v", took)
		}
		if err := own.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ingest(t.Context(), delivery("after"+string(rune('a'+round)), "US.1")); err != nil {
			t.Errorf("after the server is back: %v", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping after the server is back: %v", err)
		}
	}
	stored := storedWAMIDs(t, s)
	if len(stored) != 6 {
		t.Errorf("%v is stored, want what was acknowledged, once", stored)
	}
}

// TestStandby restarts the server as a standby, as a failover leaves the old
// primary behind, and promotes it again.
func TestStandby(t *testing.T) {
	own := startServer(t)
	dsn, _, err := own.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, Options{DSN: dsn})
	if err := errors.Join(own.Halt(), own.Demote(), own.Resume(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, opening := Open(t.Context(), Options{DSN: dsn})
	_, ingest := s.Ingest(t.Context(), delivery("m1", "US.1"))
	for name, err := range map[string]error{"Open": opening, "Ping": s.Ping(t.Context()), "Ingest": ingest} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s on a standby: %v, want ErrUnavailable", name, err)
		}
		wantText(t, err, "lead the DSN to the primary")
	}
	if err := own.Exec(t.Context(), "SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ingest(t.Context(), delivery("m1", "US.1")); err != nil {
		t.Errorf("after the promotion: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestHotQueriesUseIndexes keeps the queries that run per message or per poll
// from reading whole tables.
func TestHotQueriesUseIndexes(t *testing.T) {
	dsn := schemaOf(t, server)
	s := openStore(t, Options{DSN: dsn})
	// Small tables are read whole; the planner must not want to be.
	dsn = with(t, dsn, func(_ *url.URL, q url.Values) {
		q.Set("enable_seqscan", "off")
		q.Set("plan_cache_mode", "force_generic_plan")
	})
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	scan := regexp.MustCompile(`Seq Scan on (\w+)`)
	for name, query := range map[string]string{
		"claimable": claimable, "sendable": sendable, "fetchable": fetchable, "garbage": garbage, "witness": witnessOf,
		"threads": lockThreads, "BSUIDs": threadsOfBSUIDs, "copies": storedCopies,
	} {
		if _, err := conn.Prepare(t.Context(), name, query); err != nil {
			t.Fatal(err)
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL,", parameters(query)), ",")
		rows, err := conn.Query(t.Context(), `EXPLAIN EXECUTE "`+name+`" (`+nulls+`)`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); scan.MatchString(plan) && scan.FindStringSubmatch(plan)[1] != "parked_lines" {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// parameters is the highest parameter of a query.
func parameters(query string) (n int) {
	for _, m := range regexp.MustCompile(`\$(\d)`).FindAllStringSubmatch(query, -1) {
		n = max(n, int(m[1][0]-'0'))
	}
	return n
}

func TestClosedStore(t *testing.T) {
	s, err := Open(t.Context(), Options{DSN: schemaOf(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, ingest := s.Ingest(t.Context(), delivery("m1", "US.1"))
	_, stats := s.Stats(t.Context())
	for name, err := range map[string]error{"Ping": s.Ping(t.Context()), "Ingest": ingest, "Stats": stats} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}
