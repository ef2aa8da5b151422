//go:build !linux

package server

import "time"

// processCPU is not to be had here: see reportedCPU.
func processCPU(int) (time.Duration, error) { return 0, ErrUnknown }
