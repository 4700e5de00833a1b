package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the lock that keeps a second process out for life. SQLite's
// own locks would let it in between two transactions, and two writers would
// each answer the same customers. The kernel drops the lock with the process,
// so a crash leaves nothing to clean up.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite store: the lock file cannot be opened: check that the directory exists and is writable: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another process has the database open: SQLite serves one replica only; stop the other one, or use PostgreSQL")
		}
		return nil, errors.Join(fmt.Errorf("sqlite store: %s: %w", path, err), f.Close())
	}
	return f, nil
}

// createPrivate creates the database file if it is missing, readable by its
// owner only: it holds what customers wrote. SQLite gives its other files the
// same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite store: the database cannot be opened: check that the directory is writable and the file is one: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("sqlite store: %w", err)
	}
	return nil
}
