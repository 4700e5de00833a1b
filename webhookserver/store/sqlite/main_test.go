package sqlite_test

import (
	"fmt"
	"os"
	"testing"
)

// crashDir names the directory of the store that a child process fills until
// it is killed.
const crashDir = "SQLITE_STORE_CRASH_DIR"

// syncDir is crashDir for a child that ingests one after the other, and ends.
const syncDir = "SQLITE_STORE_SYNC_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(syncDir); dir != "" {
		if err := ingestOneByOne(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(crashDir); dir != "" {
		if err := ingestUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
