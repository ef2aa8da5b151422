//go:build unix

package server

import (
	"os/exec"
	"syscall"
)

// isolate gives a command that is not started yet a process group of its own, so that an interrupt from the terminal reaches
// bench alone, which ends its servers in order. It is told to end when its context does, so that nginx can end
// its workers; and where the system can do it, when bench is gone.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
}

// killGroup kills what a command that has ended left behind.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
