package media

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// blobDir names the variable by which the traced process learns where it is to store a blob.
const blobDir = "WHATSAPP_TEST_BLOBS"

// TestBlobsAreSynced watches the system calls of a process that stores a blob: its row, which is durable, must not name one that a power cut
// takes away. Its content has to be forced to the disk before it gets its name, and then the name.
func TestBlobsAreSynced(t *testing.T) {
	if dir := os.Getenv(blobDir); dir != "" {
		storeBlob(t, dir)
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see what reaches the disk: run hack/prerequisites.sh strace")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	traced := filepath.Join(dir, "trace")
	blobs := filepath.Join(dir, "blobs")
	child := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", traced, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2", exe, "-test.run=^TestBlobsAreSynced$")
	child.Env = append(os.Environ(), blobDir+"="+blobs)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trace, err := os.ReadFile(traced)
	if err != nil {
		t.Fatal(err)
	}
	before, after, named := strings.Cut(string(trace), ` "`+filepath.Join(blobs, "sent", "fern")+`"`)
	if !named {
		t.Fatalf("the blob never got its name:\n%s", trace)
	}
	if !strings.Contains(before, "sync(") || !strings.Contains(before, filepath.Join(blobs, "sent", "fern")+".") {
		t.Errorf("its content was not forced to the disk before:\n%s", before)
	}
	for _, dir := range []string{filepath.Join(blobs, "sent"), blobs} {
		if !strings.Contains(after, "<"+dir+">") {
			t.Errorf("%s was not forced to the disk after that:\n%s", dir, after)
		}
	}
}

func storeBlob(t *testing.T, dir string) {
	t.Helper()
	location := url.URL{Scheme: "file", Path: dir}
	b, err := OpenBlobs(t.Context(), location.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "sent/fern", "image/png", []byte("an image")); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
