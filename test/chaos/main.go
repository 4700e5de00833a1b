package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options say how much happens.
type options struct {
	only     string
	seed     uint64
	keep     bool
	messages int
	// kills of a process; stops of the database.
	kills, stops int
	// scale divides the program's waits.
	scale int
	// sending is how long the messages take to be sent.
	sending time.Duration
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	o := options{messages: 20_000, kills: 10, stops: 3, scale: 10, sending: 2 * time.Minute}
	short := flag.Bool("short", false, "1,000 messages and less trouble, in two minutes")
	flag.StringVar(&o.only, "only", "", "postgres or sqlite; both by default")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of all that happens by chance")
	flag.BoolVar(&o.keep, "keep", false, "keep the logs and, of SQLite, the database")
	flag.Parse()
	if *short {
		o.messages, o.kills, o.stops, o.scale, o.sending = 1_000, 4, 1, 30, 12*time.Second
	}
	err := run(ctx, o)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	kinds := []string{kindPostgres, kindSQLite}
	switch o.only {
	case "":
	case kindPostgres, kindSQLite:
		kinds = []string{o.only}
	default:
		return fmt.Errorf("-only must be %s or %s, not %q", kindPostgres, kindSQLite, o.only)
	}
	dir, err := os.MkdirTemp("", "whatsapp-chaos-")
	if err != nil {
		return err
	}
	defer func() {
		if o.keep {
			fmt.Println("kept: " + dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	binary, err := build(ctx, dir, o.scale)
	if err != nil {
		return err
	}
	var failed []error
	for _, kind := range kinds {
		began := time.Now()
		fmt.Printf("%s: %d messages, %d kills, waits divided by %d, seed %d\n", kind, o.messages, o.kills, o.scale, o.seed)
		t := &trial{options: o, kind: kind, dir: filepath.Join(dir, kind), binary: binary}
		if err := t.run(ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", kind, err))
		}
		fmt.Printf("%s: %s\n\n", kind, time.Since(began).Round(time.Second))
	}
	return errors.Join(failed...)
}
