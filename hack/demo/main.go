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
	once := flag.Bool("once", false, "exit as soon as everything was seen, with 1 if something was not")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *once)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo: "+err.Error())
		os.Exit(1)
	}
}

// run brings up the world, plays the story in it and takes it down again.
func run(ctx context.Context, once bool) (err error) {
	out := newNarrator(os.Stdout)
	w, err := newWorld(ctx, out)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := w.stop(); err == nil {
			err = stopErr
		}
	}()
	s := newStory(w, out)
	if err := s.play(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, w.logTails())
	}
	if once {
		out.title("Everything was seen.")
		return nil
	}
	link, err := s.offerLink(ctx, bike)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, w.logTails())
	}
	w.invite(out, link)
	<-ctx.Done()
	return nil
}
