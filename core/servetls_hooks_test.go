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
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestServeTLSCallsHooksInOrder(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		type event struct {
			c  net.Conn
			to http.ConnState
		}
		events := make(chan event, 99)
		type key struct{}
		h := &http.Server{
			ErrorLog:    quiet().ErrorLog,
			ConnState:   func(c net.Conn, to http.ConnState) { events <- event{c, to} },
			ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
			tc := r.Context().Value(key{}).(*tls.Conn)
			fmt.Fprint(w, tc.ConnectionState().HandshakeComplete, tc.RemoteAddr().String() == r.RemoteAddr, tc.LocalAddr())
			if r.URL.Path == "/hijack" {
				if c, _, err := http.NewResponseController(w).Hijack(); c != tc || err != nil {
					t.Errorf("hijacked %v, %v", c, err)
				}
				tc.Close()
			}
		})
		want := func(all ...http.ConnState) {
			t.Helper()
			var first net.Conn
			for _, to := range all {
				e := receive(t, events, to.String())
				if first == nil {
					first = e.c
				}
				if _, ok := e.c.(*tls.Conn); !ok || e.c != first || e.to != to {
					t.Errorf("state %v of a %T, want %v", e.to, e.c, to)
				}
			}
		}
		c := s.dial(t).shake(version)
		for range 2 {
			if got := c.get("/"); got != fmt.Sprint(true, true, s.addr) {
				t.Errorf("answer %q", got)
			}
		}
		c.Close()
		want(http.StateNew, http.StateActive, http.StateIdle, http.StateActive, http.StateIdle, http.StateClosed)
		c = s.dial(t).shake(version)
		c.send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		io.Copy(io.Discard, c.r)
		want(http.StateNew, http.StateActive, http.StateHijacked)
		c = s.dial(t).shake(version)
		c.Close()
		want(http.StateNew, http.StateClosed)
		plain := s.dial(t)
		plain.send("garbage")
		io.Copy(io.Discard, plain.r)
		want(http.StateNew, http.StateClosed)
	})
}

// Hooks may close the connections that they get, as with net/http.
func TestServeTLSLosesConnectionsThatHooksClose(t *testing.T) {
	parallel(t)
	for _, at := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle} {
		for _, below := range []bool{false, true} {
			t.Run(fmt.Sprint(at, ", below: ", below), func(t *testing.T) {
				forEach(t, everyMode, func(t *testing.T, m mode) {
					h := &http.Server{ErrorLog: quiet().ErrorLog, ConnState: func(c net.Conn, to http.ConnState) {
						if to == at && below {
							c.(*tls.Conn).NetConn().Close()
						} else if to == at {
							c.Close()
						}
					}}
					s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
					for range 5 {
						c := s.dial(t).unshaken()
						io.WriteString(c, get)
						if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
							t.Error("the connection is still open")
						}
					}
					s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
				})
			})
		}
	}
}

// Another goroutine closes a connection that a hook got earlier and that is now idle.
func TestServeTLSLosesIdleConnectionsThatAreClosed(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		idle := make(chan net.Conn, 9)
		h := &http.Server{ConnState: func(c net.Conn, to http.ConnState) {
			if to == http.StateIdle {
				idle <- c
			}
		}}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, hello)
		for range 5 {
			c := s.dial(t).shake()
			c.get("/")
			receive(t, idle, "the connection").Close()
			c.ended()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// A hook may perform the handshake at once, to see who the client is.
func TestServeTLSGoesOnAfterHandshakesOfHooks(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		h := &http.Server{ErrorLog: quiet().ErrorLog, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if err := c.(*tls.Conn).Handshake(); err != nil {
				t.Error(err)
			}
			return ctx
		}}
		s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) })
		c := s.dial(t).shake(version)
		for range 2 {
			if body := c.get("/"); body != "true" {
				t.Errorf("answer %q", body)
			}
		}
	})
}
