package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	dir := flag.String("set", "test/eval/shop", "directory of the set")
	misses := flag.String("misses", "", "name of the questions whose misses are listed, such as dev-1")
	flag.Parse()
	err := run(ctx, *dir, *misses)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, misses string) error {
	if misses == frozen {
		return fmt.Errorf("questions.%s.tsv is not to be looked into: the search would be fitted to it", frozen)
	}
	set, err := readSet(dir)
	if err != nil {
		return err
	}
	results, err := set.ask(ctx)
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Println(r)
		if r.name != frozen {
			for _, k := range r.kinds {
				fmt.Println("  " + k.summary())
			}
		}
		if r.name != misses {
			continue
		}
		for _, m := range r.misses {
			fmt.Println("  " + m)
		}
	}
	return nil
}
