package localcluster

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// sleeperDir tells this test binary, started once more, to be the parent that is going to be killed.
const sleeperDir = "LOCALCLUSTER_TEST_SLEEPER_DIR"

// runSleeper is what TestMain does in that case. It starts a child, prints its pid and waits for its end.
func runSleeper(dir string) int {
	p, err := startProcess("sleeper", "/bin/sleep", dir, "3600")
	if err != nil {
		return 1
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(p.handle.Pid) + "\n")
	<-p.exited
	return 0
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), self)
	parent.Env = append(os.Environ(), sleeperDir+"="+t.TempDir())
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the parent did not say which child it started: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !processExists(pid) {
		t.Fatal("the child does not run, so its end would prove nothing")
	}
	// SIGKILL, so that no deferred function of the parent can help.
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	eventually(t, "the child to die", func(context.Context) (bool, error) { return !processExists(pid), nil })
}

func TestProcessThatEndsIsReportedWithItsLog(t *testing.T) {
	p, err := startProcess("loud", "/bin/sh", t.TempDir(), "-c", "echo the disk is full; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	<-p.exited
	err = p.alive()
	var exit *exitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "loud") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("want an exitError with the name and the log, got %v", err)
	}
	if err := p.kill(); err != nil {
		t.Errorf("killing a process that has ended must do nothing: %v", err)
	}
}

func TestMissingBinary(t *testing.T) {
	if _, err := startProcess("ghost", "/nonexistent/ghost", t.TempDir()); err == nil || !strings.Contains(err.Error(), "ghost") {
		t.Errorf("want an error that names the program, got %v", err)
	}
}

// processExists reports whether a process with this id runs. A zombie, which waits for a reaper that an
// orphan may not have, does not.
func processExists(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, afterName, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(afterName, "Z")
}
