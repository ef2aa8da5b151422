package recycling_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// under returns a Target that starts an http.Server of which only the listener uses this package.
func under(name string, strategy recycling.Strategy, listen func() (net.Listener, error), except map[string]string) recyclingtest.Target {
	return recyclingtest.Target{
		Name:   name,
		Strict: true,
		Except: except,
		Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			l, err = (&recycling.Server{HTTP: srv, Strategy: strategy}).Listener(l)
			if err != nil {
				t.Fatal(err)
			}
			return recyclingtest.Serve(srv, l)
		},
	}
}

func TestListener(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, under("own", recycling.Recycling, listenOwn, deferred))
}

func TestListenerOnAWrappedListener(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, under("wrapped", recycling.Recycling, listenWrapped, nil))
}

// A guest is a Server whose listener is served by an http.Server that it does not know.
type guest struct {
	*instance
	log    *logBuffer
	secure bool
}

// startGuest serves h, over TLS if secure.
func (m mode) startGuest(t *testing.T, secure bool, h http.HandlerFunc) *guest {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	srv, log := logging()
	srv.Handler = h
	s := &recycling.Server{HTTP: srv, Strategy: m.strategy, DrainTimeout: briefly}
	listen := s.Listener
	if secure {
		srv.TLSConfig = serverKeys()
		listen = secureListener(s)
	}
	if l, err = listen(l); err != nil {
		t.Fatal(err)
	}
	host, served := &http.Server{Handler: h, ErrorLog: srv.ErrorLog}, make(chan error, 1)
	go func() { served <- host.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		host.Close()
	})
	return &guest{&instance{Server: s, listener: l, addr: l.Addr(), served: served}, log, secure}
}

func (g *guest) dial(t *testing.T) *client {
	c := g.instance.dial(t)
	if g.secure {
		c = c.shake().client
	}
	return c
}

// serves fails the test if Serve returns within a moment.
func (g *guest) serves(t *testing.T) {
	t.Helper()
	select {
	case err := <-g.served:
		t.Fatalf("Serve returned %v with a request in flight", err)
	case <-time.After(2 * briefly):
	}
}

func forEachGuest(t *testing.T, f func(t *testing.T, m mode, secure bool)) {
	forEach(t, workerModes, func(t *testing.T, m mode) {
		t.Run("http", func(t *testing.T) { f(t, m, false) })
		t.Run("https", func(t *testing.T) { f(t, m, true) })
	})
}

func TestListenerOfAnotherServerEndsWithShutdown(t *testing.T) {
	parallel(t)
	forEachGuest(t, func(t *testing.T, m mode, secure bool) {
		gate := newGate(t)
		g := m.startGuest(t, secure, gate.serve)
		g.dial(t).get("/")
		c := g.dial(t)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, gate.entered, "the handler")
		shut := g.shutdown(context.Background())
		g.serves(t)
		gate.open()
		if _, body := c.response(); body != "answer" {
			t.Errorf("the request in flight got %q", body)
		}
		if err := receive(t, shut, "Shutdown"); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		g.ended(t, http.ErrServerClosed)
	})
}

func TestListenerOfAnotherServerEndsWithClose(t *testing.T) {
	parallel(t)
	forEachGuest(t, func(t *testing.T, m mode, secure bool) {
		g := m.startGuest(t, secure, hello)
		c := g.dial(t)
		c.get("/")
		if err := g.Close(); err != nil {
			t.Errorf("Close returned %v", err)
		}
		g.ended(t, http.ErrServerClosed)
		c.ended()
	})
}

// TestListenerOfAnotherServerEndsWithoutItsHandlers uses a handler that does not notice that its
// connection is closed, by Close alone or after a Shutdown whose context has ended.
func TestListenerOfAnotherServerEndsWithoutItsHandlers(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	for name, shutdown := range map[string]bool{"Close": false, "Shutdown and Close": true} {
		t.Run(name, func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				gate := newGate(t)
				g := m.startGuest(t, false, gate.serve)
				g.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
				receive(t, gate.entered, "the handler")
				if shutdown {
					ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
					defer cancel()
					if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Shutdown returned %v", err)
					}
					g.serves(t)
				}
				var abandon *recycling.AbandonError
				if err := g.Close(); !errors.As(err, &abandon) {
					t.Errorf("Close returned %v, want an AbandonError", err)
				}
				g.ended(t, http.ErrServerClosed)
				time.Sleep(2 * briefly)
				// Close returns the error, and nothing is drained.
				if log := g.log.String(); log != "" {
					t.Errorf("logged: %s", log)
				}
				gate.open()
				g.await(t, "the end of the handler", func(st recycling.Stats) bool { return st.Open == 0 })
			})
		})
	}
}

func TestListenerOfAnotherServerThatIsServedTooLate(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		s := &recycling.Server{HTTP: new(http.Server), Strategy: m.strategy}
		if l, err = s.Listener(l); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		served := make(chan error, 1)
		go func() { served <- new(http.Server).Serve(l) }()
		if err := receive(t, served, "Serve"); err != http.ErrServerClosed {
			t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
		}
	})
}

func TestListenerEndsWithShutdownOfTheServer(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		for range 20 {
			l, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, Strategy: m.strategy}
			if l, err = s.Listener(l); err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.HTTP.Serve(l) }()
			c := dialTo(t, l.Addr())
			c.get("/")
			c.Close()
			if err := s.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown returned %v", err)
			}
			if err := receive(t, served, "Serve"); err != http.ErrServerClosed {
				t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
			}
		}
	})
}

// Serve and ServeTLS may begin at the same time.
func TestServeBesideServeTLS(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		for range 10 {
			s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello), TLSConfig: serverKeys()}, Strategy: m.strategy}
			var all []<-chan error
			for _, serve := range []func(net.Listener) error{s.Serve, func(l net.Listener) error { return s.ServeTLS(l, "", "") }} {
				l, err := m.listen()
				if err != nil {
					t.Fatal(err)
				}
				served := make(chan error, 1)
				go func() { served <- serve(l) }()
				all = append(all, served)
			}
			(&instance{Server: s}).await(t, "both to begin", func(st recycling.Stats) bool { return st.Workers > 0 || m.strategy == recycling.Fixed || !m.parks })
			s.Close()
			for _, served := range all {
				if err := receive(t, served, "Serve"); err != http.ErrServerClosed {
					t.Errorf("Serve returned %v", err)
				}
			}
		}
	})
}

// Listener may be called while Serve begins, with a BaseContext that both must call.
func TestListenerBesideServe(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn}, func(t *testing.T, m mode) {
		for range 20 {
			srv := &http.Server{Handler: http.HandlerFunc(hello), BaseContext: func(net.Listener) context.Context { return context.Background() }}
			s := &recycling.Server{HTTP: srv, Strategy: m.strategy}
			own, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			l, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			i := serve(s, own)
			under, err := s.Listener(l)
			if err != nil {
				t.Fatal(err)
			}
			i.once(t, "/")
			under.Close()
			s.Close()
			i.ended(t, http.ErrServerClosed)
		}
	})
}
