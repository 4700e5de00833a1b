package pgserver

import "syscall"

// childAttributes make the kernel end the child when we die, however we die: a
// test binary that is killed runs no deferred function. SIGQUIT makes the server
// end its own children, too.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}
