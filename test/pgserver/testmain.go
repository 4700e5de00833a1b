package pgserver

import (
	"context"
	"fmt"
	"os"
)

// RunTests is the body of a TestMain: it makes one server available to all
// tests of a package, hands it to setup, runs the tests and stops it. The result
// is for os.Exit. m is a *testing.M.
func RunTests(m interface{ Run() int }, setup func(*Server)) (code int) {
	s, err := Shared(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	setup(s)
	return m.Run()
}
