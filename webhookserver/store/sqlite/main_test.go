package sqlite_test

import (
	"fmt"
	"os"
	"testing"
)

// crashDir names the directory of the store that a child process fills until
// it is killed.
const crashDir = "SQLITE_STORE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := ingestUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
