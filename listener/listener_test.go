package listener_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/recycling-go/recycling/listener"
)

// listen returns a listener that is closed when the test ends.
func listen(t testing.TB, c listener.Config, network, address string) *listener.Listener {
	t.Helper()
	l, err := c.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// address returns an address to listen on.
func address(t testing.TB, network string) string {
	switch network {
	case "unix":
		// A path below t.TempDir may be too long for a socket.
		dir, err := os.MkdirTemp("", "listener")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return filepath.Join(dir, "s")
	case "tcp6":
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("no ::1 on this machine:", err)
		}
		l.Close()
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}

// dial connects to l until the test ends, and sends one byte.
func dial(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	return c
}

func forEachNetwork(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

func TestHTTPServerServes(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		l := listen(t, listener.Config{}, network, address(t, network))
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.RemoteAddr)
		})}
		served := make(chan error)
		go func() { served <- srv.Serve(l) }()

		var local net.Addr
		tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
			if err == nil {
				local = c.LocalAddr()
			}
			return c, err
		}}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr}).Get("http://test/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		want := local.String()
		if network == "unix" {
			want = "@"
		}
		if err != nil || string(body) != want {
			t.Errorf("body %q, %v; want %q", body, err, want)
		}
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestAcceptReturnsConnectionsOfPackageNet(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		l := listen(t, listener.Config{}, network, address(t, network))
		dial(t, l)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		switch c := c.(type) {
		case *net.TCPConn:
			if network == "unix" {
				t.Errorf("got %T", c)
			}
		case *net.UnixConn:
			if network != "unix" {
				t.Errorf("got %T", c)
			}
		default:
			t.Errorf("got %T", c)
		}
		if c.LocalAddr().String() != l.Addr().String() {
			t.Errorf("local address %v, listener's %v", c.LocalAddr(), l.Addr())
		}
	})
}

func TestCloseUnblocksAccept(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		l := listen(t, listener.Config{}, network, address(t, network))
		accepted := make(chan error)
		go func() {
			for {
				c, err := l.Accept()
				accepted <- err
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		dial(t, l)
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, "accept", <-accepted)
	})
}

func TestUseAfterCloseIsErrClosed(t *testing.T) {
	forEachNetwork(t, func(t *testing.T, network string) {
		l := listen(t, listener.Config{}, network, address(t, network))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := l.Accept()
		wantClosed(t, "accept", err)
		wantClosed(t, "close", l.Close())
		_, err = l.File()
		wantClosed(t, "file", err)
	})
}

func wantClosed(t *testing.T, op string, err error) {
	t.Helper()
	var oe *net.OpError
	if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != op {
		t.Errorf("%s: got %v, want a *net.OpError around net.ErrClosed", op, err)
	}
}

func TestAddressIsFreeOnceClosed(t *testing.T) {
	for _, used := range []string{"unused", "accepted"} {
		t.Run(used, func(t *testing.T) {
			forEachNetwork(t, func(t *testing.T, network string) {
				l := listen(t, listener.Config{}, network, address(t, network))
				if used == "accepted" {
					dial(t, l)
					c, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if c, err := net.Dial(l.Addr().Network(), l.Addr().String()); err == nil {
					c.Close()
					t.Error("connected to a closed listener")
				}
				listen(t, listener.Config{}, network, l.Addr().String())
			})
		})
	}
}

func TestPathOfUnixSocketIsUnlinked(t *testing.T) {
	path := address(t, "unix")
	l := listen(t, listener.Config{}, "unix", path)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}

	l = listen(t, listener.Config{}, "unix", path)
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after SetUnlinkOnClose(false): %v", err)
	}
}

func TestPortInUseIsNamedOnce(t *testing.T) {
	l := listen(t, listener.Config{}, "tcp", "127.0.0.1:0")
	_, err := listener.Listen(context.Background(), "tcp", l.Addr().String())
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want EADDRINUSE", err)
	}
	want := "listener: listen tcp " + l.Addr().String() + ": bind: address already in use"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestBadListenIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, network, address string
		config                 listener.Config
		want                   string
	}{
		{"network", "udp", "127.0.0.1:0", listener.Config{}, "listener: listen udp: unknown network udp"},
		{"datagram socket", "unixgram", "x", listener.Config{}, "listener: listen unixgram: unknown network unixgram"},
		{"empty network", "", ":0", listener.Config{}, "listener: listen: unknown network "},
		{"address", "tcp", "127.0.0.1", listener.Config{}, "listener: listen tcp: address 127.0.0.1: missing port in address"},
		{"port", "tcp", "127.0.0.1:http/2", listener.Config{}, "listener: listen tcp: lookup tcp/http/2: unknown port"},
		{"foreign address", "tcp", "192.0.2.1:0", listener.Config{}, "listener: listen tcp 192.0.2.1:0: bind: "},
		{"no directory", "unix", "/nonexistent/s", listener.Config{}, "listener: listen unix /nonexistent/s: bind: "},
		{"backlog", "tcp", "127.0.0.1:0", listener.Config{Backlog: -1}, "listener: Config.Backlog is -1, want zero (the default) or more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := tt.config.Listen(context.Background(), tt.network, tt.address)
			if err == nil {
				l.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestUnknownNetworkIsThatOfPackageNet(t *testing.T) {
	_, err := listener.Listen(context.Background(), "udp", ":0")
	var unknown net.UnknownNetworkError
	if !errors.As(err, &unknown) || string(unknown) != "udp" {
		t.Errorf("got %v", err)
	}
}

func TestEndedContextStopsResolving(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l, err := listener.Listen(ctx, "tcp", "host.invalid:0")
	if err == nil {
		l.Close()
		t.Error("no error")
	}
}
