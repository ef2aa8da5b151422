//go:build !unix

package child

import "errors"

// setNice returns [errors.ErrUnsupported]: this system has no niceness.
func setNice(int, int) error { return errors.ErrUnsupported }
