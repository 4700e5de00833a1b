package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// defaultPoll is how often a directory is read. Reading beats being notified: it works on every file system and mount, and
	// a hundred small files cost a millisecond.
	defaultPoll = 2 * time.Second
	// maxFileBytes is the size limit of a Secret, which such a directory stands for.
	maxFileBytes = 1 << 20
)

// Directory reads Objects from a directory with one sub-directory per Object and one file per key.
type Directory struct {
	root string
	view *View
	log  logr.Logger
	poll time.Duration
}

// NewDirectory reads the Objects below root for the first time. It fails if root can't be read; a single Object that can't be read
// is a problem in the View.
func NewDirectory(root string, log logr.Logger) (*Directory, error) {
	d := &Directory{root: root, view: NewView(), log: log, poll: defaultPoll}
	if err := d.reload(); err != nil {
		return nil, err
	}
	return d, nil
}

// View returns what was read last.
func (d *Directory) View() *View { return d.view }

// Run reads the directory again every 2 seconds until ctx is done. What was read stays when the directory can't be read for a while.
func (d *Directory) Run(ctx context.Context) error {
	ticker := time.NewTicker(d.poll)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := d.reload()
		if err != nil && !failing {
			d.log.Error(err, "The channels directory can't be read; going on with what was read before")
		}
		failing = err != nil
	}
}

func (d *Directory) reload() error {
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("read channels directory: %w", err)
	}
	var objects []runtimeconfig.Object
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue // being written, or a mount's own
		}
		path := filepath.Join(d.root, entry.Name())
		info, err := os.Stat(path) // follows symbolic links, unlike entry
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !info.IsDir()) {
			continue
		}
		object := runtimeconfig.Object{Name: entry.Name(), Err: err}
		if err == nil {
			object.Data, object.Err = readKeys(path)
		}
		objects = append(objects, object)
	}
	if d.view.Publish(objects) {
		logLoaded(d.log, d.view.Load())
	}
	return nil
}

// readKeys reads a directory as a mounted Secret looks: files, often symbolic links through ..data.
func readKeys(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		content, err := readKey(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFile) {
			continue // replaced meanwhile: the next poll sees it; or a sub-directory
		}
		if err != nil {
			return nil, err
		}
		data[entry.Name()] = content
	}
	return data, nil
}

var errNoFile = errors.New("not a regular file")

func readKey(path string) (content []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	content, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes, the limit of a Secret", path, maxFileBytes)
	}
	return trimNewline(filepath.Base(path), content), nil
}

// trimNewline removes the newline with which editors and echo end a file and which no secret has. Binary keys stay as they are.
func trimNewline(key string, content []byte) []byte {
	if key == runtimeconfig.KeyContent || key == runtimeconfig.KeyLinkPublicKey {
		return content
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
}
