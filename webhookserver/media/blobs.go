package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // s3:// URLs
	"gocloud.dev/gcerrors"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// ErrBlobs is the error of a blob store that can't be used.
var ErrBlobs = errors.New("the blob store can't be used")

// Blobs keeps what is too large for the message store. It is safe for concurrent use.
type Blobs struct {
	bucket *blob.Bucket
	// dir is the directory of file URLs, empty for others.
	dir string
}

// OpenBlobs opens the blob store of a URL: file:///var/lib/whatsapp/blobs, a directory that is created if it is not
// there, or s3://bucket?region=eu-central-1&prefix=whatsapp/ with the options of gocloud.dev/blob/s3blob, whose
// credentials come from the environment or the pod's identity. Errors may quote a URL, but never one that holds a password: such a
// URL is refused.
func OpenBlobs(ctx context.Context, location string) (*Blobs, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("blob store: the URL is malformed: it must look like file:///path or s3://bucket?region=eu-central-1")
	}
	if u.User != nil {
		return nil, errors.New("blob store: the URL must not hold a user or password; give credentials in the environment, or to the pod's identity")
	}
	b := &Blobs{}
	switch u.Scheme {
	case "file":
		b.dir = u.Path
		b.bucket, err = openDirectory(u)
	case "s3":
		b.bucket, err = blob.OpenBucket(ctx, location)
	default:
		return nil, errors.New("blob store: the URL must begin with file:/// or s3://")
	}
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	return b, nil
}

// openDirectory opens a directory for nobody but us. Blobs are written beside their place and renamed, so that a crash
// leaves no half ones.
func openDirectory(u *url.URL) (*blob.Bucket, error) {
	if u.Host != "" || !filepath.IsAbs(u.Path) {
		return nil, errors.New("a file URL needs three slashes and an absolute path, such as file:///var/lib/whatsapp/blobs")
	}
	if err := os.MkdirAll(u.Path, 0o700); err != nil { //nolint:gosec // the path is a flag of the process
		return nil, err
	}
	return fileblob.OpenBucket(u.Path, &fileblob.Options{NoTempDir: true, DirFileMode: 0o700, Metadata: fileblob.MetadataDontWrite})
}

// Put stores content under a key, or replaces what is there. S3 shows its content type; nothing interprets it.
func (b *Blobs) Put(ctx context.Context, key, contentType string, content []byte) error {
	w, err := b.create(ctx, key, contentType)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		w.discard()
		return err
	}
	return w.commit()
}

// writer is a blob on its way: it is there after commit.
type writer struct {
	*blob.Writer
	cancel context.CancelFunc
	file   *os.File // nil unless it is one
	// depth is in how many directories of the store it lies, the outermost included.
	depth int
}

func (b *Blobs) create(ctx context.Context, key, contentType string) (*writer, error) {
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{cancel: cancel, depth: 1 + strings.Count(key, "/")}
	var err error
	w.Writer, err = b.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: contentType, DisableContentTypeDetection: true, MaxConcurrency: 1, // which bounds the memory of a transfer to S3
		BeforeWrite: func(as func(any) bool) error {
			as(&w.file)
			return nil
		},
	})
	if err != nil {
		cancel()
		return nil, failure(err)
	}
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, failure(err)
}

// commit makes the blob durable: the row that names it is, too.
func (w *writer) commit() error {
	if w.file != nil {
		if err := w.file.Sync(); err != nil {
			w.discard()
			return failure(err)
		}
	}
	defer w.cancel()
	if err := w.Close(); err != nil || w.file == nil {
		return failure(err)
	}
	return failure(w.syncDirectories())
}

// syncDirectories makes the blob's name durable, which it got when it was complete, and those of the directories that it lies in: they may
// be new.
func (w *writer) syncDirectories() error {
	dir := w.file.Name()
	for range w.depth {
		dir = filepath.Dir(dir)
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// discard leaves nothing behind: closing a writer whose context was cancelled drops what was written.
func (w *writer) discard() {
	w.cancel()
	_ = w.Close()
}

// Get opens a blob; store.ErrNotFound if there is none. Whoever shows it to a person sends it as an attachment: it comes from strangers.
func (b *Blobs) Get(ctx context.Context, key string) (content io.ReadCloser, size int64, err error) {
	r, err := b.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, 0, failure(err)
	}
	size = r.Size()
	return r, size, nil
}

// Delete removes a blob, and what a crash has left of writing it. Removing one that is gone is no error.
func (b *Blobs) Delete(ctx context.Context, key string) error {
	if err := failure(b.bucket.Delete(ctx, key)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if b.dir == "" {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(b.dir, key) + ".*.tmp")
	if err != nil {
		return failure(err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return failure(err)
		}
	}
	return nil
}

// Check proves that the store can be reached, so that a wrong URL is noticed at the start.
func (b *Blobs) Check(ctx context.Context) error {
	ok, err := b.bucket.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("it does not exist")
	}
	return failure(err)
}

// Close releases what the store holds.
func (b *Blobs) Close() error { return b.bucket.Close() }

func failure(err error) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fmt.Errorf("blob: %w", store.ErrNotFound)
	default:
		return fmt.Errorf("%w: %w", ErrBlobs, err)
	}
}
