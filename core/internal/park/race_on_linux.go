//go:build race && !recycling_nopark

package park

import "syscall"

// The race detector assumes that everything before a write happens before everything after the
// read, on any descriptor, since programs rely on that. Package syscall informs it, so these calls
// exist only for that side effect.

func beforeWrite()     { syscall.Write(-1, nil) }
func afterRead(fd int) { syscall.Read(fd, nil) }
