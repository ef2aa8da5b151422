//go:build !unix

package recyclinggin_test

import (
	"errors"
	"os"
)

func dup(*os.File) (int, error) { return 0, errors.ErrUnsupported }
