//go:build linux && !recycling_nopark

package park

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestNetConnIsRealAndParks(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	f.park(t, c, None)
	io.WriteString(client, "one")
	f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := nc.(*net.TCPConn); !ok {
		t.Errorf("it is a %T", nc)
	}
	if nc.RemoteAddr().String() != client.LocalAddr().String() || c.RemoteAddr() != client.LocalAddr().String() {
		t.Errorf("peers %v and %v, want %v", nc.RemoteAddr(), c.RemoteAddr(), client.LocalAddr())
	}
	buf := make([]byte, 16)
	if n, err := c.TryRead(buf); err != nil || string(buf[:n]) != "one" {
		t.Fatalf("TryRead = %q, %v", buf[:n], err)
	}
	f.park(t, c, None)
	io.WriteString(client, "two")
	if f.lead(t) != c {
		t.Fatal("another connection")
	}
	got, early, err := c.Detach()
	if err != nil || got != nc || len(early) != 0 {
		t.Fatalf("Detach = %v, %q, %v", got, early, err)
	}
	if n, err := nc.Read(buf); err != nil || string(buf[:n]) != "two" {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	nc.Close()
	if f.removed.Load() != 1 {
		t.Error("it was not removed")
	}
}

func TestParkedConnectionClosedByTheApplicationIsFound(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	f.park(t, c, None)
	nc.Close()
	if <-f.expired != c {
		t.Error("another one expired")
	}
}

// number returns nc's descriptor.
func number(t *testing.T, nc net.Conn) (n int) {
	t.Helper()
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fillUpTo opens all descriptors below n, which is free.
func fillUpTo(t *testing.T, n int) {
	t.Helper()
	for {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		if fd >= n {
			unix.Close(fd)
			if fd > n {
				t.Skipf("somebody else has taken descriptor %d", n)
			}
			return
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
}

func TestDetachOfAClosedConnectionLeavesOthersInTheSet(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.register(); err != nil {
		t.Fatal(err)
	}
	client := f.dial(t)
	n := number(t, nc)
	nc.Close() // as the application may do
	fillUpTo(t, n)
	d := f.lead(t)
	if int(d.handle.fd) != n {
		t.Skipf("descriptor %d, not %d", int(d.handle.fd), n)
	}
	f.park(t, d, None)
	if _, _, err := c.Detach(); err == nil {
		t.Error("Detach of a closed connection succeeds")
	}
	c.Close()
	io.WriteString(client, "x")
	led := make(chan *Conn, 1)
	go func() {
		if batch, _ := f.Lead(nil); len(batch) > 0 {
			led <- batch[0]
		}
	}()
	select {
	case got := <-led:
		if got != d {
			t.Error("another connection")
		}
		d.Close()
	case <-time.After(5 * time.Second):
		t.Error("no event")
	}
}

// A connection whose NetConn fails stays a bare descriptor, whose deadlines hold.
func TestDeadlineHoldsAfterNetConnFailed(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	_, failed := c.NetConn()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if failed == nil {
		t.Fatal("NetConn made a descriptor though none was left")
	}
	timesOut(t, c, readOne(c))
}
