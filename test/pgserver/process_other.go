//go:build !linux

package pgserver

import "syscall"

// childAttributes: only Linux can tie a child's life to its parent's; elsewhere
// Stop has to run.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
