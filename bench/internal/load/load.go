// Package load is a closed-loop generator of HTTP/1.1 load: each connection sends its next request when it has the
// answer to the last. It shares the processors with the server it measures, so it does little itself. On a
// connection that stays, a request is one write, one read and no allocation. On Linux, a few threads do that for all
// connections, each with an epoll set of its own; elsewhere each connection has a goroutine.
//
// A closed loop cannot say how long requests would have waited that a slow server kept from being sent. So its latencies
// are those of that many connections, not of an arrival rate.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Request is what every connection of a Load asks for, again and again.
type Request struct {
	Path  string
	Close bool // a new connection for each request, and "Connection: close"
}

func (r Request) bytes() []byte {
	more := ""
	if r.Close {
		more = "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", r.Path, more)
}

// A Load is connections to one server. It is for one goroutine at a time. Once the context of one of its methods has ended
// it makes no more requests.
type Load struct {
	engine *engine
}

// New returns n connections to addr, an IP address and port. They are opened when they are first used.
func New(addr string, r Request, n int) (*Load, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(a, r, n)
	if err != nil {
		return nil, err
	}
	return &Load{e}, nil
}

// Close closes the connections. It may be called again; nothing else may.
func (l *Load) Close() { l.engine.close() }

// interruptWith ends what the engine does when ctx ends. The function it returns ends that, and waits for an interruption
// that has begun.
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

// Once makes a request on each connection, one after the other, and leaves it: what stays open is idle then. It ends with
// the first error.
func (l *Load) Once(ctx context.Context) error {
	defer l.interruptWith(ctx)()
	err := l.engine.once()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

var errInterrupted = errors.New("the context of this load has ended")

// patience is how long the last answers may take. It is a variable for a test.
var patience = 10 * time.Second

var errPatience = errors.New("no answer in time")

// backOff is how long a connection waits after an error: a server that refuses costs no processor, which others need.
const backOff = 10 * time.Millisecond

// Run loads the server on all connections for d, at least with one request on each, and waits for the last answers: what is
// not answered within 10 seconds is an error. What the end of ctx interrupts is none, and does not count.
func (l *Load) Run(ctx context.Context, d time.Duration) *Result {
	defer l.interruptWith(ctx)()
	begin := time.Now()
	results := l.engine.run(begin.Add(d))
	return sum(results, time.Since(begin))
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

// A Result is what a Load found.
type Result struct {
	Elapsed  time.Duration // until the last answer
	Requests int64         // that were answered with 200
	Errors   int64         // requests that were not
	First    error         // one of the first of the errors; nil if there are none

	latencies *hdrhistogram.Histogram
}

// Rate returns the requests per second.
func (r *Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Percentile returns the latency that p percent of the requests did not exceed, with three significant digits; zero if
// there were none. With Request.Close it includes opening and closing the connection.
func (r *Result) Percentile(p float64) time.Duration {
	return time.Duration(r.latencies.ValueAtPercentile(p))
}

// Max returns the longest latency, at most a minute.
func (r *Result) Max() time.Duration { return time.Duration(r.latencies.Max()) }
