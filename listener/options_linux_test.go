package listener_test

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

func getsockopt(t testing.TB, fd, level, opt int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(fd, level, opt)
	if err != nil {
		t.Fatal(os.NewSyscallError("getsockopt", err))
	}
	return v
}

// onDescriptor runs f with the descriptor of c.
func onDescriptor(t testing.TB, c syscall.Conn, f func(fd int)) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Control(func(fd uintptr) { f(int(fd)) }); err != nil {
		t.Fatal(err)
	}
}

// keepAlive returns the options SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT.
func keepAlive(t testing.TB, fd int) [4]int {
	t.Helper()
	return [4]int{
		getsockopt(t, fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE),
		getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE),
		getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL),
		getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT),
	}
}

func TestAcceptedConnectionInheritsNoDelay(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, listener.Config{}, network, address(t, network))
			dial(t, l)
			fd, _ := accept(t, raw(t, l))
			if getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 1 {
				t.Error("TCP_NODELAY is off")
			}
		})
	}
}

func TestAcceptedConnectionHasKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config listener.Config
		want   [4]int
	}{
		{"zero", listener.Config{}, [4]int{1, 15, 15, 9}},
		{"minute", listener.Config{KeepAlive: time.Minute}, [4]int{1, 60, 60, 9}},
		{"rounded up", listener.Config{KeepAlive: 1500 * time.Millisecond}, [4]int{1, 2, 2, 9}},
		{"off", listener.Config{KeepAlive: -1}, [4]int{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, tt.config, "tcp", "127.0.0.1:0")
			check := func(how string, fd int) {
				got := keepAlive(t, fd)
				if got != tt.want && (tt.want[0] == 1 || got[0] == 1) {
					t.Errorf("%s: got %v, want %v", how, got, tt.want)
				}
			}
			dial(t, l)
			fd, _ := accept(t, raw(t, l))
			check("raw", fd)
			dial(t, l)
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			onDescriptor(t, c.(*net.TCPConn), func(fd int) { check("net", fd) })
		})
	}
}

// somaxconn returns the system's maximum for a backlog.
func somaxconn(t testing.TB) int {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBacklogIsSet(t *testing.T) {
	for _, tt := range []struct{ backlog, want int }{{7, 7}, {0, somaxconn(t)}, {math.MaxInt, somaxconn(t)}} {
		l := listen(t, listener.Config{Backlog: tt.backlog}, "tcp", "127.0.0.1:0")
		onDescriptor(t, l, func(fd int) {
			// For a listening socket, tcpi_sacked is the backlog.
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Fatal(err)
			}
			if int(info.Sacked) != tt.want {
				t.Errorf("Backlog %d: got %d, want %d", tt.backlog, info.Sacked, tt.want)
			}
		})
	}
}

func TestDeferAcceptIsSet(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want int
	}{{0, 1}, {-1, 0}, {time.Second, 1}, {1100 * time.Millisecond, 3}, {5 * time.Second, 7}} {
		l := listen(t, listener.Config{DeferAccept: tt.d}, "tcp", "127.0.0.1:0")
		onDescriptor(t, l, func(fd int) {
			if got := getsockopt(t, fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); got != tt.want {
				t.Errorf("DeferAccept %v: got %d s, want %d s", tt.d, got, tt.want)
			}
		})
	}
}

func TestDeferredConnectionIsAcceptedWithItsBytes(t *testing.T) {
	l := listen(t, listener.Config{DeferAccept: time.Minute}, "tcp", "127.0.0.1:0")
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := raw(t, l)
	if fd, err := r.Accept(new(listener.Addr)); err != unix.EAGAIN {
		t.Fatalf("before the first byte: %d, %v; want EAGAIN", fd, err)
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	fd, _ := accept(t, r)
	buf := make([]byte, 10)
	if n, err := unix.Read(fd, buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("read %q, %v", buf[:max(n, 0)], err)
	}
}

func TestSilentConnectionIsAcceptedInTheEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the second that a zero DeferAccept is")
	}
	t.Parallel()
	l := listen(t, listener.Config{}, "tcp", "127.0.0.1:0")
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accept(t, raw(t, l))
}

func TestOptionErrorNamesOptionAndAddress(t *testing.T) {
	c := listener.Config{KeepAlive: 1 << 62} // Linux allows at most 32767 s
	l, err := c.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err == nil {
		l.Close()
		t.Fatal("no error")
	}
	const want = "listener: listen tcp 127.0.0.1:0: setsockopt TCP_KEEPIDLE: invalid argument"
	if !errors.Is(err, unix.EINVAL) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestListenerIsNotMultipath(t *testing.T) {
	l := listen(t, listener.Config{}, "tcp", "127.0.0.1:0")
	onDescriptor(t, l, func(fd int) {
		if p := getsockopt(t, fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); p != unix.IPPROTO_TCP {
			t.Errorf("protocol %d", p)
		}
	})
}
