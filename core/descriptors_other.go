//go:build !unix

package recycling

// maxDescriptors returns how many descriptors the process may open, or zero if that is unknown.
func maxDescriptors() int { return 0 }
