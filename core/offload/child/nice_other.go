//go:build !unix

package child

import "errors"

// setNice is for systems that have niceness.
func setNice(int, int) error { return errors.ErrUnsupported }
