package localcluster

import "syscall"

// childAttributes makes the kernel kill the child when we die, however we die: a test binary that runs into its
// timeout or is killed by a CI system runs no deferred function.
//
// The child gets a process group of its own, or Ctrl-C on a terminal would stop the control plane in the
// same moment as the programs that are being shut down against it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
