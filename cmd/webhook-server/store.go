package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// The kinds of store.
const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
)

// maxDSNBytes is far above what a DSN has; more means that another file was named.
const maxDSNBytes = 16 << 10

// storeFlag names a store and the file that it is in, or that leads to it.
type storeFlag struct {
	kind, path string
	// err says what is wrong with the value. The flag package would quote the value with it.
	err error
}

// String implements flag.Value.
func (f *storeFlag) String() string {
	if f == nil || f.kind == "" {
		return ""
	}
	return f.kind + ":" + f.path
}

// Set implements flag.Value. It always succeeds; see err.
func (f *storeFlag) Set(v string) error {
	*f = storeFlag{}
	kind, path, ok := strings.Cut(v, ":")
	switch {
	case strings.Contains(v, "://"):
		f.err = errors.New("--store: a DSN holds a password and doesn't belong on a command line: put it into a file, and give postgres:/path/to/file")
	case !ok, path == "", kind != kindSQLite && kind != kindPostgres:
		f.err = errors.New("--store must look like sqlite:/path/to/file.db or postgres:/path/to/file-with-dsn")
	default:
		f.kind, f.path = kind, path
	}
	return nil
}

// openStore opens the store. hints receives when another process may have made work in it; it is nil if there can't be one.
func openStore(ctx context.Context, f storeFlag, migrate bool) (messages store.Store, hints <-chan struct{}, err error) {
	if f.kind == kindSQLite {
		s, err := sqlite.Open(ctx, sqlite.Options{Path: f.path, KeepSchema: !migrate})
		if err != nil {
			return nil, nil, err
		}
		return s, nil, nil
	}
	dsn, err := readDSN(f.path)
	if err != nil {
		return nil, nil, err
	}
	s, err := postgres.Open(ctx, postgres.Options{DSN: dsn, KeepSchema: !migrate})
	if err != nil {
		return nil, nil, err
	}
	hints = s.Hints()
	return s, hints, nil
}

func readDSN(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the file with the DSN of the store: %w", err)
	}
	if info.IsDir() || info.Size() > maxDSNBytes {
		return "", fmt.Errorf("the file with the DSN of the store: %s is a folder, or too large for a DSN", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the file with the DSN of the store: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
