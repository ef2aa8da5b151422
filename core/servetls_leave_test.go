package recycling_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func TestServeTLSEndsConnectionsWithGarbage(t *testing.T) {
	parallel(t)
	forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, hello)
		for _, raw := range []string{
			"\x17\x03\x03\x00\x10" + strings.Repeat("x", 16), // data with a wrong tag
			"\x17\x03\x03\xff\xff",                           // too long
			"\x17\x03\x03\x00\x00",                           // too short for a tag
			"\x16\x03\x03\x00\x04\x01\x00\x00\x00",           // an unencrypted handshake message
			"\x80\x2e\x01\x00\x02",                           // version 2
			"\x00\x00\x00\x00\x00",
		} {
			c := s.dial(t).shake(version)
			c.get("/")
			io.WriteString(c.raw, raw)
			if _, err := io.Copy(io.Discard, c.raw); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %q the connection is still open", raw)
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
		for _, raw := range []string{"garbage of some length", "\x16\x03\x01\xff\xff", "\x16\x03\x01\x00\x00", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", "\x15\x03\x01\x00\x02\x01\x00", "\x80\x2e\x01\x00\x02"} {
			c := s.dial(t)
			c.send("%s", raw)
			c.Conn.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %q the connection is still open", raw)
			}
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// leavings are the ways in which a client disconnects.
var leavings = map[string]func(c *secureClient){
	"alert": func(c *secureClient) { c.tls.CloseWrite() },
	"end":   func(c *secureClient) { c.raw.(*net.TCPConn).CloseWrite() },
	"close": func(c *secureClient) { c.tls.Close() },
	"reset": func(c *secureClient) { c.raw.(*net.TCPConn).SetLinger(0); c.raw.Close() },
	"error": func(c *secureClient) { io.WriteString(c.raw, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)) },
}

func TestServeTLSTellsHandlersThatTheClientIsGone(t *testing.T) {
	parallel(t)
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			forEachVersion(t, everyMode, func(t *testing.T, m mode, version func(*tls.Config)) {
				for hooks, h := range map[string]*http.Server{"": quiet(), " with hooks": {ErrorLog: quiet().ErrorLog, ConnState: func(net.Conn, http.ConnState) {}}} {
					t.Run("context"+hooks, func(t *testing.T) {
						entered, over := make(chan bool, 1), make(chan error, 1)
						s := m.startTLS(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
							io.Copy(io.Discard, r.Body)
							ctx, cancel := context.WithTimeout(r.Context(), patience)
							defer cancel()
							if r.URL.Path == "/early" {
								ctx.Done()
							}
							entered <- true
							<-ctx.Done()
							over <- context.Cause(ctx)
						})
						for _, path := range []string{"/early", "/late"} {
							c := s.dial(t).shake(version)
							c.send("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc", path)
							receive(t, entered, "the handler")
							leave(c)
							if err := receive(t, over, "the end of the context"); err != context.Canceled {
								t.Errorf("the context has ended with %v", err)
							}
							c.raw.Close()
						}
					})
				}
			})
		})
	}
}

// Goroutines of a handler may use its context at any time, while the connection continues with
// other requests.
func TestServeTLSGoesOnWhateverHandlersLeaveBehind(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet}, func(t *testing.T, m mode) {
		var left sync.WaitGroup
		s := m.startTLS(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				left.Go(func() { <-r.Context().Done() })
			}
			io.WriteString(w, "hello")
		})
		var clients sync.WaitGroup
		for range 8 {
			c := s.dial(t).shake()
			clients.Go(func() {
				for range scaled(1000) {
					c.SetDeadline(time.Now().Add(patience))
					io.WriteString(c, get)
					res, err := http.ReadResponse(c.r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
				}
			})
		}
		clients.Wait()
		left.Wait()
	})
}

// TestServeTLSUnderStress does everything at once, on connections that end in all ways.
func TestServeTLSUnderStress(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/hijack":
				r.Context().Done()
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer c.Close()
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
			case "/context":
				<-r.Context().Done()
			case "/goroutine":
				go func() { <-r.Context().Done() }()
				io.WriteString(w, "hello")
			case "/panic":
				r.Context().Done()
				panic(http.ErrAbortHandler)
			default:
				r.Context().Done()
				io.WriteString(w, "hello")
			}
		})
		paths := []string{"/", "/hijack", "/context", "/goroutine", "/panic", "/", "/goroutine"}
		ways := slices.Collect(maps.Values(leavings))
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for k := range scaled(60) {
					c := s.dial(t).unshaken()
					if c.tls.Handshake() != nil {
						c.raw.Close()
						continue
					}
					for n := range k % 7 {
						path := paths[(i+k+n)%len(paths)]
						fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
						if path == "/context" {
							break
						}
						res, err := http.ReadResponse(c.r, nil)
						if errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("no answer to %s", path)
						}
						if err != nil || res.Close {
							break
						}
						io.Copy(io.Discard, res.Body)
					}
					ways[(i+k)%len(ways)](c)
					c.raw.Close()
				}
			})
		}
		clients.Wait()
		s.await(t, "the end of all connections", func(st recycling.Stats) bool { return st.Open == 0 })
		s.dial(t).shake().get("/")
	})
}
