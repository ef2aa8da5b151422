//go:build !unix

package connections

// descriptors reports that the limit is not known on this system.
func descriptors() (n uint64, ok bool) { return 0, false }
