package recycling_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// TestListenerOfAHostIsClosedAlone closes one of two listeners: its connections continue, as do
// those of the other.
func TestListenerOfAHostIsClosedAlone(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		s := h.start(t, m, nil)
		one := s.socket
		other, servedOther := s.serve(t)
		a, b := s.dial(t, s.addr), s.dial(t, other)
		a.get("/")
		b.get("/")
		one.Close()
		if err := receive(t, s.served, "Serve"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve of the closed listener returned %v, want %v", err, net.ErrClosed)
		}
		a.get("/")
		b.get("/")
		s.dial(t, other).get("/")
		s.socket.Close()
		if err := receive(t, servedOther, "Serve"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve of the other listener returned %v, want %v", err, net.ErrClosed)
		}
		a.get("/")
		b.get("/")
		third, served := s.serve(t)
		s.addr, s.served = third, served
		lines := s.listen(t)
		shut := make(chan error, 1)
		go func() { shut <- s.Shutdown(context.Background()) }()
		s.returned(t)
		a.ended()
		b.ended()
		s.events <- false
		if err := receive(t, shut, "Shutdown"); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if lines.Scan() {
			t.Errorf("after the last event there is %q", lines.Text())
		}
	})
}

// TestShutdownOfAHostAfterItsListenerIsClosed has Shutdown close a listener that may still be known
// to net/http.
func TestShutdownOfAHostAfterItsListenerIsClosed(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		s := h.start(t, m, nil)
		idle := s.dial(t, s.addr)
		idle.get("/")
		s.socket.Close()
		if err := s.Shutdown(context.Background()); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Shutdown returned %v, want nil or %v", err, net.ErrClosed)
		}
		idle.ended()
	})
}

// TestHostShowsNothingElse counts the calls of hooks, also with timeouts and without keep-alives.
func TestHostShowsNothingElse(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		var based, contexts, states atomic.Int64
		check := func(a net.Addr) {
			if _, ok := a.(*net.TCPAddr); !ok {
				t.Errorf("a hook got the address %v", a)
			}
		}
		s := h.start(t, m, func(srv *http.Server) {
			srv.ReadTimeout, srv.ReadHeaderTimeout, srv.IdleTimeout = time.Minute, time.Minute, time.Nanosecond
			srv.BaseContext = func(l net.Listener) context.Context {
				based.Add(1)
				check(l.Addr())
				return context.Background()
			}
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				contexts.Add(1)
				check(c.RemoteAddr())
				return ctx
			}
			srv.ConnState = func(c net.Conn, to http.ConnState) {
				if to == http.StateNew {
					states.Add(1)
				}
				check(c.LocalAddr())
			}
		})
		lines := s.listen(t)
		s.SetKeepAlivesEnabled(false)
		shut := make(chan error, 1)
		go func() { shut <- s.Shutdown(context.Background()) }()
		s.returned(t)
		s.SetKeepAlivesEnabled(false)
		s.events <- true
		wantEvent(t, lines, 1)
		select {
		case err := <-shut:
			t.Errorf("Shutdown returned %v before the end of the stream", err)
		default:
		}
		s.events <- false
		if err := receive(t, shut, "Shutdown"); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		for lines.Scan() {
		}
		if b, c, n := based.Load(), contexts.Load(), states.Load(); b != 1 || c != 1 || n != 1 {
			t.Errorf("of one listener with one connection BaseContext was told %d, ConnContext %d, ConnState %d", b, c, n)
		}
		s.logsNothing(t)
	})
}

// TestHostIsEndedAtAnyTime calls Serve on many goroutines, while another one shuts down or closes
// the http.Server.
func TestHostIsEndedAtAnyTime(t *testing.T) {
	for name, end := range map[string]func(*hosted) error{
		"Close":    func(s *hosted) error { return s.Close() },
		"Shutdown": func(s *hosted) error { return s.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			forEachHosting(t, func(t *testing.T, h hosting, m mode) {
				for i := range 10 {
					srv, log := logging()
					srv.Handler = http.HandlerFunc(hello)
					if h.secure {
						srv.TLSConfig = serverKeys()
					}
					s := &hosted{Server: srv, hosting: h, mode: m, log: log}
					s.serveOn = h.use(srv, m.strategy)
					served, ended := make(chan error, 3), make(chan error, 1)
					for range cap(served) {
						l, err := m.listen()
						if err != nil {
							t.Fatal(err)
						}
						go func() { served <- s.serveOn(l) }()
					}
					go func() {
						time.Sleep(time.Duration(i) * 100 * time.Microsecond)
						ended <- end(s)
					}()
					if err := receive(t, ended, name); err != nil {
						t.Errorf("%s returned %v", name, err)
					}
					for range cap(served) {
						if err := receive(t, served, "Serve"); !errors.Is(err, http.ErrServerClosed) {
							t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
						}
					}
					s.logsNothing(t)
				}
			})
		})
	}
	leavesNothing(t)
}

// TestHostLeavesNothingBehind closes only the listener, and neither shuts down nor closes the
// http.Server.
func TestHostLeavesNothingBehind(t *testing.T) {
	for _, h := range hostings {
		for _, m := range everyMode {
			t.Run(h.name+"/"+m.name, func(t *testing.T) {
				s := h.start(t, m, nil)
				c := s.dial(t, s.addr)
				c.get("/")
				s.socket.Close()
				if err := receive(t, s.served, "Serve"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Serve returned %v, want %v", err, net.ErrClosed)
				}
				c.get("/")
				c.Close()
				leavesNothing(t, "net/http.(*conn)")
			})
		}
	}
}

// TestHostIsShutDownThroughItsServer shuts down the Server that a handler gets from its context.
func TestHostIsShutDownThroughItsServer(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		if m.strategy == recycling.Goroutine {
			t.Skip("it has no handler that knows the Server")
		}
		server := make(chan *recycling.Server, 1)
		s := h.start(t, m, func(srv *http.Server) {
			inner := srv.Handler
			srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				server <- recycling.FromContext(r.Context())
				inner.ServeHTTP(w, r)
			})
		})
		lines := s.listen(t)
		ours := receive(t, server, "the Server")
		shut := make(chan error, 1)
		go func() { shut <- ours.Shutdown(context.Background()) }()
		refused(t, s.addr)
		s.events <- false
		for lines.Scan() {
		}
		if err := receive(t, shut, "Shutdown"); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if err := receive(t, s.served, "Serve"); err == nil {
			t.Error("Serve returned nil")
		}
		if st := ours.Stats(); st.Open != 0 || st.Accepted < 1 {
			t.Errorf("at the end: %+v", st)
		}
	})
}

// TestHostAnswersWhatWaitsToBeAccepted has clients for which there is no room, so that they stay in
// the kernel's queue.
func TestHostAnswersWhatWaitsToBeAccepted(t *testing.T) {
	parallel(t)
	if !recycling.Parks {
		t.Skip("they are accepted by a method of the listener, which says nothing once that is closed")
	}
	for name, end := range map[string]func(*http.Server, net.Listener){
		"Shutdown": func(srv *http.Server, l net.Listener) { srv.Shutdown(context.Background()) },
		"Close":    func(srv *http.Server, l net.Listener) { l.Close() },
	} {
		for _, m := range parkModes {
			for _, under := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", m.name, "/Listener=", under), func(t *testing.T) {
					t.Parallel()
					g := newGate(t)
					srv := &http.Server{Handler: http.HandlerFunc(g.serve)}
					s := &recycling.Server{HTTP: srv, Strategy: recycling.Recycling, Limits: recycling.Limits{MaxConns: 1}}
					l, err := m.listen()
					if err != nil {
						t.Fatal(err)
					}
					defer srv.Close()
					if under {
						if l, err = s.Listener(l); err != nil {
							t.Fatal(err)
						}
					} else {
						recycling.Use(srv, func(s *recycling.Server) { s.Strategy, s.MaxConns = recycling.Recycling, 1 })
					}
					served := make(chan error, 1)
					go func() { served <- srv.Serve(l) }()
					var clients []*client
					for i := range 5 {
						c := dialTo(t, l.Addr())
						c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
						clients = append(clients, c)
						if i == 0 { // otherwise it may be evicted before its request has arrived
							receive(t, g.entered, "the handler")
						}
					}
					for _, c := range clients {
						c.arrived()
					}
					ended := make(chan bool)
					go func() { end(srv, l); close(ended) }()
					receive(t, served, "Serve")
					g.open()
					for _, c := range clients {
						if _, body := c.response(); body != "answer" {
							t.Errorf("answer %q", body)
						}
						c.Close()
					}
					receive(t, ended, name)
				})
			}
		}
	}
}

// TestUseOfATestServer uses package httptest, which counts connections by ConnState, and closes
// only the listener of an http.Server.
func TestUseOfATestServer(t *testing.T) {
	forEach(t, []mode{recyclingNet, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		for _, secure := range []bool{false, true} {
			ts := httptest.NewUnstartedServer(http.HandlerFunc(hello))
			recycling.Use(ts.Config, func(s *recycling.Server) { s.Strategy = m.strategy })
			if secure {
				ts.StartTLS()
			} else {
				ts.Start()
			}
			for range 3 {
				if body := fetch(t, ts.Client(), ts.URL); body != "hello" {
					t.Errorf("answer %q", body)
				}
			}
			ts.CloseClientConnections()
			if body := fetch(t, ts.Client(), ts.URL); body != "hello" {
				t.Errorf("answer %q", body)
			}
			closed := make(chan bool)
			go func() { ts.Close(); close(closed) }()
			receive(t, closed, "Close")
			leavesNothing(t, "net/http.(*conn)")
		}
	})
}

// exitVariable makes the test process run the application of TestApplicationExitsInTime.
const exitVariable = "RECYCLING_TEST_EXIT"

// TestApplicationExitsInTime runs an application whose exit status depends on the result of
// Shutdown, with an open stream.
func TestApplicationExitsInTime(t *testing.T) {
	if os.Getenv(exitVariable) != "" {
		srv := new(http.Server)
		streaming := make(chan bool)
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			close(streaming)
			select {}
		})
		recycling.Use(srv)
		l, err := listenNet()
		if err != nil {
			os.Exit(1)
		}
		go srv.Serve(l)
		go http.Get("http://" + l.Addr().String())
		<-streaming
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if errors.Is(srv.Shutdown(ctx), context.DeadlineExceeded) {
			os.Exit(42)
		}
		os.Exit(1)
	}
	parallel(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience) // less than DrainTimeout
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestApplicationExitsInTime$")
	cmd.Env = append(os.Environ(), exitVariable+"=1")
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("the application ended with %v, want status 42\n%s", err, out)
	}
}
