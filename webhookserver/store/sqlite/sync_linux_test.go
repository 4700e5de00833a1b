package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnswersAreSynced watches the system calls of a process: what a kill can't tell, because the page cache survives it, is whether
// the log was forced to the disk between the last write of a group and its answer.
func TestAnswersAreSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see what reaches the disk: run hack/prerequisites.sh strace")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	traced := filepath.Join(dir, "trace")
	child := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", traced, "-e", "trace=write,pwrite64,pwritev,fsync,fdatasync", exe)
	child.Env = append(os.Environ(), syncDir+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trace, err := os.ReadFile(traced)
	if err != nil {
		t.Fatal(err)
	}
	answers := 0
	log := &logFile{syncing: map[string]bool{}}
	for line := range strings.Lines(string(trace)) {
		if !strings.Contains(line, `"wamid.`) || !strings.Contains(line, " write(1<") {
			log.see(line)
			continue
		}
		answers++
		if log.written == 0 || log.unsynced {
			t.Errorf("answer %d came after %d writes to the log, the last of which was not forced to the disk", answers, log.written)
		}
		log.written = 0
	}
	if answers != syncedAnswers {
		t.Errorf("%d answers in the trace, want %d", answers, syncedAnswers)
	}
}

// logFile is what a trace tells about the write-ahead log.
type logFile struct {
	// written counts the writes since the last answer; unsynced says that one was not followed by a sync that has ended well.
	written  int
	unsynced bool
	// syncing are the threads in the midst of a sync.
	syncing map[string]bool
}

func (l *logFile) see(line string) {
	thread, call, _ := strings.Cut(line, " ")
	call = strings.TrimSpace(call)
	ofLog := strings.Contains(call, "store.db-wal>")
	ended := strings.HasSuffix(call, "= 0")
	switch {
	case ofLog && (strings.HasPrefix(call, "pwrite") || strings.HasPrefix(call, "write(")):
		l.written++
		l.unsynced = true
	case ofLog && strings.HasPrefix(call, "f"):
		l.syncing[thread] = !ended
		l.unsynced = l.unsynced && !ended
	case l.syncing[thread] && strings.Contains(call, "resumed>") && ended:
		l.syncing[thread] = false
		l.unsynced = false
	}
}
