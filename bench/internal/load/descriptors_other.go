//go:build !unix

package load

// Descriptors reports that the limit is not known on this system.
func Descriptors() (n uint64, ok bool) { return 0, false }
