package recycling_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// patience is how long anything may take that should not take any time.
const patience = 20 * time.Second

// A mode is a strategy and a kind of listener.
type mode struct {
	name     string
	strategy recycling.Strategy
	listen   func() (net.Listener, error)
	parks    bool // connections that wait hold no worker
}

var (
	recyclingOwn     = mode{"recycling", recycling.Recycling, listenOwn, recycling.Parks}
	recyclingNet     = mode{"recycling-net", recycling.Recycling, listenNet, recycling.Parks}
	recyclingWrapped = mode{"recycling-wrapped", recycling.Recycling, listenWrapped, false}
	poolOwn          = mode{"pool", recycling.Pool, listenOwn, false}
	goroutineOwn     = mode{"goroutine", recycling.Goroutine, listenOwn, false}

	everyMode   = []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn, goroutineOwn}
	workerModes = []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}
	parkModes   = []mode{recyclingOwn, recyclingNet}
)

// forEach runs f under each of modes.
func forEach(t *testing.T, modes []mode, f func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { f(t, m) })
	}
}

// An instance is a Server that serves for the length of a test.
type instance struct {
	*recycling.Server
	listener net.Listener
	addr     net.Addr
	served   <-chan error // what Serve returned, closed afterwards
}

// start serves h, with the fields of s.
func (m mode) start(t testing.TB, s *recycling.Server, h http.HandlerFunc) *instance {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	s.Strategy = m.strategy
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	s.HTTP.Handler = h
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left := leak.Goroutines(ours); left != nil {
			t.Errorf("goroutines left:\n%s", strings.Join(left, "\n\n"))
		}
	})
	return serve(s, l)
}

// serve begins to serve l.
func serve(s *recycling.Server, l net.Listener) *instance {
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(l)
		close(served)
	}()
	return &instance{Server: s, listener: l, addr: l.Addr(), served: served}
}

// ended waits until Serve has returned, and expects what it returns.
func (s *instance) ended(t testing.TB, want error) {
	t.Helper()
	if err := receive(t, s.served, "Serve to return"); !errors.Is(err, want) {
		t.Errorf("Serve returned %v, want %v", err, want)
	}
}

// shutdown calls Shutdown, whose result it returns when there is one.
func (s *instance) shutdown(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	return done
}

// await waits until the server's counters are as ok wants them.
func (s *instance) await(t testing.TB, what string, ok func(recycling.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(s.Stats()); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %+v", what, s.Stats())
		}
	}
}

// receive returns what comes from c.
func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// A client is a connection to a server.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// dial connects to the server for the length of the test.
func (s *instance) dial(t testing.TB) *client {
	t.Helper()
	return dialTo(t, s.addr)
}

func dialTo(t testing.TB, a net.Addr) *client {
	t.Helper()
	c, err := net.DialTimeout(a.Network(), a.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	return wrapClient(t, c)
}

// wrapClient has c closed when the test is over.
func wrapClient(t testing.TB, c net.Conn) *client {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c, t: t, r: bufio.NewReaderSize(c, 512)}
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

// response returns the next response and its body.
func (c *client) response() (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal("response: ", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal("body: ", err)
	}
	return res, string(body)
}

// get asks for a path and expects an answer with status 200, whose body it returns.
func (c *client) get(path string) string {
	c.t.Helper()
	c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
	res, body := c.response()
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %s", path, res.Status)
	}
	return body
}

// ended expects that the server closes the connection, and sends nothing before that.
func (c *client) ended() {
	c.t.Helper()
	b, err := c.r.ReadByte()
	var ne net.Error
	switch {
	case err == nil:
		c.t.Fatalf("read %q, want the end of the connection", b)
	case errors.As(err, &ne) && ne.Timeout():
		c.t.Fatal("the connection is still open")
	}
}

// once sends one request on a connection of its own, and returns the answer.
func (s *instance) once(t testing.TB, path string) string {
	t.Helper()
	c := s.dial(t)
	c.send("GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
	res, body := c.response()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", path, res.Status)
	}
	c.Close()
	return body
}

// A gate is a handler that tells that it was entered, and waits until it is opened.
type gate struct {
	entered chan struct{}
	open    func()
	opened  chan struct{}
}

// newGate returns a gate that is open when the test is over at the latest.
func newGate(t testing.TB) *gate {
	g := &gate{entered: make(chan struct{}, 100), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	t.Cleanup(g.open)
	return g
}

// serve answers at once unless the path is /wait.
func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/wait") {
		g.entered <- struct{}{}
		<-g.opened
	}
	io.WriteString(w, "answer")
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
