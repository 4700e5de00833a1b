package wholeturn

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain runs more tests at a time than there are processors: customers who wait for answers need none.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
