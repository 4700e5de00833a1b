package main

import (
	"context"
	_ "embed" // the range-spec file
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/test/perf/figures"
)

//go:embed figures.yaml
var spec []byte

// timeout bounds the whole measurement.
const timeout = 10 * time.Minute

// bench is the world of these measurements.
type bench struct {
	book *figures.Book
}

// measure prints a table of figures beside what figures.yaml expects.
func measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	book, err := figures.New(spec)
	if err != nil {
		return err
	}
	b := &bench{book: book}
	for _, phase := range []struct {
		name    string
		measure func(context.Context) error
	}{{"search", b.measureSearch}, {"indexes", b.measureIndexes}} {
		began := time.Now()
		if err := phase.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
		fmt.Printf("(%s: %s)\n\n", phase.name, time.Since(began).Round(time.Second))
	}
	return b.book.Print()
}
