package recycling_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// An injector panics, or calls Goexit, wherever strike is called while it is armed, except for the
// first few times after it was armed.
type injector struct {
	goexit  bool
	armed   atomic.Bool
	spared  atomic.Int64 // number of times that it does nothing
	strikes atomic.Int64
}

func (in *injector) arm(spared int64) {
	in.spared.Store(spared)
	in.armed.Store(true)
}

const injected = "an injected panic"

func (in *injector) strike() {
	if !in.armed.Load() || in.spared.Add(-1) >= 0 {
		return
	}
	in.strikes.Add(1)
	if in.goexit {
		runtime.Goexit()
	}
	panic(injected)
}

// strikeIf strikes if so is true.
func (in *injector) strikeIf(so bool) {
	if so {
		in.strike()
	}
}

// A strikingLog is an ErrorLog that strikes, or only records what it is given.
type strikingLog struct {
	logBuffer
	in *injector // nil: it does not strike
}

func (l *strikingLog) Write(p []byte) (int, error) {
	l.logBuffer.Write(p)
	if l.in != nil {
		l.in.strike()
	}
	return len(p), nil
}

// A strikingSource is a source that is copied into a response.
type strikingSource struct {
	in   *injector
	left int
}

func (s *strikingSource) Read(p []byte) (int, error) {
	if s.left--; s.left < 0 {
		s.in.strike()
		return 0, io.EOF
	}
	return copy(p, "some bytes"), nil
}

// A strikingContext is the result of ConnContext.
type strikingContext struct {
	context.Context
	in     *injector
	method string
}

func (c strikingContext) Value(key any) any {
	c.in.strikeIf(c.method == "Value")
	return c.Context.Value(key)
}

func (c strikingContext) Done() <-chan struct{} {
	c.in.strikeIf(c.method == "Done")
	return c.Context.Done()
}

func (c strikingContext) Err() error {
	c.in.strikeIf(c.method == "Err")
	return c.Context.Err()
}

func (c strikingContext) Deadline() (time.Time, bool) {
	c.in.strikeIf(c.method == "Deadline")
	return c.Context.Deadline()
}

// A strikingConn is a net.Conn of the application's own.
type strikingConn struct {
	net.Conn
	in     *injector
	method string
}

func (c strikingConn) Read(p []byte) (int, error) {
	c.in.strikeIf(c.method == "Read")
	return c.Conn.Read(p)
}

func (c strikingConn) Write(p []byte) (int, error) {
	c.in.strikeIf(c.method == "Write")
	return c.Conn.Write(p)
}

func (c strikingConn) CloseWrite() error {
	c.in.strikeIf(c.method == "CloseWrite")
	return c.Conn.(*net.TCPConn).CloseWrite()
}

func (c strikingConn) Close() error {
	c.Conn.Close() // if the application does not close it, nobody can
	c.in.strikeIf(c.method == "Close")
	return nil
}

func (c strikingConn) SetDeadline(t time.Time) error {
	c.in.strikeIf(c.method == "SetDeadline")
	return c.Conn.SetDeadline(t)
}

func (c strikingConn) SetReadDeadline(t time.Time) error {
	c.in.strikeIf(c.method == "SetReadDeadline")
	return c.Conn.SetReadDeadline(t)
}

func (c strikingConn) SetWriteDeadline(t time.Time) error {
	c.in.strikeIf(c.method == "SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}

func (c strikingConn) LocalAddr() net.Addr {
	c.in.strikeIf(c.method == "LocalAddr")
	return c.Conn.LocalAddr()
}

func (c strikingConn) RemoteAddr() net.Addr {
	c.in.strikeIf(c.method == "RemoteAddr")
	return c.Conn.RemoteAddr()
}

// A strikingListener accepts strikingConns.
type strikingListener struct {
	net.Listener
	in     *injector
	method string
}

func (l strikingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return strikingConn{c, l.in, l.method}, nil
}

// injectedHandler uses all features of the server, by path, so that all of its calls are made.
func injectedHandler(in *injector, point string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if point != "context" {
			ctx.Value(http.LocalAddrContextKey)
		}
		ctx.Deadline()
		ctx.Err()
		r.Context().Value(injected)
		if r.URL.Path == "/ok" {
			io.WriteString(w, "ok")
			return
		}
		in.strikeIf(point == "handler")
		w.Write([]byte("hello"))
		in.strikeIf(point == "handler that has written")
		switch point {
		case "source":
			io.Copy(w, &strikingSource{in, 100})
		case "ErrorLog":
			w.WriteHeader(200) // superfluous
		case "ErrorLog of a panic":
			if in.armed.Load() {
				panic("a handler's own")
			}
		case "handler that has flushed":
			w.(http.Flusher).Flush()
			in.strike()
		case "handler that has hijacked", "state hijacked":
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				defer c.Close()
			}
			in.strikeIf(point == "handler that has hijacked")
		}
	}
}

// injection makes requests of several kinds, one after another, for as long as it gets responses.
func injection(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\nhello",
	} {
		if _, err := io.WriteString(c, request); err != nil {
			return
		}
		if n, err := c.Read(make([]byte, 1<<16)); n == 0 || err != nil {
			return
		}
	}
	io.Copy(io.Discard, c)
}

// injectionPoints are the calls of application code by the server on connections without TLS,
// except for the methods of net.Conn.
var injectionPoints = []string{
	"handler", "handler that has written", "handler that has flushed", "handler that has hijacked", "source",
	"ErrorLog", "ErrorLog of a panic", "ConnContext",
	"state new", "state active", "state idle", "state closed", "state hijacked",
	"context Value", "context Done", "context Err", "context Deadline",
}

// connMethods are the methods of a net.Conn that the server may call.
var connMethods = []string{"Read", "Write", "Close", "CloseWrite", "SetDeadline", "SetReadDeadline", "SetWriteDeadline", "LocalAddr", "RemoteAddr"}

// A panic or a runtime.Goexit of the application, wherever the server calls it, ends one
// connection: its worker and its descriptor are released, and Shutdown returns.
func TestPanicAnywhereCostsOneConnection(t *testing.T) {
	parallel(t)
	for _, point := range injectionPoints {
		t.Run(strings.ReplaceAll(point, " ", "-"), func(t *testing.T) {
			t.Parallel()
			forEach(t, workerModes, func(t *testing.T, m mode) {
				inject(t, m, point, func(s *recycling.Server, in *injector, l net.Listener) { go s.Serve(l) })
			})
		})
	}
	for _, method := range connMethods {
		t.Run("conn-"+method, func(t *testing.T) {
			t.Parallel()
			for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed} {
				m := mode{string(strategy), strategy, listenNet, false}
				t.Run(m.name, func(t *testing.T) {
					inject(t, m, "conn "+method, func(s *recycling.Server, in *injector, l net.Listener) {
						go s.Serve(strikingListener{l, in, method})
					})
				})
			}
		})
	}
	for _, function := range []string{"GetConfigForClient", "GetCertificate", "VerifyConnection"} {
		t.Run("tls-"+function, func(t *testing.T) {
			t.Parallel()
			forEach(t, workerModes, func(t *testing.T, m mode) {
				inject(t, m, "tls", func(s *recycling.Server, in *injector, l net.Listener) {
					s.HTTP.TLSConfig = strikingTLS(in, function)
					go s.ServeTLS(l, "", "")
				})
			})
		})
	}
}

// strikingTLS returns a config with one function that strikes.
func strikingTLS(in *injector, function string) *tls.Config {
	server, _ := credentials()
	config := server.Clone()
	switch function {
	case "GetConfigForClient":
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { in.strike(); return nil, nil }
	case "GetCertificate":
		cert := config.Certificates[0]
		config.Certificates = nil
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { in.strike(); return &cert, nil }
	case "VerifyConnection":
		config.VerifyConnection = func(tls.ConnectionState) error { in.strike(); return nil }
	}
	return config
}

func inject(t *testing.T, m mode, point string, serve func(*recycling.Server, *injector, net.Listener)) {
	for _, goexit := range []bool{false, true} {
		name := "panic"
		if goexit {
			name = "Goexit"
		}
		t.Run(name, func(t *testing.T) {
			in := &injector{goexit: goexit}
			out := &strikingLog{}
			if strings.HasPrefix(point, "ErrorLog") {
				out.in = in
			}
			s := &recycling.Server{Strategy: m.strategy, Limits: recycling.Limits{MaxWorkers: 2}, Standby: 1, HTTP: &http.Server{
				Handler: injectedHandler(in, point), ErrorLog: log.New(out, "", 0),
			}}
			hookWith(s.HTTP, in, point)
			l, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			serve(s, in, l)
			t.Cleanup(func() { s.Close() })
			holdTo(t, s, in, out, l.Addr(), point)
		})
	}
}

// hookWith adds hooks to h if point is one.
func hookWith(h *http.Server, in *injector, point string) {
	if state, ok := strings.CutPrefix(point, "state "); ok {
		h.ConnState = func(_ net.Conn, to http.ConnState) { in.strikeIf(to.String() == state) }
	}
	if method, ok := strings.CutPrefix(point, "context "); ok {
		h.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return strikingContext{ctx, in, method} }
	}
	if point == "ConnContext" {
		h.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { in.strike(); return ctx }
	}
}

// holdTo has clients make the injector strike, several times as often as there are workers, and
// checks that the server is then as before.
func holdTo(t *testing.T, s *recycling.Server, in *injector, out *strikingLog, addr net.Addr, point string) {
	dial := func() net.Conn {
		c, err := net.DialTimeout("tcp", addr.String(), patience)
		if err != nil {
			t.Fatal(err)
		}
		if point != "tls" {
			return c
		}
		_, config := credentials()
		return tls.Client(c, config)
	}
	var struck int64 // number of connections
	for i := range 8 {
		before := in.strikes.Load()
		in.arm(int64(i))
		injection(dial())
		if in.strikes.Load() > before {
			struck++
		}
	}
	in.armed.Store(false)
	for range 4 {
		c := wrapClient(t, dial())
		c.send("GET /ok HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		if _, body := c.response(); body != "ok" {
			t.Errorf("after that a request is answered with %q", body)
		}
		c.Close()
	}
	i := &instance{Server: s}
	i.await(t, "all connections and workers", func(st recycling.Stats) bool { return st.Open == 0 && st.Busy == 0 && st.Queued == 0 })
	for deadline := time.Now().Add(patience); openSockets(addr) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors of connections are still open", openSockets(addr))
		}
	}
	// The clean-up after a panic may panic itself, and then only the last panic is logged. Nobody
	// waits for a handler that has hijacked its connection, so the log may come later.
	logged := func() int64 { return int64(strings.Count(out.String(), injected)) }
	for deadline := time.Now().Add(patience); !in.goexit && out.in == nil && logged() < struck && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := logged(); !in.goexit && out.in == nil && (n < struck || n > in.strikes.Load()) {
		t.Errorf("%d panics on %d connections, of which %d were logged:\n%.2000s", in.strikes.Load(), struck, n, out.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
