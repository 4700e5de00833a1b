package sqlite

import (
	"errors"
	"testing"
)

// TestRolledBackThreadsAreForgotten has a transaction write a conversation and then fail: what it had become never was.
func TestRolledBackThreadsAreForgotten(t *testing.T) {
	s := openStore(t, Options{})
	if _, err := s.Ingest(t.Context(), message("wamid.1", 10)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.CheckThreads(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d conversations are remembered after a message, want 1: %v", n, err)
	}
	failed := errors.New("a reason to undo it")
	err := s.write(t.Context(), func(t *tx) error {
		b := newBatch(t)
		if _, err := b.addMessage(&message("wamid.2", 10).Messages[0]); err != nil {
			return err
		}
		return errors.Join(b.flush(), failed)
	})
	if err == nil {
		t.Fatal("the transaction did not fail")
	}
	if _, err := s.CheckThreads(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Ingest(t.Context(), message("wamid.3", 10)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Conversations(t.Context(), "line", 0, 10)
	if err != nil || len(c) != 1 || c[0].LastSeq != 2 {
		t.Errorf("%+v, %v: want one conversation of two messages", c, err)
	}
}
