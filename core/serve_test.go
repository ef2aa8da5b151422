package recycling_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about Serve, Shutdown, Close and hooks, as an application sees them in net/http:
// the behaviour suite has no access to the listener of a Server.

// wrappedModes are the strategies on listeners that tests define.
var wrappedModes = []mode{
	recyclingWrapped,
	{"pool-wrapped", recycling.Pool, listenWrapped, false},
	{"goroutine-wrapped", recycling.Goroutine, listenWrapped, false},
}

// A logBuffer is an ErrorLog.
type logBuffer struct {
	mu  sync.Mutex // guards the following
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// logging returns an http.Server and its log.
func logging() (*http.Server, *logBuffer) {
	b := new(logBuffer)
	return &http.Server{ErrorLog: log.New(b, "", 0)}, b
}

// A fussyListener counts how often it is closed, and returns an error for that. It is not
// comparable.
type fussyListener struct {
	net.Listener
	closed   *atomic.Int64
	closeErr error
	_        []int
}

func (l fussyListener) Close() error {
	l.closed.Add(1)
	return errors.Join(l.Listener.Close(), l.closeErr)
}

// fussy makes m listen on fussyListeners.
func (m mode) fussy(closed *atomic.Int64, closeErr error) mode {
	m.listen = func() (net.Listener, error) {
		l, err := listenNet()
		return fussyListener{Listener: l, closed: closed, closeErr: closeErr}, err
	}
	return m
}

func TestListenerIsClosedOnce(t *testing.T) {
	parallel(t)
	for name, end := range map[string]func(s *instance){
		"Shutdown":                    func(s *instance) { s.Shutdown(context.Background()) },
		"Close":                       func(s *instance) { s.Close() },
		"Close after Shutdown":        func(s *instance) { s.Shutdown(context.Background()); s.Close() },
		"Shutdown of the HTTP server": func(s *instance) { s.HTTP.Shutdown(context.Background()); s.Shutdown(context.Background()) },
		"failure":                     func(s *instance) { s.listener.(fussyListener).Listener.Close() },
		"failure, and Shutdown after it": func(s *instance) {
			s.listener.(fussyListener).Listener.Close()
			<-s.served
			s.Shutdown(context.Background())
		},
		"all at once, and several of each": func(s *instance) {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { s.Shutdown(context.Background()) })
				all.Go(func() { s.Close() })
			}
			all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, wrappedModes, func(t *testing.T, m mode) {
				var closed atomic.Int64
				s := m.fussy(&closed, nil).start(t, &recycling.Server{}, hello)
				if body := s.once(t, "/"); body != "hello" {
					t.Errorf("answer %q", body)
				}
				end(s)
				receive(t, s.served, "Serve to return")
				if n := closed.Load(); n != 1 {
					t.Errorf("the listener was closed %d times", n)
				}
			})
		})
	}
}

func TestListenerIsClosedOnceByServeAfterShutdown(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		var closed atomic.Int64
		s := &recycling.Server{Strategy: m.strategy}
		s.Shutdown(context.Background())
		l, err := m.fussy(&closed, nil).listen()
		if err != nil {
			t.Fatal(err)
		}
		serve(s, l).ended(t, http.ErrServerClosed)
		if n := closed.Load(); n != 1 {
			t.Errorf("the listener was closed %d times", n)
		}
	})
}

func TestShutdownAndCloseReturnTheErrorOfTheListener(t *testing.T) {
	parallel(t)
	broken := errors.New("cannot be closed")
	for name, end := range map[string]func(*recycling.Server) error{
		"Shutdown": func(s *recycling.Server) error { return s.Shutdown(context.Background()) },
		"Close":    (*recycling.Server).Close,
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, wrappedModes, func(t *testing.T, m mode) {
				var closed atomic.Int64
				s := m.fussy(&closed, broken).start(t, &recycling.Server{}, hello)
				s.once(t, "/")
				if err := end(s.Server); !errors.Is(err, broken) {
					t.Errorf("returned %v, want the error of the listener", err)
				}
				s.ended(t, http.ErrServerClosed)
				if err := end(s.Server); err != nil {
					t.Errorf("the second time it returned %v", err)
				}
			})
		})
	}
}

func TestBaseContextGetsTheListenerOfServe(t *testing.T) {
	parallel(t)
	forEach(t, append(slices.Clone(everyMode), wrappedModes...), func(t *testing.T, m mode) {
		got := make(chan net.Listener, 9)
		s := m.start(t, &recycling.Server{HTTP: &http.Server{BaseContext: func(l net.Listener) context.Context {
			got <- l
			return context.Background()
		}}}, hello)
		if l := receive(t, got, "BaseContext"); l != s.listener {
			t.Errorf("BaseContext got %T %v, want that of Serve, %T", l, l.Addr(), s.listener)
		}
		s.once(t, "/")
		s.once(t, "/")
		if len(got) > 0 {
			t.Error("BaseContext was called again")
		}
	})
}

// serveRecovered calls Serve, and returns a channel for the value that it panics with.
func serveRecovered(s *recycling.Server, l net.Listener) <-chan any {
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		panic(fmt.Sprint("Serve returned ", s.Serve(l)))
	}()
	return panicked
}

func TestANilBaseContextIsAPanicOfServe(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{BaseContext: func(net.Listener) context.Context { return nil }}}
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		if v := receive(t, serveRecovered(s, l), "Serve"); v != "BaseContext returned a nil context" {
			t.Errorf("Serve panicked with %v", v)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener is open: %v", err)
		}
	})
}

// Net/http calls the hook in Serve, which panics. Here a worker calls it: the panic is logged and
// ends the connection.
func TestANilConnContextIsAPanic(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		h, log := logging()
		h.ConnContext = func(context.Context, net.Conn) context.Context { return nil }
		s := &recycling.Server{Strategy: m.strategy, HTTP: h}
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		panicked := serveRecovered(s, l)
		defer func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		c := dialTo(t, l.Addr())
		c.send(get)
		if m.strategy != recycling.Goroutine {
			c.ended()
			if s := log.String(); !strings.HasPrefix(s, "http: panic serving ") || !strings.Contains(s, ": ConnContext returned nil\ngoroutine ") {
				t.Errorf("error log has %q", s)
			}
			return
		}
		if v := receive(t, panicked, "Serve"); v != "ConnContext returned nil" {
			t.Errorf("Serve panicked with %v", v)
		}
	})
}

// A tempError is an error after which Serve should continue.
type tempError struct{}

func (tempError) Error() string   { return "try again" }
func (tempError) Temporary() bool { return true }
func (tempError) Timeout() bool   { return false }

// A scriptListener returns the errors of its script, and a connection for each nil in it. After
// that it works as its inner listener does.
type scriptListener struct {
	net.Listener
	script chan error
}

func (l scriptListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.script:
		if err != nil {
			return nil, err
		}
	default:
	}
	return l.Listener.Accept()
}

// scripted makes m listen on scriptListeners.
func (m mode) scripted(script ...error) mode {
	m.listen = func() (net.Listener, error) {
		l, err := listenNet()
		errs := make(chan error, len(script))
		for _, err := range script {
			errs <- err
		}
		return scriptListener{l, errs}, err
	}
	return m
}

func TestTemporaryErrorsOfAcceptAreLoggedAndRetried(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		h, log := logging()
		s := m.scripted(tempError{}, tempError{}, tempError{}, nil, tempError{}).start(t, &recycling.Server{HTTP: h}, hello)
		for range 2 {
			if body := s.once(t, "/"); body != "hello" {
				t.Errorf("answer %q", body)
			}
		}
		var want strings.Builder
		for _, d := range []int{5, 10, 20, 5} {
			fmt.Fprintf(&want, "http: Accept error: try again; retrying in %dms\n", d)
		}
		if got := log.String(); got != want.String() {
			t.Errorf("error log has\n%swant\n%s", got, want.String())
		}
	})
}

func TestOtherErrorsOfAcceptEndServe(t *testing.T) {
	parallel(t)
	broken := errors.New("broken")
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		h, log := logging()
		s := m.scripted(nil, broken).start(t, &recycling.Server{HTTP: h}, hello)
		c := s.dial(t)
		c.get("/")
		s.ended(t, broken)
		c.get("/") // the connection continues
		if log.String() != "" {
			t.Errorf("error log has %q", log)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		c.ended()
	})
}

func TestConnStateIsNewBeforeServeReturns(t *testing.T) {
	parallel(t)
	broken := errors.New("broken")
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		states := make(chan http.ConnState, 9)
		h := &http.Server{ConnState: func(_ net.Conn, to http.ConnState) { states <- to }}
		s := m.scripted(nil, broken).start(t, &recycling.Server{HTTP: h}, hello)
		c := s.dial(t)
		s.ended(t, broken)
		select {
		case to := <-states:
			if to != http.StateNew {
				t.Errorf("state is %v", to)
			}
		default:
			t.Error("nobody was told of the connection")
		}
		c.Close()
		if to := receive(t, states, "the end of the connection"); to != http.StateClosed {
			t.Errorf("state is %v", to)
		}
	})
}

func TestSetKeepAlivesEnabledEndsConnections(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		idle, busy := s.dial(t), s.dial(t)
		idle.get("/")
		busy.get("/")
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		s.SetKeepAlivesEnabled(false)
		idle.ended()
		g.open()
		if res, body := busy.response(); !res.Close || body != "answer" {
			t.Errorf("answer %q, closing: %v", body, res.Close)
		}
		busy.ended()
		for range 2 {
			c := s.dial(t)
			c.send(get)
			if res, _ := c.response(); !res.Close {
				t.Error("answer without Connection: close")
			}
			c.ended()
		}
		old := s.dial(t)
		old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		old.response()
		old.ended()

		s.SetKeepAlivesEnabled(true)
		c := s.dial(t)
		for range 3 {
			c.get("/")
		}
	})
}

func TestSetKeepAlivesEnabledBeforeServe(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := &recycling.Server{Strategy: m.strategy}
		s.SetKeepAlivesEnabled(false)
		c := m.start(t, s, hello).dial(t)
		c.send(get)
		if res, _ := c.response(); !res.Close {
			t.Error("answer without Connection: close")
		}
		c.ended()
	})
}

// A pipeListener accepts the connections that it is given.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func newPipeListener() pipeListener {
	return pipeListener{make(chan net.Conn), make(chan struct{}), new(sync.Once)}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// An oddConn has no addresses, but a TLS connection state.
type oddConn struct{ net.Conn }

func (oddConn) RemoteAddr() net.Addr { return nil }
func (oddConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{ServerName: "odd.test"}
}

func TestConnectionsMayBeOfAnyKind(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		l := newPipeListener()
		m.listen = func() (net.Listener, error) { return l, nil }
		m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			if r.TLS != nil {
				io.WriteString(w, r.TLS.ServerName)
			}
			fmt.Fprint(w, " ", r.RemoteAddr, " ", r.Context().Value(http.LocalAddrContextKey))
		})
		for want, wrap := range map[string]func(net.Conn) net.Conn{
			" pipe pipe":     func(c net.Conn) net.Conn { return c },
			"odd.test  pipe": func(c net.Conn) net.Conn { return oddConn{c} },
		} {
			ours, theirs := net.Pipe()
			defer ours.Close()
			ours.SetDeadline(time.Now().Add(patience))
			l.conns <- wrap(theirs)
			go io.WriteString(ours, get)
			c := &client{Conn: ours, t: t, r: bufio.NewReader(ours)}
			if _, body := c.response(); body != want {
				t.Errorf("answer %q, want %q", body, want)
			}
		}
	})
}

// An httptest.Server of this kind is served without being started.
func TestUnstartedTestServersAreServed(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(http.ServerContextKey).(*http.Server).ReadTimeout)
		}))
		ts.Config.ReadTimeout = patience
		s := &recycling.Server{HTTP: ts.Config, Strategy: m.strategy}
		in := serve(s, ts.Listener)
		client := &http.Client{Transport: new(http.Transport), Timeout: patience}
		for range 3 {
			res, err := client.Get("http://" + ts.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); string(body) != patience.String() || err != nil {
				t.Errorf("answer %q, %v", body, err)
			}
			res.Body.Close()
		}
		client.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		in.ended(t, http.ErrServerClosed)
		ts.Close() // it has nothing left
	})
}

// The handlers for debugging look up the http.Server, and change its deadlines.
func TestDebuggingHandlersAreServed(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/pprof/", func(w http.ResponseWriter, r *http.Request) { pprof.Index(w, r) })
	mux.Handle("/pprof/goroutine", pprof.Handler("goroutine"))
	mux.HandleFunc("/pprof/trace", pprof.Trace)
	mux.Handle("/vars", expvar.Handler())
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{WriteTimeout: patience}}, mux.ServeHTTP)
		c := s.dial(t)
		for path, want := range map[string]string{
			"/pprof/":                   "Types of profiles available",
			"/pprof/goroutine?debug=1":  "goroutine profile: total",
			"/pprof/trace?seconds=0.01": "go 1.",
			"/vars":                     `"memstats"`,
		} {
			if body := c.get(path); !strings.Contains(body, want) {
				t.Errorf("%s is %.100q, want %q in it", path, body, want)
			}
		}
	})
}

func TestListenAndServeServes(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		addr := make(chan net.Addr, 1)
		s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{
			Addr:    "127.0.0.1:0",
			Handler: http.HandlerFunc(hello),
			BaseContext: func(l net.Listener) context.Context {
				addr <- l.Addr()
				return context.Background()
			},
		}}
		served := make(chan error, 1)
		go func() { served <- s.ListenAndServe() }()
		c := dialTo(t, receive(t, addr, "ListenAndServe to listen"))
		if body := c.get("/"); body != "hello" {
			t.Errorf("answer %q", body)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := receive(t, served, "ListenAndServe to return"); err != http.ErrServerClosed {
			t.Errorf("ListenAndServe returned %v", err)
		}
		c.ended()
	})
}
