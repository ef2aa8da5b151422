//go:build !unix

package main

import (
	"errors"
	"time"
)

// ownCPU is not to be had here: the table goes without CPU.
func ownCPU() (time.Duration, error) { return 0, errors.ErrUnsupported }
