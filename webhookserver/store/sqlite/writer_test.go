package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func message(wamid string, size int) *store.Delivery {
	return &store.Delivery{App: "app", Messages: []store.InboundMessage{{
		Line: "line", PhoneNumberID: "1555", WAMID: wamid, From: store.Identity{BSUID: "US.1"}, Source: store.SourceMessages,
		Type: "text", EventTime: time.Now(), ReplyWorthy: true, OpensWindow: true, Raw: make([]byte, size),
	}}}
}

// block keeps the writer busy until the returned function is called.
func block(t *testing.T, s *Store) (release func()) {
	t.Helper()
	running, free := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.write(t.Context(), func(*tx) error {
			close(running)
			<-free
			return nil
		})
	}()
	<-running
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waiting waits until n deliveries are in the queue.
func waiting(t *testing.T, s *Store, n int) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		s.writer.mu.Lock()
		got := s.writer.waiting
		s.writer.mu.Unlock()
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d deliveries wait, want %d", got, n)
		}
		<-time.After(time.Millisecond)
	}
}

func TestBusy(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		options      Options
		size         int
	}{
		{"by count", "two deliveries may wait", Options{MaxWaiting: 2}, 10},
		{"by bytes", "a third one would exceed the bytes", Options{MaxWaitingBytes: 4000}, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := openStore(t, tc.options)
			release := block(t, s)
			results := make(chan error, 2)
			for i := range 2 {
				go func() {
					_, err := s.Ingest(t.Context(), message(fmt.Sprintf("m%d", i), tc.size))
					results <- err
				}()
				waiting(t, s, i+1)
			}
			if _, err := s.Ingest(t.Context(), message("m2", tc.size)); !errors.Is(err, store.ErrBusy) {
				t.Errorf("error %v, want ErrBusy, since only %s", err, tc.reason)
			}
			if err := s.Quarantine(t.Context(), &store.QuarantineEntry{App: "app", Body: make([]byte, 5000)}); !errors.Is(err, store.ErrBusy) {
				t.Errorf("Quarantine: %v, want ErrBusy: it shares the bound", err)
			}
			pinged := make(chan error, 1)
			go func() { pinged <- s.Ping(t.Context()) }()
			release()
			for range 2 {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
			if err := <-pinged; err != nil {
				t.Errorf("work that is not a delivery was refused: %v", err)
			}
			if _, err := s.Ingest(t.Context(), message("m2", tc.size)); err != nil {
				t.Errorf("the queue is free again: %v", err)
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	s := openStore(t, Options{})
	release := block(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := s.Ingest(ctx, message("m1", 10))
		result <- err
	}()
	waiting(t, s, 1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	release()
	waiting(t, s, 0)
	c, err := s.Conversations(t.Context(), "line", 0, 10)
	if err != nil || len(c) != 0 {
		t.Errorf("%d conversations, %v: what was taken back before it ran is not stored", len(c), err)
	}
}

// TestFullAndReadOnly takes the disk away and gives it back.
func TestFullAndReadOnly(t *testing.T) {
	for _, tc := range []struct {
		name, away, back, want string
	}{
		{"full", "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000", "enlarge it"},
		{"read-only", "PRAGMA query_only = 1", "PRAGMA query_only = 0", "mount the volume read-write"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := openStore(t, Options{})
			pragma := func(query string) {
				t.Helper()
				// Between two groups nobody uses the connection.
				if _, err := s.writer.conn.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			pragma(tc.away)
			stored := 0
			var err error
			for i := 0; i < 1000 && err == nil; i++ {
				if _, err = s.Ingest(t.Context(), message(fmt.Sprintf("m%d", i), 10_000)); err == nil {
					stored++
				}
			}
			if !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("error %v, want ErrUnavailable", err)
			}
			wantText(t, err, tc.want)
			if _, err := s.Ingest(t.Context(), message("again", 10_000)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error %v, want ErrUnavailable as long as it lasts", err)
			}
			if err := s.AppendReport(t.Context(), store.Report{Kind: "K", Payload: make([]byte, 10_000)}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("AppendReport: %v, want ErrUnavailable", err)
			}
			letters, err := s.DeadLetters(t.Context(), 0, 10)
			if err != nil || len(letters) != 0 {
				t.Errorf("%d dead letters, %v: a full disk is not the data's fault", len(letters), err)
			}
			pragma(tc.back)
			if _, err := s.Ingest(t.Context(), message("after", 10)); err != nil {
				t.Errorf("after the disk is back: %v", err)
			}
			c, err := s.Conversations(t.Context(), "line", 0, 10)
			if err != nil || len(c) != 1 || c[0].LastSeq != int64(stored+1) {
				t.Errorf("%+v, %v: want %d messages, those that were acknowledged", c, err, stored+1)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
