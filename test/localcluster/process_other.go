//go:build !linux

package localcluster

import "syscall"

// childAttributes gives the child a process group of its own, so that Ctrl-C on a terminal reaches only us.
// Only Linux can tie a child's life to its parent's: elsewhere Stop has to run.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
