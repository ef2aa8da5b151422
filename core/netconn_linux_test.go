//go:build !recycling_nopark

package recycling_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// descriptor runs f with the descriptor of c.
func descriptor(t testing.TB, c any, f func(fd int)) {
	t.Helper()
	sc, ok := c.(syscall.Conn)
	if !ok {
		t.Errorf("%T has no descriptor", c)
		return
	}
	rc, err := sc.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { f(int(fd)) })
	}
	if err != nil {
		t.Error(err)
	}
}

// The listener has keep-alive disabled, and neither a hook nor Hijack enables it.
func TestKeepAliveOfTheListenerStays(t *testing.T) {
	parallel(t)
	for _, hooked := range []bool{false, true} {
		forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
			m.listen = func() (net.Listener, error) {
				return (&listener.Config{KeepAlive: -1}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			}
			s := &recycling.Server{HTTP: new(http.Server)}
			if hooked {
				s.HTTP.ConnState = func(net.Conn, http.ConnState) {}
			}
			on := make(chan int, 1)
			in := m.start(t, s, func(w http.ResponseWriter, r *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				descriptor(t, c, func(fd int) {
					v, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
					on <- v
				})
			})
			in.dial(t).send(get)
			if v := receive(t, on, "the option"); v != 0 {
				t.Errorf("hooked %v: SO_KEEPALIVE is %d", hooked, v)
			}
		})
	}
}

func TestUnderATLSConnectionIsATCPConn(t *testing.T) {
	parallel(t)
	for _, hooked := range []bool{false, true} {
		forEach(t, everyMode, func(t *testing.T, m mode) {
			seen := make(chan string, 20)
			see := func(where string, c net.Conn) {
				descriptor(t, c, func(int) {})
				seen <- fmt.Sprintf("%s: %T", where, c)
			}
			config := serverKeys().Clone()
			certificate := &config.Certificates[0]
			inner := config.Clone()
			inner.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				see("GetCertificate", h.Conn)
				return certificate, nil
			}
			inner.Certificates = nil
			config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				see("GetConfigForClient", h.Conn)
				return inner, nil
			}
			s := &recycling.Server{HTTP: &http.Server{TLSConfig: config}}
			if hooked {
				s.HTTP.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
					see("hook", c.(*tls.Conn).NetConn())
					return ctx
				}
			}
			in := m.startTLS(t, s, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" {
					return
				}
				c, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				see("Hijack", c.(*tls.Conn).NetConn())
				line, _ := rw.ReadString('\n')
				io.WriteString(c, line)
			})
			c := in.dial(t).shake()
			c.get("/")
			c.get("/")
			c.send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\nhel")
			wants := []string{"GetConfigForClient", "GetCertificate", "Hijack"}
			if hooked {
				wants = append([]string{"hook"}, wants...)
			}
			for _, want := range wants {
				if got := receive(t, seen, want); got != want+": *net.TCPConn" {
					t.Errorf("hooked %v: %s, want it in %s", hooked, got, want)
				}
			}
			c.send("lo\n")
			if line, err := c.r.ReadString('\n'); line != "hello\n" || err != nil {
				t.Errorf("hijacked connection: %q, %v", line, err)
			}
		})
	}
}

// A hook costs a TLS connection its bare descriptor, but the connection holds no worker while it
// waits. What the hook does with the underlying connection affects that connection only.
func TestTLSConnectionsOfHooksPark(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		conns := make(chan *net.TCPConn, 100)
		s := &recycling.Server{HTTP: &http.Server{ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			tc := c.(*tls.Conn).NetConn().(*net.TCPConn)
			if f, err := tc.File(); err == nil {
				f.Fd() // the socket is blocking from now on
				f.Close()
			}
			conns <- tc
			return ctx
		}}}
		in := m.startTLS(t, s, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		})
		const n = 8
		var all []*secureClient
		for range n {
			c := in.dial(t).shake()
			for range 2 {
				c.get("/")
				c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody")
				if _, body := c.response(); body != "4" {
					t.Errorf("answer %q", body)
				}
			}
			all = append(all, c)
			nc := receive(t, conns, "the connection")
			nc.SetDeadline(time.Unix(1, 0)) // between requests the server sets its own
			nc.SetDeadline(time.Time{})
		}
		if m.parks {
			in.await(t, "all to be parked", func(st recycling.Stats) bool { return st.Parked == n && st.Busy == 0 })
			all[0].raw.Write([]byte{23, 3, 3, 0}) // part of a record
			in.await(t, "it to be parked", func(st recycling.Stats) bool { return st.Parked == n && st.Busy == 0 })
		}
		for _, c := range all[1:] {
			c.get("/")
		}
		for _, c := range all {
			c.Close()
		}
		if m.strategy != recycling.Goroutine {
			in.await(t, "the end of all", func(st recycling.Stats) bool { return st.Open == 0 })
		}
	})
}

// The application has shut the listening socket down.
func TestServeReturnsWhenItsListenerIsShutDown(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		in := m.start(t, &recycling.Server{}, hello)
		c := in.dial(t)
		c.get("/")
		l := in.listener
		if w, ok := l.(struct{ net.Listener }); ok {
			l = w.Listener
		}
		descriptor(t, l, func(fd int) { syscall.Shutdown(fd, syscall.SHUT_RDWR) })
		err := receive(t, in.served, "Serve to return")
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "accept" || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Serve returned %v", err)
		}
		c.get("/")
	})
}
