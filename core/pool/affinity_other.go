//go:build !linux

package pool

import (
	"errors"
	"fmt"
)

func pin(int) error { return fmt.Errorf("pool: CPUs: %w", errors.ErrUnsupported) }
