package listener_test

import (
	"net"
	"testing"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

func raw(t testing.TB, l net.Listener) *listener.Raw {
	t.Helper()
	r, ok := listener.NewRaw(l)
	if !ok {
		t.Fatalf("no Raw for %T", l)
	}
	return r
}

// wait waits until r can accept a connection.
func wait(t testing.TB, r *listener.Raw) {
	t.Helper()
	p := make([]unix.PollFd, 1)
	n := 0
	if err := r.Control(func(fd int) {
		p[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		for {
			var err error
			if n, err = unix.Poll(p, 10_000); err != unix.EINTR {
				return
			}
		}
	}); err != nil || n != 1 {
		t.Fatalf("no connection to accept: %v", err)
	}
}

// accept accepts one connection, which is closed when the test ends.
func accept(t testing.TB, r *listener.Raw) (int, *listener.Addr) {
	t.Helper()
	wait(t, r)
	a := new(listener.Addr)
	fd, err := r.Accept(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, a
}

// sources are the kinds of listeners that have a Raw.
var sources = []struct {
	name   string
	listen func(t testing.TB, network, address string) net.Listener
}{
	{"own", func(t testing.TB, network, address string) net.Listener {
		return listen(t, listener.Config{}, network, address)
	}},
	{"net", func(t testing.TB, network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}},
}

// forEachSource runs f with every kind of listener that has a Raw.
func forEachSource(t *testing.T, f func(t *testing.T, l net.Listener)) {
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			forEachNetwork(t, func(t *testing.T, network string) {
				f(t, s.listen(t, network, address(t, network)))
			})
		})
	}
}

func TestRawOnlyForExactTypes(t *testing.T) {
	tl := sources[1].listen(t, "tcp", "127.0.0.1:0")
	l := listen(t, listener.Config{}, "tcp", "127.0.0.1:0")
	for _, l := range []net.Listener{
		struct{ *net.TCPListener }{tl.(*net.TCPListener)},
		struct{ *listener.Listener }{l},
		struct{ net.Listener }{l},
		sources[1].listen(t, "unixpacket", address(t, "unix")),
		nil,
	} {
		if _, ok := listener.NewRaw(l); ok {
			t.Errorf("%T has a Raw", l)
		}
	}
}

func TestRawNamesNetworkAndAddress(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		if r.Network() != l.Addr().Network() || r.Addr() != l.Addr() {
			t.Errorf("got %s %v, want %s %v", r.Network(), r.Addr(), l.Addr().Network(), l.Addr())
		}
	})
}

func TestRawAcceptEndToEnd(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		if fd, err := r.Accept(new(listener.Addr)); fd != -1 || err != unix.EAGAIN {
			t.Fatalf("none to accept: %d, %v; want -1, EAGAIN", fd, err)
		}
		c := dial(t, l)
		fd, _ := accept(t, r)
		buf := make([]byte, 1)
		wantReadable(t, fd)
		if n, err := unix.Read(fd, buf); n != 1 || buf[0] != 'x' {
			t.Errorf("server read %d, %v", n, err)
		}
		if _, err := unix.Write(fd, []byte("y")); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(buf); err != nil || buf[0] != 'y' {
			t.Errorf("client read %q, %v", buf, err)
		}
	})
}

func wantReadable(t testing.TB, fd int) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(p, 10_000); err != unix.EINTR {
			if n != 1 {
				t.Fatalf("descriptor %d is not readable: %v", fd, err)
			}
			return
		}
	}
}

func TestRawDescriptorsAreNonblockingAndCloseOnExec(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		r := raw(t, l)
		dial(t, l)
		fd, _ := accept(t, r)
		wantFlags(t, "accepted", fd)
		if err := r.Control(func(fd int) { wantFlags(t, "listening", fd) }); err != nil {
			t.Error(err)
		}
	})
}

func wantFlags(t testing.TB, what string, fd int) {
	t.Helper()
	if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || f&unix.O_NONBLOCK == 0 {
		t.Errorf("%s descriptor is blocking: %#x, %v", what, f, err)
	}
	if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || f&unix.FD_CLOEXEC == 0 {
		t.Errorf("%s descriptor is not close-on-exec: %#x, %v", what, f, err)
	}
}

func TestRawOfPackageNetSetsItsOptions(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			l := sources[1].listen(t, network, address(t, network))
			r := raw(t, l)
			dial(t, l)
			fd, _ := accept(t, r)
			if getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 1 {
				t.Error("TCP_NODELAY is off")
			}
			if got, want := keepAlive(t, fd), [4]int{1, 15, 15, 9}; got != want {
				t.Errorf("keep-alive %v, want %v", got, want)
			}
			onDescriptor(t, l.(*net.TCPListener), func(fd int) {
				if getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT) != 0 {
					t.Error("TCP_DEFER_ACCEPT is set on the caller's socket")
				}
			})
		})
	}
}

func TestRawOfPackageNetSetsItsOptionsOnEarlierConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// This connection is pending, with the options from before.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ := listener.NewRaw(l)
	var peer listener.Addr
	fd, err := raw.Accept(&peer)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || v != 1 {
		t.Errorf("TCP_NODELAY is %d, %v", v, err)
	}
}

func TestRawAcceptDoesNotAllocate(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		const runs = 20
		r := raw(t, l)
		for range runs + 1 { // AllocsPerRun makes one more run
			dial(t, l)
		}
		a := new(listener.Addr)
		fds := make([]int, 0, runs+1)
		defer func() {
			for _, fd := range fds {
				unix.Close(fd)
			}
		}()
		n := testing.AllocsPerRun(runs, func() {
			for {
				fd, err := r.Accept(a)
				if err == nil {
					fds = append(fds, fd)
					return
				}
				if err != unix.EAGAIN {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
		if n := testing.AllocsPerRun(runs, func() { r.Accept(a) }); n != 0 {
			t.Errorf("%v allocations when there is no connection", n)
		}
	})
}
