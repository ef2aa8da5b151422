package http1

import (
	"testing"
	"unsafe"
)

// An idle connection must fit into the size class of 384 bytes.
func TestSizeOfAConn(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 384 {
		t.Errorf("a Conn has %d bytes, want at most 384", n)
	}
}
