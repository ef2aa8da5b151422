package recycling_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// patience bounds everything that should take no time.
const patience = 20 * time.Second

// A mode is a strategy and a kind of listener.
type mode struct {
	name     string
	strategy recycling.Strategy
	listen   func() (net.Listener, error)
	parks    bool // waiting connections hold no worker
}

var (
	recyclingOwn     = mode{"recycling", recycling.Recycling, listenOwn, recycling.Parks}
	recyclingNet     = mode{"recycling-net", recycling.Recycling, listenNet, recycling.Parks}
	recyclingWrapped = mode{"recycling-wrapped", recycling.Recycling, listenWrapped, false}
	poolOwn          = mode{"fixed", recycling.Fixed, listenOwn, false}
	goroutineOwn     = mode{"goroutine", recycling.Goroutine, listenOwn, false}

	everyMode   = []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn, goroutineOwn}
	workerModes = []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}
	parkModes   = []mode{recyclingOwn, recyclingNet}
)

// neighbours counts the tests that may run concurrently.
var neighbours atomic.Int64

// parallel is t.Parallel. Tests that look at the whole process do not call it: at its memory,
// goroutines, environment or GOMAXPROCS. They finish before the first of the parallel tests
// continues.
func parallel(t *testing.T) {
	t.Helper()
	t.Parallel()
	if flag.Lookup("test.parallel").Value.String() != "1" {
		neighbours.Add(1)
		t.Cleanup(func() { neighbours.Add(-1) })
	}
}

// leavesNothing fails the test if a goroutine is left that has ours or one of others in its stack.
// While other tests run, a goroutine may be theirs; then TestMain checks at the end. With -parallel
// 1 it checks each test.
func leavesNothing(t testing.TB, others ...string) {
	t.Helper()
	if neighbours.Load() > 0 {
		return
	}
	if left := leak.Goroutines(append(others, ours)...); left != nil {
		t.Errorf("goroutines left:\n%s", strings.Join(left, "\n\n"))
	}
}

// forEach runs f in each of modes.
func forEach(t *testing.T, modes []mode, f func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { f(t, m) })
	}
}

// An instance is a Server that serves for the duration of a test.
type instance struct {
	*recycling.Server
	listener net.Listener
	addr     net.Addr
	served   <-chan error // the result of Serve, closed afterwards
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
	t.Cleanup(func() { end(t, s) })
	return serve(s, l)
}

// end closes s, and checks that nothing is left. On a busy machine, handlers that are about to
// return may take longer than Close waits for them.
func end(t testing.TB, s *recycling.Server) {
	t.Helper()
	err := s.Close()
	for deadline := time.Now().Add(patience); isBusy(err) && !t.Failed() && time.Now().Before(deadline); err = s.Close() {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Errorf("Close: %v", err)
	}
	leavesNothing(t)
}

func isBusy(err error) bool {
	var busy *recycling.AbandonError
	return errors.As(err, &busy)
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

// ended waits until Serve has returned, and compares its result with want.
func (s *instance) ended(t testing.TB, want error) {
	t.Helper()
	if err := receive(t, s.served, "Serve to return"); !errors.Is(err, want) {
		t.Errorf("Serve returned %v, want %v", err, want)
	}
}

// shutdown calls Shutdown on a goroutine, and returns a channel for its result.
func (s *instance) shutdown(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	return done
}

// await waits until ok returns true for the server's counters.
func (s *instance) await(t testing.TB, what string, ok func(recycling.Stats) bool) {
	t.Helper()
	if !holds(func() bool { return ok(s.Stats()) }) {
		t.Fatalf("waited in vain for %s: %+v", what, s.Stats())
	}
}

// receive returns the next value from c.
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

// dial connects to the server for the duration of the test.
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

// wrapClient returns a client for c, which is closed at the end of the test.
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

// get sends a GET request for path, expects a response with status 200, and returns its body.
func (c *client) get(path string) string {
	c.t.Helper()
	c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
	res, body := c.response()
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %s", path, res.Status)
	}
	return body
}

// ended expects the server to close the connection without sending anything.
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

// refused expects a 503 response with Retry-After, and then the end of the connection.
func (c *client) refused() {
	c.t.Helper()
	res, _ := c.response()
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || res.Header.Get("Retry-After") == "" || res.Header.Get("Date") == "" {
		c.t.Errorf("answered with %v", res)
	}
	c.ended()
}

// once sends one request on a new connection, and returns the body of the response.
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

// A gate is a handler that reports that it was called, and waits until the gate is opened.
type gate struct {
	entered chan struct{}
	open    func()
	opened  chan struct{}
}

// newGate returns a gate that is opened no later than at the end of the test.
func newGate(t testing.TB) *gate {
	g := &gate{entered: make(chan struct{}, 100), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	t.Cleanup(g.open)
	return g
}

// serve responds at once unless the path is /wait.
func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/wait") {
		g.entered <- struct{}{}
		<-g.opened
	}
	io.WriteString(w, "answer")
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
