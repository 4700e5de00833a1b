package localcluster

import (
	"context"
	"fmt"
	"os"
)

// RunTests is the body of a TestMain: it starts one cluster for all tests of a package, hands it to
// setup, runs the tests and stops it. The result is for os.Exit. m is a *testing.M.
//
//	var cluster *localcluster.Cluster
//
//	func TestMain(m *testing.M) {
//		os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(ctx context.Context, c *localcluster.Cluster) error {
//			cluster = c
//			return c.ApplyCRDs(ctx, "../config/crd")
//		}))
//	}
func RunTests(m interface{ Run() int }, opts Options, setup func(context.Context, *Cluster) error) (code int) {
	ctx := context.Background()
	if opts.Progress == nil {
		// A cold build takes minutes: whoever waits for the tests must see why.
		opts.Progress = os.Stderr
	}
	c, err := Start(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	if err := setup(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "set up the cluster for the tests:", err)
		return 1
	}
	return m.Run()
}
