//go:build !unix

package recycling

// maxDescriptors returns how many descriptors the process may have; zero: nobody knows.
func maxDescriptors() int { return 0 }
