//go:build unix

package jobs

import (
	"syscall"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// pause stops a process, which does not notice, until resume is called.
func pause(p *harness.Process) (resume func()) {
	p.Signal(syscall.SIGSTOP) // an error says that it has ended
	return func() { p.Signal(syscall.SIGCONT) }
}
