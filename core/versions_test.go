package recycling_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Behaviour that differs between versions of net/http, and depends on the listener or on fields of
// http.Server, is compared with the net/http that the test is built with. The rest is in
// recyclingtest.

// A statedConn has a TLS connection state.
type statedConn struct {
	net.Conn
	protocol string
}

func (c statedConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{ServerName: "stated.test", NegotiatedProtocol: c.protocol}
}

// A shakingConn has a handshake too, which returns err.
type shakingConn struct {
	statedConn
	shaken *bool
	err    error
}

func (c shakingConn) HandshakeContext(ctx context.Context) error {
	*c.shaken = ctx.Value(http.LocalAddrContextKey) != nil
	return c.err
}

func TestConnectionsWithAStateAreServedAsByNetHTTP(t *testing.T) {
	for name, wrap := range map[string]func(c net.Conn, shaken *bool) net.Conn{
		"none":          func(c net.Conn, _ *bool) net.Conn { return c },
		"state":         func(c net.Conn, _ *bool) net.Conn { return statedConn{c, ""} },
		"state, HTTP/1": func(c net.Conn, _ *bool) net.Conn { return statedConn{c, "http/1.1"} },
		"state, HTTP/2": func(c net.Conn, _ *bool) net.Conn { return statedConn{c, "h2"} },
		"state, other":  func(c net.Conn, _ *bool) net.Conn { return statedConn{c, "other"} },
		"handshake":     func(c net.Conn, shaken *bool) net.Conn { return shakingConn{statedConn{c, ""}, shaken, nil} },
		"handshake fails": func(c net.Conn, shaken *bool) net.Conn {
			return shakingConn{statedConn{c, ""}, shaken, io.ErrNoProgress}
		},
		"handshake, HTTP/": func(c net.Conn, shaken *bool) net.Conn {
			return shakingConn{statedConn{c, ""}, shaken, tls.RecordHeaderError{Msg: "no TLS", RecordHeader: [5]byte{'G', 'E', 'T', ' ', '/'}, Conn: c}}
		},
	} {
		exchange := func(t *testing.T, serve func(t *testing.T, srv *http.Server, l net.Listener)) string {
			var text journal
			srv := &http.Server{
				TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
				ErrorLog:     text.logger(),
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.TLS != nil {
						io.WriteString(w, r.TLS.ServerName+" "+r.TLS.NegotiatedProtocol)
					}
				}),
			}
			l := newPipeListener()
			serve(t, srv, l)
			mine, theirs := net.Pipe()
			defer mine.Close()
			mine.SetDeadline(time.Now().Add(patience))
			shaken := false
			l.conns <- wrap(theirs, &shaken)
			go io.WriteString(mine, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			received, err := io.ReadAll(mine)
			for end := time.Now().Add(patience); !strings.Contains(string(received), " 200 ") && text.String() == "" && time.Now().Before(end); {
				time.Sleep(time.Millisecond) // it may be logged after the end of the connection
			}
			return fmt.Sprintf("%v %s %v, log %q", shaken, undated(string(received)), err, text.String())
		}
		t.Run(name, func(t *testing.T) {
			var want string
			t.Run("nethttp", func(t *testing.T) { want = exchange(t, serveByNetHTTP) })
			forEach(t, wrappedModes, func(t *testing.T, m mode) {
				got := exchange(t, func(t *testing.T, srv *http.Server, l net.Listener) {
					m.listen = func() (net.Listener, error) { return l, nil }
					m.start(t, &recycling.Server{HTTP: srv}, srv.Handler.ServeHTTP)
				})
				if got != want {
					t.Errorf("received %q\nnet/http %q", got, want)
				}
			})
		})
	}
}

// serveByNetHTTP has srv serve l until the test ends.
func serveByNetHTTP(t *testing.T, srv *http.Server, l net.Listener) {
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
}

// undated returns what a server has sent, without Date.
func undated(received string) string {
	before, after, ok := strings.Cut(received, "Date: ")
	if !ok {
		return received
	}
	_, after, _ = strings.Cut(after, "\r\n")
	return before + after
}

func TestProtocolsThatAreNoneAreServedAsByNetHTTP(t *testing.T) {
	for name, protocols := range map[string]func(p *http.Protocols){
		"none":   func(*http.Protocols) {},
		"HTTP/1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2": func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			server := func() *http.Server {
				srv := &http.Server{Protocols: new(http.Protocols), ErrorLog: quiet().ErrorLog}
				protocols(srv.Protocols)
				return srv
			}
			h := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }
			received := func(addr net.Addr) string {
				c := dialTo(t, addr)
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				b, err := io.ReadAll(c)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the connection goes on: %v", err)
				}
				return undated(string(b))
			}
			var want string
			t.Run("nethttp", func(t *testing.T) {
				srv := server()
				srv.Handler = http.HandlerFunc(h)
				l, err := listenNet()
				if err != nil {
					t.Fatal(err)
				}
				serveByNetHTTP(t, srv, l)
				want = received(l.Addr())
			})
			forEach(t, everyMode, func(t *testing.T, m mode) {
				if got := received(m.start(t, &recycling.Server{HTTP: server()}, h).addr); got != want {
					t.Errorf("received %q, net/http sends %q", got, want)
				}
			})
		})
	}
}

func TestBodiesBeyondALimitAreAnsweredAsByNetHTTP(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 3)
		body, err := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprintf(w, "%q %v, Connection: %s", body, err, w.Header().Get("Connection"))
	}
	raws := []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nabcd",
		"POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd",
	}
	received := func(addr net.Addr, raw string) string {
		c := dialTo(t, addr)
		io.WriteString(c, raw+closing)
		b, _ := io.ReadAll(c)
		return strings.ReplaceAll(undated(undated(string(b))), "\r", "")
	}
	want := map[string]string{}
	t.Run("nethttp", func(t *testing.T) {
		srv := quiet()
		srv.Handler = http.HandlerFunc(h)
		l, err := listenNet()
		if err != nil {
			t.Fatal(err)
		}
		serveByNetHTTP(t, srv, l)
		for _, raw := range raws {
			want[raw] = received(l.Addr(), raw)
		}
	})
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, h)
		for _, raw := range raws {
			if got := received(s.addr, raw); got != want[raw] {
				t.Errorf("%q:\nreceived %q\nnet/http %q", raw, got, want[raw])
			}
		}
	})
}
