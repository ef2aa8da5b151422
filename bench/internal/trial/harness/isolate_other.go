//go:build !unix

package harness

import "os/exec"

// isolate does nothing on this system: a command is killed when its context ends, and no command
// starts other processes.
func isolate(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
