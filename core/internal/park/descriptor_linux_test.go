//go:build !recycling_nopark

package park

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A goroutine reads and writes, for a handler that has returned or that takes the connection over,
// while the worker ends the connection. The descriptor number is reused at once, and the new
// connection must not get or lose a byte.
func TestDescriptorIsNotUsedOnceItIsAnothers(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*Conn) io.Closer
	}{
		{"close", func(c *Conn) io.Closer { return c }},
		{"net.Conn", func(c *Conn) io.Closer { c.NetConn(); return c }},
		{"detach", func(c *Conn) io.Closer { nc, _, _ := c.Detach(); return nc }},
		{"abandon", func(c *Conn) io.Closer { c.Abandon(); return c }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			for range 4 {
				f.dial(t)
				c := f.lead(t)
				number := int(c.handle.fd)
				var group sync.WaitGroup
				var reads, writes atomic.Int64
				stop := make(chan struct{})
				group.Go(func() { repeat(stop, &reads, func() { c.TryReadWire(make([]byte, 10)) }) })
				group.Go(func() { repeat(stop, &writes, func() { c.tryWrite([]byte("x")) }) })
				advance(&reads, &writes)
				rest := tt.end(c)
				if tt.name == "close" || tt.name == "abandon" {
					rest.Close()
				}
				pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
				if err != nil {
					t.Fatal(err)
				}
				unix.Write(pair[0], []byte("mine"))
				unix.Write(pair[1], []byte("mine"))
				advance(&reads, &writes)
				close(stop)
				group.Wait()
				for _, fd := range pair {
					b := make([]byte, 100)
					if n, err := unix.Read(fd, b); err != nil || string(b[:n]) != "mine" {
						t.Errorf("descriptor %d, which was %d: read %q, %v", fd, number, b[:max(n, 0)], err)
					}
				}
				unix.Close(pair[0])
				unix.Close(pair[1])
				rest.Close()
			}
		})
	}
}

// repeat calls f until stop is closed, and counts the calls.
func repeat(stop chan struct{}, n *atomic.Int64, f func()) {
	for {
		select {
		case <-stop:
			return
		default:
			f()
			n.Add(1)
		}
	}
}

// advance waits until each count has grown by 5.
func advance(counts ...*atomic.Int64) {
	for _, n := range counts {
		for from := n.Load(); n.Load() < from+5; {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// The application may close a descriptor by its number. The old net.Conn must not close a new
// connection that gets the same number.
func TestNumberClosedByTheApplicationIsLeftToIt(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	old := f.lead(t)
	nc, err := old.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	f.park(t, old, None)
	n := number(t, nc)
	var held []int // all lower numbers, so that n is assigned next
	defer func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	}()
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, fd)
		if fd > n {
			break
		}
	}
	client := f.dial(t)
	unix.Close(n)
	c := f.lead(t)
	defer c.Close()
	if int(c.handle.fd) == n {
		t.Error("the new connection has the number that the old one is going to close")
	}
	if got := <-f.expired; got != old {
		t.Error("another connection has expired")
	}
	io.WriteString(client, "hello")
	buf := make([]byte, 10)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("the new connection reads %q, %v", buf[:n], err)
	}
}

// SO_LINGER makes close(2) wait for the client, even if the socket is nonblocking.
func TestClosingDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	for _, inherited := range []bool{false, true} {
		f := newFixture(t, nil)
		linger := &unix.Linger{Onoff: 1, Linger: 5}
		if inherited {
			f.Unlisten(f.raw)
			f.raw.Control(func(fd int) { unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, linger) })
			if err := f.Listen(f.raw, false, f.newConn, nil); err != nil {
				t.Fatal(err)
			}
		}
		client := f.dial(t)
		c := f.lead(t)
		if !inherited {
			nc, err := c.NetConn()
			if err != nil {
				t.Fatal(err)
			}
			nc.(*net.TCPConn).SetLinger(int(linger.Linger))
		}
		for {
			if _, err := c.tryWrite(make([]byte, 64<<10)); err == syscall.EAGAIN {
				break
			}
		}
		if !c.lingers() {
			t.Errorf("inherited %v: it is not known that closing waits", inherited)
		}
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			c.Close()
		}()
		select {
		case <-closed:
		case <-time.After(2500 * time.Millisecond):
			t.Errorf("inherited %v: Close waits", inherited)
		}
		client.Close() // ends a Close that does wait
		<-closed
	}
}

// A socket keeps the options set by the listener's Config or by the application.
func TestNetConnKeepsTheOptionsOfItsSocket(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	c := f.lead(t)
	defer c.Close()
	want := []int{0, 0, 77, 33, 5}
	for i, o := range keptSockopts {
		if err := unix.SetsockoptInt(int(c.handle.fd), o.level, o.name, want[i]); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range keptSockopts {
		if v, err := unix.GetsockoptInt(number(t, nc), o.level, o.name); err != nil || v != want[i] {
			t.Errorf("option %d of level %d is %d, %v; want %d", o.name, o.level, v, err, want[i])
		}
	}
}

// A deadline that the application has set on the net.Conn applies, until the server sets one.
func TestDeadlineOfTheApplicationCounts(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	nc, err := c.NetConn()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "hello")
	nc.SetDeadline(time.Unix(1, 0))
	buf := make([]byte, 10)
	for name, read := range map[string]func([]byte) (int, error){"TryRead": c.TryRead, "Read": c.Read, "Write": c.Write} {
		if _, err := read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		n, err := c.TryRead(buf)
		if err == ErrWait && time.Since(begin) < 20*time.Second {
			continue
		}
		if err != nil || string(buf[:n]) != "hello" {
			t.Errorf("TryRead: %q, %v", buf[:n], err)
		}
		break
	}
	if _, err := c.Write(buf); err != nil {
		t.Error(err)
	}
}
