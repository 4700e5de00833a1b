package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// patience bounds the start and the stop of a server; both take moments.
	patience = 60 * time.Second
	// pollInterval is short against them.
	pollInterval = 20 * time.Millisecond
	// logTail of the server's log are shown when it does not start.
	logTail = 2 << 10

	// superuser owns the cluster. Its password is random; the server checks it.
	superuser = "postgres"
	database  = "postgres"
)

// Server is a PostgreSQL server.
type Server struct {
	url url.URL
	// dir is empty for a server that somebody else runs.
	dir      string
	bin      string
	settings []string
	owner    *syscall.Credential

	child  *exec.Cmd
	exited chan struct{}
}

// Shared returns the server of TEST_DATABASE_URL, or starts one.
func Shared(ctx context.Context) (*Server, error) {
	if text := os.Getenv("TEST_DATABASE_URL"); text != "" {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("pgserver: TEST_DATABASE_URL is no URL such as postgres://user:password@host:5432/database")
		}
		return &Server{url: *u}, nil
	}
	return Start(ctx)
}

// Start starts a server with further settings such as "fsync=off". Stop it.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, settings: settings}
	if s.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	// Not below a test's own directory: only root could enter it, and the path
	// of a socket has about 100 characters.
	if s.dir, err = os.MkdirTemp("", "pgserver-"); err != nil {
		return nil, fmt.Errorf("pgserver: %w", err)
	}
	if err := s.initialize(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Resume(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// binaries finds the folder of initdb and postgres.
func binaries() (string, error) {
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		for _, name := range []string{"initdb", "postgres"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				return "", fmt.Errorf("pgserver: POSTGRES_BIN has to be the folder of initdb and postgres: %w", err)
			}
		}
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", fmt.Errorf("pgserver: %w", err)
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("pgserver: there is no PostgreSQL server: run hack/prerequisites.sh initdb (Debian's package postgresql), " +
		"or set POSTGRES_BIN to the folder of initdb and postgres")
}

// version is that in a path like /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged is the user to run as, nil for ourselves: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // nil is what SysProcAttr wants
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("pgserver: user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("pgserver: PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: run the tests as another user")
}

func (s *Server) initialize(ctx context.Context) error {
	password := rand.Text()
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	if s.owner != nil {
		if err := errors.Join(os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)), os.Chown(secret, int(s.owner.Uid), int(s.owner.Gid))); err != nil {
			return fmt.Errorf("pgserver: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata="+filepath.Join(s.dir, "data"), "--username="+superuser,
		"--pwfile="+secret, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = s.attributes(), s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: initdb: %w: %s", err, out)
	}
	s.url = url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password), Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}, "port": {"5432"}, "sslmode": {"disable"}}.Encode(),
	}
	return nil
}

// attributes make the child ours alone: with a group of its own, so that an
// interrupt reaches us first, and under the unprivileged user.
func (s *Server) attributes() *syscall.SysProcAttr {
	a := childAttributes()
	a.Credential = s.owner
	return a
}

// Resume starts a server that was stopped, and waits until it answers.
func (s *Server) Resume(ctx context.Context) error {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=on",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB", "-c", "logging_collector=off"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.Dir = log, log, s.attributes(), s.dir
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	exited := make(chan struct{})
	s.child, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // its log says why it ended
		close(exited)
	}()
	return s.await(ctx)
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url.String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(pollInterval):
		case <-s.exited:
			return fmt.Errorf("pgserver: it ended by itself: %s", s.log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("pgserver: it does not answer: %s", s.log()), s.Halt())
		}
	}
}

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-logTail):]))
}

// Halt stops the server, cutting off its sessions; Resume starts it again.
func (s *Server) Halt() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	// "Fast": transactions are rolled back. The exit is waited for.
	if err := s.child.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(patience):
		return errors.Join(errors.New("pgserver: it did not stop in time and was killed"), s.child.Process.Signal(syscall.SIGQUIT))
	}
}

// Demote makes a server that is stopped come up as a standby that follows nobody.
func (s *Server) Demote() error {
	if err := os.WriteFile(filepath.Join(s.dir, "data", "standby.signal"), nil, 0o600); err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	return nil
}

// Stop ends the server and removes its files. One that somebody else runs stays.
func (s *Server) Stop() error {
	if s.dir == "" {
		return nil
	}
	return errors.Join(s.Halt(), os.RemoveAll(s.dir))
}

// Schema makes an empty schema and returns the DSN that leads to it, and the
// function that drops it.
func (s *Server) Schema(ctx context.Context) (dsn string, drop func(context.Context) error, err error) {
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", nil, err
	}
	u := s.url
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), func(ctx context.Context) error { return s.Exec(ctx, "DROP SCHEMA "+name+" CASCADE") }, nil
}

// Exec runs a statement outside of any schema of a test.
func (s *Server) Exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return fmt.Errorf("pgserver: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// Password is what must not appear anywhere.
func (s *Server) Password() string {
	password, _ := s.url.User.Password()
	return password
}
