package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

// searchLeaks looks for whatever secret was projected at any time in what all the processes logged and, of SQLite, stored.
func (t *trial) searchLeaks(ctx context.Context) error {
	search := &leaks.Search{}
	err := filepath.WalkDir(t.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, ".log"):
			return search.File(leaks.Logs, path)
		case entry.IsDir() && strings.HasPrefix(entry.Name(), dataPrefix):
			return learn(search, path)
		default:
			return nil
		}
	})
	places := []string{leaks.Logs}
	if t.kind == kindSQLite {
		err = errors.Join(err, search.SQLite(ctx, filepath.Join(t.dir, "messages.db")))
		places = append(places, leaks.Store)
	}
	return errors.Join(err, search.Leaks(places...))
}

// learn makes the secrets of an object known that lies in a directory.
func learn(search *leaks.Search, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	object := runtimeconfig.Object{Name: filepath.Base(dir), Data: map[string][]byte{}}
	for _, file := range files {
		if object.Data[file.Name()], err = os.ReadFile(filepath.Join(dir, file.Name())); err != nil {
			return err
		}
	}
	return search.Object(object)
}
