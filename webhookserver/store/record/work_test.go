package record

import (
	"context"
	"errors"
	"testing"
)

func TestWork(t *testing.T) {
	failed := errors.New("what came of it")
	do := func(ctx context.Context, w *Work) (queued <-chan struct{}, result <-chan error) {
		q, r := make(chan struct{}), make(chan error, 1)
		go func() {
			r <- w.Do(ctx, func() error {
				close(q)
				return nil
			})
		}()
		return q, r
	}
	t.Run("the caller gets what came of it", func(t *testing.T) {
		var w Work
		queued, result := do(t.Context(), &w)
		<-queued
		if !w.Take() {
			t.Fatal("it is not wanted")
		}
		w.Err = failed
		w.End()
		if err := <-result; !errors.Is(err, failed) {
			t.Errorf("error %v, want %v", err, failed)
		}
	})
	t.Run("what a caller gave up before it was taken is not done", func(t *testing.T) {
		var w Work
		ctx, cancel := context.WithCancel(t.Context())
		queued, result := do(ctx, &w)
		<-queued
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want Canceled", err)
		}
		if w.Take() {
			t.Error("it was taken")
		}
		w.End() // nobody waits, and nothing breaks
	})
	t.Run("what was taken comes to its end although the caller gives up", func(t *testing.T) {
		var w Work
		ctx, cancel := context.WithCancel(t.Context())
		queued, result := do(ctx, &w)
		<-queued
		if !w.Take() {
			t.Fatal("it is not wanted")
		}
		cancel()
		w.Err = failed
		w.End()
		if err := <-result; !errors.Is(err, failed) {
			t.Errorf("error %v, want %v: only the end tells what became of it", err, failed)
		}
	})
	t.Run("what can't be queued is not waited for", func(t *testing.T) {
		var w Work
		if err := w.Do(t.Context(), func() error { return failed }); !errors.Is(err, failed) {
			t.Errorf("error %v, want %v", err, failed)
		}
	})
}
