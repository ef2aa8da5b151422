//go:build !unix

package jobs

import "github.com/recycling-go/recycling/bench/internal/trial/harness"

// pause does nothing on this system.
func pause(*harness.Process) (resume func()) { return func() {} }
