package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What SQLite compiles is not to be seen from here, so this looks at what is said to it.
func TestNoLimitIsABareParameter(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d source files: %v", len(files), err)
	}
	hidden := 0
	for _, name := range files {
		if name == "limit_test.go" || name == "doc.go" {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(source, []byte("LIMIT ?")) {
			t.Errorf("%s says LIMIT ?, which has the statement compiled each time: say LIMIT +?", name)
		}
		hidden += bytes.Count(source, []byte("LIMIT +?"))
	}
	if hidden == 0 {
		t.Error("no query has a limit for a parameter any more: this test looks for the wrong thing")
	}
}
