//go:build !unix

package server

import "time"

func ownCPU() (time.Duration, error) { return 0, ErrUnknown }
