//go:build !unix

package status

import "net"

// maxDescriptors returns -1: there is no such limit.
func maxDescriptors() int64 { return -1 }

func outOfDescriptors(error) bool { return false }

func pending(*net.TCPListener) bool { return false }
