// Package load generates HTTP/1.1 load in a closed loop: each connection sends its next request
// when it has received the response to the last one. The generator shares the processors with the
// server that it measures, so it does as little as possible: a request on a keep-alive connection
// takes one write, one read and no allocation. On Linux, a few threads serve all connections, each
// with its own epoll set; on other systems each connection has a goroutine. With TLS, each
// connection has a goroutine on any system. Package tls allocates, and so does net/http, whose
// client makes the requests of HTTP/2.
//
// In a closed loop a slow server gets fewer requests. So the latencies are those at a given number
// of connections. At a given number of requests per second, more requests would wait.
package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Request is what every connection of a Load requests repeatedly.
type Request struct {
	Path  string
	Body  int  // length of the request's body in bytes; zero means a GET, otherwise it is a POST
	Close bool // each request says "Connection: close" and uses a new connection
	TLS   bool // over TLS, with a whole handshake for each connection; no certificate is verified

	// Streams is the number of requests at a time on each connection, which then speaks HTTP/2 over
	// TLS. Zero means HTTP/1.1. Close has no effect with Streams.
	Streams int
}

// method returns the request's method.
func (r Request) method() string {
	if r.Body > 0 {
		return "POST"
	}
	return "GET"
}

// bytes returns the request in HTTP/1.1.
func (r Request) bytes() []byte {
	more := ""
	if r.Body > 0 {
		more = fmt.Sprintf("Content-Length: %d\r\n", r.Body)
	}
	if r.Close {
		more += "Connection: close\r\n"
	}
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", r.method(), r.Path, more)
	return append(b, r.body()...)
}

// body returns the body of the request.
func (r Request) body() []byte { return bytes.Repeat([]byte("x"), r.Body) }

// An engine sends the requests of a Load.
type engine interface {
	// run lets all connections send requests until end, at least one each, and waits for the
	// responses. It returns results that add up.
	run(end time.Time) []*Result

	// once sends a request on each connection, one after the other.
	once() error

	// interrupt ends run and once, now and in the future. It may be called while they run.
	interrupt()

	close()
}

// A Load is a number of connections to one server. Only one goroutine at a time may use it. After
// the context of one of its methods has ended, it sends no more requests.
type Load struct {
	engine engine
}

// New returns a Load of n connections to addr, an IP address and port. Each connection is opened
// when it is first used.
func New(addr string, r Request, n int) (*Load, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Streams > 0:
		return &Load{newStreams(a, r, n)}, nil
	case r.TLS:
		return &Load{newGoroutines(a, r, n)}, nil
	}
	e, err := newPlain(a, r, n)
	if err != nil {
		return nil, err
	}
	return &Load{e}, nil
}

// Close closes the connections. No other method may be called after it.
func (l *Load) Close() { l.engine.close() }

// interruptWith interrupts the engine when ctx ends. The function that it returns cancels this, and
// waits for an interruption that has already begun.
func (l *Load) interruptWith(ctx context.Context) (stop func()) {
	interrupted := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		l.engine.interrupt()
	})
	return func() {
		if !cancel() {
			<-interrupted
		}
	}
}

// Once sends a request on each connection, one after the other. Connections that stay open are idle
// afterwards. It returns the first error.
func (l *Load) Once(ctx context.Context) error {
	defer l.interruptWith(ctx)()
	err := l.engine.once()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

var errInterrupted = errors.New("the context of this load has ended")

// patience is how long the last responses may take. It is a variable so that a test can change it.
var patience = 10 * time.Second

var errPatience = errors.New("no answer in time")

// backOff is how long a connection waits after an error. Without it, retries to a server that
// refuses connections would take CPU time that other processes need.
const backOff = 10 * time.Millisecond

// Run sends requests on all connections for d, at least one on each, and waits for the last
// responses. A request without a response after 10 seconds counts as an error. Requests that are
// interrupted because ctx ends are not counted.
func (l *Load) Run(ctx context.Context, d time.Duration) *Result {
	defer l.interruptWith(ctx)()
	begin := time.Now()
	results := l.engine.run(begin.Add(d))
	return Sum(results, time.Since(begin))
}

// Together runs all loads at the same time, and returns their results in the same order.
func Together(ctx context.Context, d time.Duration, loads ...*Load) []*Result {
	results := make([]*Result, len(loads))
	var all sync.WaitGroup
	for i, l := range loads {
		all.Go(func() { results[i] = l.Run(ctx, d) })
	}
	all.Wait()
	return results
}
