package program

import (
	"errors"
	"fmt"
	"os"
)

// Kill ends the program as a crash does, without a chance to drain, and waits until it is gone.
func (p *Program) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	<-p.exited
	return nil
}

// PID is the id of the program's process.
func (p *Program) PID() int { return p.cmd.Process.Pid }
