//go:build !recycling_nopark

package park

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmentsSent returns tcpi_segs_out of c's struct tcp_info, which TCPInfo lacks in the oldest
// version of x/sys: how many packets have been sent.
func segmentsSent(t *testing.T, c *Conn) uint32 {
	t.Helper()
	const offset = 136
	var info [offset + 4]byte
	size := uint32(len(info))
	_, _, e := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(c.handle.fd), unix.IPPROTO_TCP, unix.TCP_INFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 || size < offset+4 {
		t.Skipf("no count of packets here: %d bytes, %v", size, e)
	}
	return *(*uint32)(unsafe.Pointer(&info[offset]))
}

func TestEndIsInThePacketOfTheLastBytes(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	before := segmentsSent(t, c)
	if n, err := c.WriteEnd([]byte("last")); n != 4 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if n := segmentsSent(t, c) - before; n != 1 {
		t.Errorf("%d packets, want 1", n)
	}
	if err := c.CloseWrite(); err != nil {
		t.Errorf("CloseWrite after that: %v", err)
	}
	c.Close()
	if b, err := io.ReadAll(client); string(b) != "last" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

// The client has sent more than is read, so closing resets the connection.
func TestLastBytesArriveAlthoughClosingResets(t *testing.T) {
	for name, write := range map[string]func(c *Conn, b []byte){
		"WriteEnd":  func(c *Conn, b []byte) { c.WriteEnd(b) },
		"WriteLast": func(c *Conn, b []byte) { c.WriteLast(b) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			client := f.dial(t)
			c := f.lead(t)
			io.WriteString(client, "more")
			for n := 0; n == 0; n, _ = c.Peek(make([]byte, 1)) {
			}
			write(c, []byte("last"))
			c.Close()
			b := make([]byte, 10)
			if n, err := io.ReadFull(client, b); string(b[:n]) != "last" {
				t.Errorf("read %q, %v", b[:n], err)
			}
		})
	}
}

func TestWriteEndWritesEverything(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	large := bytes.Repeat([]byte("0123456789"), 1<<20)
	go func() {
		if n, err := c.WriteEnd(large); n != len(large) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		c.Close()
	}()
	if b, err := io.ReadAll(client); !bytes.Equal(b, large) || err != nil {
		t.Errorf("read %d bytes, %v; want %d", len(b), err, len(large))
	}
}

func TestWriteEndKeepsTheDeadline(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	c.SetWriteDeadline(time.Now().Add(-time.Second))
	if n, err := c.WriteEnd([]byte("last")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d, %v", n, err)
	}
	c.Close()
}

func TestTryWrite2DoesNotWait(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	if n, err := c.TryWrite2([]byte("one"), []byte("two")); n != 6 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	a, b := make([]byte, 100), make([]byte, 100<<20) // more than the socket buffers
	n, err := c.TryWrite2(a, b)
	if n <= len(a) || n >= len(b) || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for more := 1; more > 0; {
		if more, err = c.TryWrite2(a, b); err != nil {
			t.Errorf("with full buffers: got %d, %v", more, err)
		}
		n += more
	}
	c.SetWriteDeadline(time.Now().Add(-time.Second))
	go c.Close()
	if got, err := io.ReadAll(client); len(got) != 6+n || !bytes.HasPrefix(got, []byte("onetwo")) || err != nil {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, 6+n)
	}
	if n, err := c.TryWrite2(a, b); n != 0 || err != nil {
		t.Errorf("after Close: got %d, %v", n, err)
	}
}
