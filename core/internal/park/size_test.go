package park

import (
	"testing"
	"unsafe"
)

// Each idle connection has a Conn.
func TestSizeOfAConn(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("the size is that of 64-bit systems")
	}
	var c Conn
	if n := unsafe.Sizeof(c); n > 224 {
		t.Errorf("a Conn has %d bytes, want at most 224", n)
	}
	// Two cache lines hold what reading and writing a request needs.
	if n := unsafe.Offsetof(c.handle) + unsafe.Sizeof(c.handle.fd); n > 128 {
		t.Errorf("fd ends at %d, want at most 128", n)
	}
}
