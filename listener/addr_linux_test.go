package listener_test

import (
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// wantAddr compares a with the address that package net reports for the same connection. It closes
// fd.
func wantAddr(t *testing.T, fd int, a *listener.Addr) {
	t.Helper()
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := c.RemoteAddr()
	if got := a.NetAddr(); !reflect.DeepEqual(got, want) {
		t.Errorf("NetAddr is %#v, RemoteAddr %#v", got, want)
	}
	if a.String() != want.String() || string(a.AppendTo([]byte("to "))) != "to "+want.String() {
		t.Errorf("String is %q, RemoteAddr %q", a, want)
	}
	ap, ok := a.AddrPort()
	if tcp, isTCP := want.(*net.TCPAddr); isTCP {
		w := tcp.AddrPort()
		if w = netip.AddrPortFrom(w.Addr().Unmap(), w.Port()); !ok || ap != w {
			t.Errorf("AddrPort is %v, %v; want %v", ap, ok, w)
		}
	} else if ok {
		t.Errorf("AddrPort of %T is %v", want, ap)
	}
}

// wantPeer accepts c from l, and compares its address with package net's and with want, or with c's
// own address if want is "".
func wantPeer(t *testing.T, l net.Listener, c net.Conn, want string) {
	t.Helper()
	fd, a := accept(t, raw(t, l))
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	wantAddr(t, n, a)
	if want == "" {
		want = c.LocalAddr().String()
	}
	if a.String() != want {
		t.Errorf("peer is %q, want %q", a, want)
	}
}

func TestPeerAddressIsThatOfPackageNet(t *testing.T) {
	forEachSource(t, func(t *testing.T, l net.Listener) {
		want := ""
		if l.Addr().Network() == "unix" {
			want = "@"
		}
		wantPeer(t, l, dial(t, l), want)
	})
}

func TestPeerAddressOnDualStack(t *testing.T) {
	address(t, "tcp6")
	l := listen(t, listener.Config{}, "tcp", ":0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("x"))
		wantPeer(t, l, c, "")
	}
}

func TestPeerAddressOfLinkLocalHasZone(t *testing.T) {
	l := listen(t, listener.Config{}, "tcp6", strings.Replace(address(t, "tcp6"), "::1", "::", 1))
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := net.Dial("tcp6", net.JoinHostPort(linkLocal(t), port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("x"))
	if !strings.Contains(c.LocalAddr().String(), "%") {
		t.Fatalf("%v has no zone", c.LocalAddr())
	}
	wantPeer(t, l, c, "")
}

// linkLocal returns a link-local address of this machine with its zone.
func linkLocal(t *testing.T) string {
	ifis, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range ifis {
		addrs, err := ifi.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() && ifi.Flags&net.FlagUp != 0 {
				return n.IP.String() + "%" + ifi.Name
			}
		}
	}
	t.Skip("no link-local IPv6 address on this machine")
	return ""
}

func TestPeerAddressOfNamedUnixSocket(t *testing.T) {
	long := address(t, "unix")
	long += strings.Repeat("n", 107-len(long)) // the longest path, with its terminating zero byte
	for _, name := range []string{address(t, "unix"), long, "@recycling-listener-test", "@" + long[:107]} {
		l := listen(t, listener.Config{}, "unix", address(t, "unix"))
		c, err := net.DialUnix("unix", &net.UnixAddr{Name: name, Net: "unix"}, l.Addr().(*net.UnixAddr))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer c.Close()
		c.Write([]byte("x"))
		wantPeer(t, l, c, name)
	}
}

func TestAddrIsOverwritten(t *testing.T) {
	path := strings.Repeat("p", 20)
	l := listen(t, listener.Config{}, "unix", address(t, "unix"))
	r := raw(t, l)
	var a listener.Addr
	for _, name := range []string{"@" + path, "@q", ""} {
		d := net.Dialer{}
		if name != "" {
			d.LocalAddr = &net.UnixAddr{Name: name, Net: "unix"}
		}
		c, err := d.DialContext(t.Context(), "unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		wait(t, r)
		fd, err := r.Accept(&a)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		want := name
		if name == "" {
			want = "@"
		}
		if a.String() != want {
			t.Errorf("got %q, want %q", a.String(), want)
		}
	}
	if _, err := r.Accept(&a); err != unix.EAGAIN || a.NetAddr() != nil {
		t.Errorf("after %v there is still %v", err, a.NetAddr())
	}
}

func TestPeerAddressOfConnectionThatIsReset(t *testing.T) {
	l := listen(t, listener.Config{DeferAccept: -1}, "tcp", "127.0.0.1:0")
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := raw(t, l)
	wait(t, r)
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	fd, a := accept(t, r)
	wantReadable(t, fd)
	if _, err := unix.Getpeername(fd); err != unix.ENOTCONN {
		t.Fatalf("getpeername: %v; the connection was not reset", err)
	}
	if a.String() != c.LocalAddr().String() {
		t.Errorf("got %v, want %v", a, c.LocalAddr())
	}
}

func TestZeroAddrIsNone(t *testing.T) {
	var a listener.Addr
	if _, ok := a.AddrPort(); ok || a.NetAddr() != nil || a.String() != "" {
		t.Errorf("got %v", a.NetAddr())
	}
}
