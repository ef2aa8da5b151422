//go:build unix

package harness

import (
	"os/exec"
	"syscall"
)

// isolate gives a command that has not started yet its own process group, so that an interrupt from
// the terminal reaches only bench, which stops its servers in order. When the command's context
// ends, it gets SIGTERM, so that nginx can stop its workers. On systems that support it, the
// command also gets SIGTERM when bench dies.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
}

// killGroup kills the processes that a command has left behind.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
