package recycling_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// http2Ways are the ways to serve HTTP/2.
var http2Ways = []struct {
	name   string
	secure bool
	serve  func(s *recycling.Server, l net.Listener) error
}{
	{"Serve", false, func(s *recycling.Server, l net.Listener) error { return s.Serve(l) }},
	{"ServeTLS", true, func(s *recycling.Server, l net.Listener) error { return s.ServeTLS(l, "", "") }},
	{"Listener", false, func(s *recycling.Server, l net.Listener) error { return serveUnder(s.HTTP, s.Listener)(l) }},
	{"Listener over TLS", true, func(s *recycling.Server, l net.Listener) error { return serveUnder(s.HTTP, secureListener(s))(l) }},
	{"Listener with ServeTLS", true, func(s *recycling.Server, l net.Listener) error {
		return serveUnder(s.HTTP, func(l net.Listener) (net.Listener, error) {
			l, err := s.Listener(l)
			return tls.NewListener(l, s.HTTP.TLSConfig), err
		})(l)
	}},
	{"Use", false, func(s *recycling.Server, l net.Listener) error {
		recycling.Use(s.HTTP, func(o *recycling.Server) { o.Strategy = s.Strategy })
		return s.HTTP.Serve(l)
	}},
	{"Use with TLS", true, func(s *recycling.Server, l net.Listener) error {
		recycling.Use(s.HTTP, func(o *recycling.Server) { o.Strategy = s.Strategy })
		return s.HTTP.ServeTLS(l, "", "")
	}},
}

// secureListener returns s.Listener, over TLS with the config of s.HTTP.
func secureListener(s *recycling.Server) func(net.Listener) (net.Listener, error) {
	return func(l net.Listener) (net.Listener, error) { return s.Listener(tls.NewListener(l, s.HTTP.TLSConfig)) }
}

// http2Settings makes srv speak HTTP/2, over TLS or not.
func http2Settings(srv *http.Server, secure bool) {
	if secure {
		srv.TLSConfig = serverKeys(speaking("h2", "http/1.1"))
		return
	}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
}

// http2Over returns a client that speaks HTTP/2 on connections from dial.
func http2Over(secure bool, dial func() (net.Conn, error)) (c *http.Client, scheme string) {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	c = &http.Client{Transport: tr, Timeout: patience}
	tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return dial() }
	if secure {
		tr.Protocols.SetHTTP2(true)
		tr.TLSClientConfig = keyrings().client.Clone()
		return c, "https://"
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return c, "http://"
}

// states records the calls of a ConnState hook.
type states struct {
	mu    sync.Mutex
	conns []net.Conn
	seen  []string
}

func (s *states) hook(c net.Conn, to http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.conns, c) {
		s.conns = append(s.conns, c)
	}
	s.seen = append(s.seen, fmt.Sprint(slices.Index(s.conns, c), " ", to))
}

func (s *states) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

type testKey string

// TestHTTP2IsServedAsByNetHTTP tests that the application's functions and requests are as under
// net/http.
func TestHTTP2IsServedAsByNetHTTP(t *testing.T) {
	parallel(t)
	for _, way := range http2Ways {
		t.Run(way.name, func(t *testing.T) {
			var want []string
			forEach(t, []mode{goroutineOwn, recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
				var hooks states
				srv := &http.Server{
					ConnState:   hooks.hook,
					BaseContext: func(l net.Listener) context.Context { return context.WithValue(t.Context(), testKey("base"), "base") },
					ConnContext: func(ctx context.Context, c net.Conn) context.Context {
						hooks.hook(c, http.StateNew)
						return context.WithValue(ctx, testKey("conn"), ctx.Value(testKey("base")))
					},
				}
				http2Settings(srv, way.secure)
				srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx := r.Context()
					fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ", ctx.Value(testKey("conn")), " ", ctx.Value(http.ServerContextKey) == srv, " ", ctx.Value(http.LocalAddrContextKey) != nil)
				})
				l, err := m.listen()
				if err != nil {
					t.Fatal(err)
				}
				s := &recycling.Server{HTTP: srv, Strategy: m.strategy}
				served := make(chan error, 1)
				go func() { served <- way.serve(s, l) }()
				client, url := http2Over(way.secure, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
				for range 3 {
					got := fetch(t, client, url+l.Addr().String())
					if want := fmt.Sprint("HTTP/2.0 ", way.secure, " base true true"); got != want {
						t.Errorf("answer %q, want %q", got, want)
					}
				}
				client.CloseIdleConnections()
				if err := srv.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				receive(t, served, "the end of Serve")
				s.Shutdown(context.Background())
				got := hooks.all()
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("hooks were told\n%q\nwant\n%q", got, want)
				}
			})
		})
	}
}

// TestHTTP2IsCountedAndLimited tests that connections still count after they were handed over.
func TestHTTP2IsCountedAndLimited(t *testing.T) {
	parallel(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure=", secure), func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				srv := &http.Server{ErrorLog: quiet().ErrorLog}
				http2Settings(srv, secure)
				conf := &recycling.Server{HTTP: srv}
				conf.MaxConns = 1
				start := m.start
				if secure {
					start = m.startTLS
				}
				s := start(t, conf, hello)
				client, url := http2Over(secure, func() (net.Conn, error) { return net.Dial("tcp", s.addr.String()) })
				if got := fetch(t, client, url+s.addr.String()); got != "hello" {
					t.Fatalf("answer %q", got)
				}
				if st := s.Stats(); st.Open != 1 || st.Accepted != 1 || st.Hijacked != 0 {
					t.Errorf("with one connection: %+v", st)
				}
				client.CloseIdleConnections()
				s.await(t, "its end", func(st recycling.Stats) bool { return st.Open == 0 && st.Closed == 1 })
				if got := fetch(t, client, url+s.addr.String()); got != "hello" {
					t.Errorf("the next connection got %q", got)
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if st := s.Stats(); st.Open != 0 {
					t.Errorf("after Close: %+v", st)
				}
			})
		})
	}
}

// TestHTTP2AfterShutdownIsAnswered has clients negotiate HTTP/2 after Shutdown was called, and then
// send a request. They were accepted before.
func TestHTTP2AfterShutdownIsAnswered(t *testing.T) {
	parallel(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure=", secure), func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				t.Parallel()
				srv := &http.Server{ErrorLog: quiet().ErrorLog}
				http2Settings(srv, secure)
				start := m.start
				if secure {
					start = m.startTLS
				}
				down := make(chan struct{})
				srv.RegisterOnShutdown(func() { close(down) })
				s := start(t, &recycling.Server{HTTP: srv}, hello)
				var conns []net.Conn
				for range 3 {
					c, err := net.Dial("tcp", s.addr.String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					conns = append(conns, c)
				}
				s.await(t, "the connections", func(st recycling.Stats) bool { return st.Open == 3 })
				done := s.shutdown(context.Background())
				s.ended(t, http.ErrServerClosed)
				receive(t, down, "Shutdown of the http.Server") // it accepts no more
				for _, c := range conns {
					client, url := http2Over(secure, func() (net.Conn, error) { return c, nil })
					if got := fetch(t, client, url+s.addr.String()); got != "hello" {
						t.Errorf("answer %q", got)
					}
				}
				if err := receive(t, done, "Shutdown"); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
			})
		})
	}
}

// late starts m over TLS, connects, and shuts the server down. It returns the connection, on which
// nothing was sent yet, and the result of Shutdown.
func (m mode) late(t *testing.T, srv *http.Server) (c net.Conn, done <-chan error) {
	down := make(chan struct{})
	srv.RegisterOnShutdown(func() { close(down) })
	s := m.startTLS(t, &recycling.Server{HTTP: srv}, hello)
	c, err := net.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s.await(t, "the connection", func(st recycling.Stats) bool { return st.Open == 1 })
	done = s.shutdown(context.Background())
	receive(t, down, "Shutdown of the http.Server") // it accepts no more
	return c, done
}

// TestOtherProtocolsAfterShutdownAreServed has a client negotiate a protocol of the application
// after Shutdown was called.
func TestOtherProtocolsAfterShutdownAreServed(t *testing.T) {
	forEach(t, workerModes, func(t *testing.T, m mode) {
		srv := quiet()
		srv.TLSConfig = serverKeys(speaking("other", "http/1.1"))
		srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"other": func(of *http.Server, c *tls.Conn, _ http.Handler) { fmt.Fprint(c, of == srv) },
		}
		c, done := m.late(t, srv)
		config := keyrings().client.Clone()
		speaking("other")(config)
		c.SetDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(tls.Client(c, config)); string(got) != "true" {
			t.Errorf("answer %q (%v), want \"true\"", got, err)
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// TestLateHTTP2LeavesNothing has a late client disconnect after it has only negotiated HTTP/2, and
// the hook for that call Goexit. Closing the server then checks for leftovers.
func TestLateHTTP2LeavesNothing(t *testing.T) {
	forEach(t, workerModes, func(t *testing.T, m mode) {
		srv := quiet()
		http2Settings(srv, true)
		srv.ConnState = func(_ net.Conn, to http.ConnState) {
			if to == http.StateClosed {
				runtime.Goexit()
			}
		}
		c, done := m.late(t, srv)
		config := keyrings().client.Clone()
		speaking("h2")(config)
		if err := tls.Client(c, config).Handshake(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// TestHTTP2EndsWithTheServer has Close end HTTP/2 requests in flight, including late ones.
func TestHTTP2EndsWithTheServer(t *testing.T) {
	parallel(t)
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late=", late), func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				srv := &http.Server{ErrorLog: quiet().ErrorLog}
				http2Settings(srv, true)
				entered := make(chan struct{}, 1)
				s := m.startTLS(t, &recycling.Server{HTTP: srv}, func(w http.ResponseWriter, r *http.Request) {
					entered <- struct{}{}
					<-r.Context().Done()
				})
				c, err := net.Dial("tcp", s.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				s.await(t, "the connection", func(st recycling.Stats) bool { return st.Open == 1 })
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var done <-chan error
				if late {
					down := make(chan struct{})
					srv.RegisterOnShutdown(func() { close(down) })
					done = s.shutdown(ctx)
					receive(t, down, "Shutdown of the http.Server")
				}
				client, url := http2Over(true, func() (net.Conn, error) { return c, nil })
				asked := make(chan error, 1)
				go func() {
					res, err := client.Get(url + s.addr.String())
					if err == nil {
						res.Body.Close()
					}
					asked <- err
				}()
				receive(t, entered, "the handler")
				if late {
					cancel()
					if err := receive(t, done, "Shutdown"); err != context.Canceled {
						t.Errorf("Shutdown: %v", err)
					}
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if err := receive(t, asked, "the client"); err == nil {
					t.Error("the client got an answer")
				}
			})
		})
	}
}

// TestHTTP2SettingsHold tests that clients receive the application's settings of HTTP/2.
func TestHTTP2SettingsHold(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		srv := &http.Server{HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 7}, ErrorLog: quiet().ErrorLog}
		http2Settings(srv, true)
		s := m.startTLS(t, &recycling.Server{HTTP: srv}, hello)
		config := keyrings().client.Clone()
		config.NextProtos = []string{"h2"}
		c, err := tls.Dial("tcp", s.addr.String(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		if got := maxStreams(t, c); got != 7 {
			t.Errorf("SETTINGS_MAX_CONCURRENT_STREAMS is %d, want 7", got)
		}
	})
}

// maxStreams reads the SETTINGS frame (RFC 9113 section 6.5) that a server sends first.
func maxStreams(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	read := func(n int) []byte {
		b := make([]byte, n)
		for i := 0; i < n; {
			m, err := c.Read(b[i:])
			if i += m; err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	header := read(9)
	settings := read(int(header[0])<<16 | int(header[1])<<8 | int(header[2]))
	for ; len(settings) >= 6; settings = settings[6:] {
		if settings[1] == 3 { // SETTINGS_MAX_CONCURRENT_STREAMS
			n = int(settings[2])<<24 | int(settings[3])<<16 | int(settings[4])<<8 | int(settings[5])
		}
	}
	return n
}
