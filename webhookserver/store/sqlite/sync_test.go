package sqlite

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// slowDisk takes what is written when it is told to.
type slowDisk struct {
	logFile

	began, end chan struct{}
}

func (d *slowDisk) Sync() error {
	d.began <- struct{}{}
	<-d.end
	return d.logFile.Sync()
}

// TestAnswersWaitForTheDisk lets a second delivery be committed while the disk still takes the first: neither may be answered before
// a sync that began after its own commit.
func TestAnswersWaitForTheDisk(t *testing.T) {
	s := openStore(t, Options{})
	disk := &slowDisk{logFile: s.writer.sync.log, began: make(chan struct{}), end: make(chan struct{})}
	s.writer.sync.log = disk
	ingest := func(wamid string) <-chan error {
		answer := make(chan error, 1)
		go func() {
			_, err := s.Ingest(t.Context(), message(wamid, 10))
			answer <- err
		}()
		return answer
	}
	unanswered := func(answer <-chan error, when string) {
		t.Helper()
		select {
		case err := <-answer:
			t.Fatalf("answered %s: %v", when, err)
		default:
		}
	}
	first := ingest("m1")
	<-disk.began
	unanswered(first, "before the disk had it")
	second := ingest("m2")
	for committed := int64(0); committed < 2; {
		if c, err := s.Conversations(t.Context(), "line", 0, 1); err != nil {
			t.Fatal(err)
		} else if len(c) == 1 {
			committed = c[0].LastSeq
		}
	}
	disk.end <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	<-disk.began
	unanswered(second, "by the sync of the one before")
	disk.end <- struct{}{}
	if err := <-second; err != nil {
		t.Error(err)
	}
	s.writer.sync.log = disk.logFile // for the end
}

// brokenDisk fails to take something, once.
type brokenDisk struct {
	logFile

	failed atomic.Bool
}

func (d *brokenDisk) Sync() error {
	if d.failed.CompareAndSwap(false, true) {
		return errors.New("input/output error")
	}
	return d.logFile.Sync()
}

// TestDiskForgets: what a disk failed to take is gone, even if the next sync succeeds.
func TestDiskForgets(t *testing.T) {
	s := openStore(t, Options{})
	s.writer.sync.log = &brokenDisk{logFile: s.writer.sync.log}
	for range 2 {
		_, err := s.Ingest(t.Context(), message("m1", 10))
		if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("error %v, want ErrUnavailable", err)
		}
		wantText(t, err, "restart the webhook-server")
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping: %v, want ErrUnavailable, so that the server is not ready", err)
	}
}
