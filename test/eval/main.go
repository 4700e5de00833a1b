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
	misses := flag.String("misses", "", "name of the questions whose misses are listed, such as dev")
	flag.Parse()
	err := run(ctx, *dir, *misses)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, misses string) error {
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
		if r.name != misses {
			continue
		}
		for _, m := range r.misses {
			fmt.Println("  " + m)
		}
	}
	return nil
}
