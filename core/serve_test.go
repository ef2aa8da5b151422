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
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about Serve, Shutdown, Close and hooks, as an application sees them in net/http:
// the behaviour suite has no access to the listener of a Server.

// wrappedModes are the strategies on listeners that tests define.
var wrappedModes = []mode{
	recyclingWrapped,
	{"pool-wrapped", recycling.Fixed, listenWrapped, false},
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
