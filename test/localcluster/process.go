package localcluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// logTail is how much of a process's log an error quotes: the last lines hold the reason of an exit.
const logTail = 4 << 10

// process is a child that runs until it is killed.
type process struct {
	name    string
	logPath string
	handle  *os.Process
	// exited is closed when the child has been waited for.
	exited chan struct{}
}

// startProcess starts binary in dir, with its output in <dir>/<name>.log.
func startProcess(name, binary, dir string, args ...string) (*process, error) {
	p := &process{name: name, logPath: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.logPath)
	if err != nil {
		return nil, err
	}
	// No CommandContext: the child must outlive the context of the call that starts it, until Stop.
	cmd := &exec.Cmd{
		Path: binary, Args: append([]string{binary}, args...), Dir: dir,
		Stdout: log, Stderr: log, SysProcAttr: childAttributes(),
	}

	started := make(chan error)
	go func() {
		// The death signal is sent when the *thread* that made the child exits, so this one has to stay with us
		// for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		startErr := cmd.Start()
		started <- startErr
		if startErr == nil {
			_ = cmd.Wait() // how a child that is meant to be killed ended says nothing
			close(p.exited)
		}
	}()
	err = <-started
	// The child has its own descriptor.
	if closeErr := log.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.handle = cmd.Process
	return p, nil
}

// alive returns an error that quotes the log if the process has ended.
func (p *process) alive() error {
	select {
	case <-p.exited:
		return &exitError{name: p.name, log: p.tail()}
	default:
		return nil
	}
}

// kill ends the process and waits until it is gone. There is no state worth a graceful end.
func (p *process) kill() error {
	if err := p.handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	<-p.exited
	return nil
}

func (p *process) tail() string {
	f, err := os.Open(p.logPath)
	if err != nil {
		return err.Error()
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(content))
}

// exitError says that a process ended though nobody stopped it.
type exitError struct {
	name string
	log  string
}

func (e *exitError) Error() string { return e.name + " ended by itself; its last lines:\n" + e.log }
