package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// block makes the writer wait for a lock until the returned function is called.
func block(t *testing.T, s *Store) (release func()) {
	t.Helper()
	running, free := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.write(t.Context(), func(tx *tx) error {
			if err := tx.lock(lockDeliveries); err != nil {
				return err
			}
			close(running)
			<-free
			return nil
		})
	}()
	<-running
	release = sync.OnceFunc(func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release) // a test that fails meanwhile must not hang
	return release
}

// waiting waits until n deliveries are in the queue or under way, and some of
// them (or none) not begun.
func waiting(t *testing.T, s *Store, n, queued int) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		s.writer.mu.Lock()
		got, left := s.writer.waiting, len(s.writer.queue)
		s.writer.mu.Unlock()
		if got == n && left == queued {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d deliveries wait, %d of them not begun; want %d and %d", got, left, n, queued)
		}
		<-time.After(time.Millisecond)
	}
}

func sized(wamid string, size int) *store.Delivery {
	d := delivery(wamid, "US.1")
	d.Messages[0].Raw = make([]byte, size)
	return d
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
			tc.options.DSN = schemaOf(t, server)
			s := openStore(t, tc.options)
			release := block(t, s)
			results := make(chan error, 2)
			for i := range 2 {
				go func() {
					_, err := s.Ingest(t.Context(), sized(fmt.Sprintf("m%d", i), tc.size))
					results <- err
				}()
				waiting(t, s, i+1, i)
			}
			if _, err := s.Ingest(t.Context(), sized("m2", tc.size)); !errors.Is(err, store.ErrBusy) {
				t.Errorf("error %v, want ErrBusy, since only %s", err, tc.reason)
			}
			if err := s.Quarantine(t.Context(), &store.QuarantineEntry{App: "app", Body: make([]byte, 5000)}); !errors.Is(err, store.ErrBusy) {
				t.Errorf("Quarantine: %v, want ErrBusy: it shares the bound", err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("work that is not a delivery waits for nothing: %v", err)
			}
			release()
			for range 2 {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
			waiting(t, s, 0, 0)
			if _, err := s.Ingest(t.Context(), sized("m2", tc.size)); err != nil {
				t.Errorf("the queue is free again: %v", err)
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	release := block(t, s)
	first := make(chan error, 1)
	go func() {
		_, err := s.Ingest(t.Context(), sized("m0", 10))
		first <- err
	}()
	waiting(t, s, 1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := s.Ingest(ctx, sized("m1", 10))
		second <- err
	}()
	waiting(t, s, 2, 1)
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	waiting(t, s, 0, 0)
	if stored := storedWAMIDs(t, s); len(stored) != 1 || stored["m0"] != 1 {
		t.Errorf("%v is stored: what was taken back before it ran is not", stored)
	}
}

// TestBisect has rows among good ones that only the database finds: of no line,
// and of no number.
func TestBisect(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	d := &store.Delivery{App: "app\x00", DeadLetters: []store.DeadLetter{{Kind: "change", Reason: "a\x00\xff", Raw: []byte("x")}}}
	for i := range 30 {
		m := message(fmt.Sprintf("m%02d", i), fmt.Sprintf("US.%d", i%4))
		if i%10 == 3 {
			m.Line = ""
		}
		d.Messages = append(d.Messages, m)
	}
	for _, number := range []string{"15550000001", ""} {
		d.Statuses = append(d.Statuses, store.Status{Line: "line", PhoneNumberID: number, WAMID: "wamid.x", Kind: store.StatusSent})
	}
	r, err := s.Ingest(t.Context(), d)
	if want := (store.Receipt{New: 28, DeadLettered: 4}); err != nil || r != want {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
	letters, err := s.DeadLetters(t.Context(), 0, 100)
	if err != nil || len(letters) != 5 {
		t.Errorf("%d dead letters, %v, want 5", len(letters), err)
	}
	if stored := storedWAMIDs(t, s); len(stored) != 27 {
		t.Errorf("%d messages are stored, want 27", len(stored))
	}
}

// TestRetries proves that a lost race is tried again, and not for ever.
func TestRetries(t *testing.T) {
	s := openStore(t, Options{DSN: schemaOf(t, server)})
	runs := 0
	err := s.write(t.Context(), func(tx *tx) error {
		runs++
		if runs < 3 {
			_, err := tx.exec(`DO $$ BEGIN RAISE deadlock_detected; END $$`)
			return err
		}
		return nil
	})
	if err != nil || runs != 3 {
		t.Errorf("%d runs, %v, want success with the third", runs, err)
	}
	runs = 0
	err = s.write(t.Context(), func(tx *tx) error {
		runs++
		_, err := tx.exec(`DO $$ BEGIN RAISE serialization_failure; END $$`)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) || runs != maxAttempts {
		t.Errorf("%d runs, %v, want ErrUnavailable after %d", runs, err, maxAttempts)
	}
}
