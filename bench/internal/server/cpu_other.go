//go:build !linux

package server

import "time"

// processCPU is not available on this system: see reportedCPU.
func processCPU(int) (time.Duration, error) { return 0, ErrUnknown }
