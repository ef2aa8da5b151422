//go:build !linux

package child

import (
	"errors"
	"fmt"
	"runtime"
)

func checkMemory() error {
	return fmt.Errorf("resident memory is not measured on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func residentMemory(int) (int64, error) { return 0, checkMemory() }
