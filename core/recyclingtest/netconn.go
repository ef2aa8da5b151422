package recyclingtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// What the application does with the net.Conn that its hooks get affects that connection only.
var netConns = []behaviour{
	socketMadeBlockingHoldsUpNobodyElse,
	deadlinesOfAHandlerEndWithItsRequest,
	readDeadlinesOfHooksEndWithTheirRequest,
	connectionClosedByAHookIsLost,
	requestIsToldThatItsConnectionWasClosed,
	requestIsToldThatItsConnectionWasShutDown,
	idleConnectionMayBeClosed,
	bodyOfAClosedConnectionEnds,
	connectionShutDownForWritingIsLost,
	duplicateOutlivesItsConnection,
}

// over is a deadline that has passed.
var over = time.Unix(1, 0)

// A netConnKey is the key of the net.Conn in a request's context.
type netConnKey struct{}

// keepConn is a ConnContext hook for netConnOf.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, netConnKey{}, c)
}

func netConnOf(r *http.Request) net.Conn { return r.Context().Value(netConnKey{}).(net.Conn) }

// tcp returns c, or skips the test if c is not a *net.TCPConn.
func (t *test) tcp(c net.Conn) *net.TCPConn {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		t.Skipf("the connection of a hook is a %T", c)
	}
	return tc
}

// gets sends one request, and fails the test unless the response is body.
func (c *wire) gets(raw, body string) {
	c.t.Helper()
	c.send(raw)
	c.wants(200, body)
}

// socketMadeBlockingHoldsUpNobodyElse: the Fd method of a duplicate makes the socket blocking for
// all of its descriptors.
func socketMadeBlockingHoldsUpNobodyElse(t *test) {
	t.needHooks()
	var blocking atomic.Int32
	reading := make(chan bool, 10)
	s := t.start(&http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if tc, ok := c.(*net.TCPConn); ok {
				if f, err := tc.File(); err == nil {
					f.Fd()
					f.Close()
					blocking.Add(1)
				}
			}
			return ctx
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// This waits for goroutines in a system call that the scheduler does not know of.
			runtime.GC()
			if r.Method == "POST" {
				reading <- true
			}
			n, _ := io.Copy(w, r.Body)
			if n == 0 {
				io.WriteString(w, "hello")
			}
		}),
	})
	for range runtime.GOMAXPROCS(0) + 1 {
		s.dial(t).send("G")
		c := s.dial(t)
		c.gets(get("/"), "hello")
	}
	for range runtime.GOMAXPROCS(0) + 1 {
		s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
		receive(t, reading, "request")
	}
	c := s.dial(t)
	for range 2 {
		c.gets(get("/"), "hello")
		c.gets(post("/", "body"), "body")
	}
	if blocking.Load() == 0 {
		t.Skip("no connection was a socket that has a duplicate")
	}
}

func deadlinesOfAHandlerEndWithItsRequest(t *test) {
	t.needHooks()
	s := t.start(&http.Server{
		ConnContext: keepConn,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2")
			io.WriteString(w, "ok")
			w.(http.Flusher).Flush()
			io.Copy(io.Discard, r.Body)
			switch c := netConnOf(r); r.URL.Path {
			case "/read":
				c.SetReadDeadline(over)
			case "/write":
				c.SetWriteDeadline(over)
			case "/both":
				c.SetDeadline(over)
			}
		}),
	})
	for _, path := range []string{"/read", "/write", "/both"} {
		c := s.dial(t)
		for range 2 {
			c.gets(get(path), "ok")
			c.gets(post(path, "body"), "ok")
		}
	}
}

func readDeadlinesOfHooksEndWithTheirRequest(t *test) {
	t.needHooks()
	for _, at := range []http.ConnState{http.StateActive, http.StateIdle} {
		s := t.start(&http.Server{
			ConnState: func(c net.Conn, to http.ConnState) {
				if to == at {
					c.SetReadDeadline(over)
				}
			},
			Handler: http.HandlerFunc(echoTarget),
		})
		c := s.dial(t)
		for range 3 {
			c.gets(get("/a"), "/a")
		}
	}
}

func connectionClosedByAHookIsLost(t *test) {
	t.needHooks()
	for _, at := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle} {
		var closed atomic.Bool
		s := t.start(&http.Server{
			ConnState: func(c net.Conn, to http.ConnState) {
				if to == at && !closed.Swap(true) {
					c.Close()
				}
			},
			Handler: http.HandlerFunc(echoTarget),
		})
		c := s.dial(t)
		c.sendBeside(get("/a"))
		c.rest()
		s.dial(t).gets(get("/b"), "/b")
	}
}

// contextEnds fails the test unless the context of a request ends after f.
func (t *test) contextEnds(f func(net.Conn)) {
	t.Helper()
	t.needHooks()
	entered, ended := make(chan net.Conn, 1), make(chan bool, 1)
	s := t.start(&http.Server{
		ConnContext: keepConn,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if r.URL.Path != "/wait" {
				return
			}
			done := r.Context().Done()
			entered <- netConnOf(r)
			<-done
			ended <- true
		}),
	})
	for _, raw := range []string{get("/wait"), post("/wait", "body"), get("/") + get("/wait")} {
		s.dial(t).send(raw)
		f(receive(t, entered, "request"))
		receive(t, ended, "end of its context")
	}
}

func requestIsToldThatItsConnectionWasClosed(t *test) {
	t.contextEnds(func(c net.Conn) { c.Close() })
}

func requestIsToldThatItsConnectionWasShutDown(t *test) {
	t.contextEnds(func(c net.Conn) { t.tcp(c).CloseRead() })
}

func idleConnectionMayBeClosed(t *test) {
	t.needHooks()
	idle := make(chan net.Conn, 10)
	s := t.start(&http.Server{
		ConnState: func(c net.Conn, to http.ConnState) {
			if to == http.StateIdle {
				idle <- c
			}
		},
		Handler: http.HandlerFunc(echoTarget),
	})
	c, other := s.dial(t), s.dial(t)
	c.gets(get("/a"), "/a")
	nc := receive(t, idle, "idle connection")
	other.gets(get("/b"), "/b")
	nc.Close()
	if rest := c.rest(); rest != "" {
		t.Errorf("received %q", rest)
	}
	other.gets(get("/c"), "/c")
}

func bodyOfAClosedConnectionEnds(t *test) {
	t.needHooks()
	result := make(chan error, 1)
	s := t.start(&http.Server{
		ConnContext: keepConn,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b := make([]byte, 3)
			io.ReadFull(r.Body, b)
			time.AfterFunc(10*time.Millisecond, func() { netConnOf(r).Close() })
			_, err := io.Copy(io.Discard, r.Body)
			result <- err
		}),
	})
	s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	if err := receive(t, result, "end of the body"); err == nil {
		t.Error("the body has come to a proper end")
	}
}

func connectionShutDownForWritingIsLost(t *test) {
	t.needHooks()
	s := t.start(&http.Server{
		ConnContext: keepConn,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, ok := netConnOf(r).(interface{ CloseWrite() error }); ok && r.URL.Path == "/a" {
				c.CloseWrite()
			} else if r.URL.Path == "/a" {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, "ok")
		}),
	})
	c, other := s.dial(t), s.dial(t)
	other.gets(get("/b"), "ok")
	c.send(get("/a"))
	c.ends()
	other.gets(get("/b"), "ok")
}

func duplicateOutlivesItsConnection(t *test) {
	t.needHooks()
	files := make(chan *os.File, 10)
	s := t.start(&http.Server{
		ConnContext: keepConn,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/dup" {
				var f *os.File // nil if the connection has no descriptor
				if c, ok := netConnOf(r).(*net.TCPConn); ok {
					f, _ = c.File()
				}
				files <- f
			}
			io.WriteString(w, "ok")
		}),
	})
	c := s.dial(t)
	c.gets(get("/"), "ok")
	c.gets(get("/dup", "Connection: close"), "ok")
	f := receive(t, files, "duplicate")
	if f == nil {
		return
	}
	defer f.Close()
	c.send(get("/lost")) // no one reads it, and it must not wake the server
	for range 3 {
		s.dial(t).gets(get("/"), "ok")
	}
	f.Close()
	c.rest()
}
