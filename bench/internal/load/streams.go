package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Streams are the engine for HTTP/2: each request at a time of a connection has a goroutine. The
// client is that of net/http.
type streams struct {
	conns   []*multiplexed
	perConn int
	ctx     context.Context // ends with interrupt
	cancel  context.CancelFunc
}

func newStreams(addr *net.TCPAddr, r Request, n int) *streams {
	e := &streams{perConn: r.Streams}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	// The transport changes its configuration.
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: insecure.Clone(), DisableCompression: true}
	for range n {
		e.conns = append(e.conns, &multiplexed{addr: addr.String(), request: r, transport: transport, body: r.body()})
	}
	return e
}

func (e *streams) interrupt() { e.cancel() }

func (e *streams) close() {
	e.interrupt()
	for _, c := range e.conns {
		c.hangUp()
	}
}

func (e *streams) run(end time.Time) []*Result {
	n := len(e.conns) * e.perConn
	ctx, cancel := context.WithDeadline(e.ctx, end.Add(patience))
	defer cancel()
	tallies := newTallies(n)
	var all sync.WaitGroup
	for i := range n {
		s := stream{e.conns[i%len(e.conns)], e, ctx}
		all.Go(func() { repeat(s, end, tallies.of(i)) })
	}
	all.Wait()
	return tallies.results()
}

func (e *streams) once() error {
	for _, c := range e.conns {
		ctx, cancel := context.WithTimeout(e.ctx, patience)
		_, err := stream{c, e, ctx}.do(time.Time{})
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// A stream sends one request at a time on a connection that it shares.
type stream struct {
	conn   *multiplexed
	engine *streams
	ctx    context.Context // has the deadline
}

func (s stream) isShut() bool { return s.engine.ctx.Err() != nil }

func (s stream) do(time.Time) (n int64, err error) {
	n, err = s.conn.do(s.ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// A multiplexed is a connection of HTTP/2. Any goroutine may use it.
type multiplexed struct {
	addr      string
	request   Request
	body      []byte
	transport *http.Transport

	mu   sync.Mutex
	conn *http.ClientConn // nil if there is none
}

func (c *multiplexed) do(ctx context.Context) (int64, error) {
	conn, err := c.connected(ctx)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, c.request.method(), "https://"+c.addr+c.request.Path, bytes.NewReader(c.body))
	if err != nil {
		return 0, err
	}
	answer, err := conn.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s %s", answer.Proto, answer.Status)
	}
	return io.Copy(io.Discard, answer.Body)
}

// connected returns the connection. It connects if there is none that can be used.
func (c *multiplexed) connected(ctx context.Context) (conn *http.ClientConn, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && c.conn.Err() == nil {
		return c.conn, nil
	}
	c.end()
	if conn, err = c.transport.NewClientConn(ctx, "https", c.addr); err == nil {
		c.conn = conn
	}
	return conn, err
}

// hangUp closes the connection if there is one.
func (c *multiplexed) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
}

// end is hangUp for callers that hold mu.
func (c *multiplexed) end() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
