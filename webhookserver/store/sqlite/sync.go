package sqlite

import (
	"fmt"
	"os"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// maxUnsynced is how many groups may wait for the disk while the next one is
// written. One keeps both busy; more would only make answers later.
const maxUnsynced = 1

// syncer forces committed groups to the disk, in their order, and lets their
// callers go. It works beside the writer: while the disk takes one group the
// next is already written to the log, which SQLite's own sync, inside the
// commit, would have wait.
type syncer struct {
	// log is the write-ahead log. SQLite has it open, too; what matters is that
	// it is the same file, which lasts as long as the writer's connection.
	log     logFile
	groups  chan []*job
	release func([]*job)
	// failed is why the log can't be trusted any more.
	failed error
	done   chan struct{}
}

// logFile is what a syncer needs of an *os.File.
type logFile interface {
	Sync() error
	Close() error
}

// startSyncer opens the log of a database that has been read already, so that
// there is one.
func startSyncer(path string, release func([]*job)) (*syncer, error) {
	log, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("the log of the database: %w", err)
	}
	s := &syncer{log: log, groups: make(chan []*job, maxUnsynced), release: release, done: make(chan struct{})}
	go s.loop()
	return s, nil
}

func (s *syncer) loop() {
	defer close(s.done)
	for group := range s.groups {
		s.sync(group)
		s.release(group)
	}
}

// sync forces a group, and all before it, to the disk. A disk that fails to take
// something forgets it, and says so only once: a later success would mean
// nothing for what was lost. So the first failure is the last word.
func (s *syncer) sync(group []*job) {
	if s.failed == nil {
		if err := s.log.Sync(); err != nil {
			s.failed = fmt.Errorf("%w: the disk did not take what was written: check the volume, then restart the webhook-server: %w", store.ErrUnavailable, err)
		}
	}
	if s.failed == nil {
		return
	}
	for _, j := range group {
		j.Err = s.failed
	}
}

// close waits for what was handed over.
func (s *syncer) close() error {
	close(s.groups)
	<-s.done
	return s.log.Close()
}
