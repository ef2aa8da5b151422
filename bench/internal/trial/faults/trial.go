package faults

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"
)

// patience bounds every wait for an expected event.
const patience = 10 * time.Second

// settling bounds the wait for what a server keeps for a while, such as goroutines that stand by
// for the next handshake.
const settling = 30 * time.Second

// A trial is one row against one server. If it fails, its error is one line that says why.
type trial struct {
	ctx       context.Context
	recycling bool
	short     bool
	source    *source
	noted     string
	clean     []func()
}

// later calls f at the end of the row.
func (t *trial) later(f func()) { t.clean = append(t.clean, f) }

func (t *trial) cleanUp() {
	for i := len(t.clean) - 1; i >= 0; i-- {
		t.clean[i]()
	}
}

// pause waits for d, or until the trial's context ends.
func (t *trial) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
	}
}

// note adds a figure to the row's note in the table.
func (t *trial) note(format string, args ...any) {
	if t.noted != "" {
		t.noted += ", "
	}
	t.noted += fmt.Sprintf(format, args...)
}

// few returns short if the run is short, and long otherwise.
func (t *trial) few(short, long int) int {
	if t.short {
		return short
	}
	return long
}

// start starts a process, which is killed at the end of the row, and records its state before the
// fault.
func (t *trial) start(s setup) (*process, error) {
	s.Recycling = t.recycling
	p, err := newProcess(t.ctx, s)
	if err != nil {
		return nil, err
	}
	t.later(p.Kill)
	// What the server allocates on first use belongs to the state before the fault.
	for range 8 {
		// A busy machine may be too slow for ReadHeaderTimeout.
		if _, err := t.recovers(p); err != nil {
			return nil, err
		}
	}
	if err := t.quiet(p); err != nil {
		return nil, err
	}
	p.fds = p.descriptors()
	p.start, err = p.report()
	return p, err
}

// with starts a process, carries out the fault, and checks what must hold afterwards.
func (t *trial) with(s setup, fault func(p *process) error) error {
	p, err := t.start(s)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err = fault(p); err == nil {
		return t.invariants(p)
	}
	select {
	case <-p.Done():
	// A client may notice the end before the process has exited.
	case <-time.After(200 * time.Millisecond):
	}
	if dead := p.alive(); dead != nil {
		err = fmt.Errorf("%w; %w", err, dead)
	}
	return err
}

// quiet waits until all connections have ended.
func (t *trial) quiet(p *process) error {
	return t.await(p, "the end of all connections", func(r report) bool { return r.Open == 0 })
}

// invariants checks the invariants I1 to I4: the process is alive, responds, and has the same
// resources as at the start.
func (t *trial) invariants(p *process) error {
	if err := p.alive(); err != nil {
		return err
	}
	if err := t.prompt(p); err != nil {
		return err
	}
	return t.balance(p)
}

// balance checks that p has the same resources as at the start.
func (t *trial) balance(p *process) error {
	var last report
	fds, spare := 0, 0
	if p.setup.TLS && t.recycling {
		// Handshakes have workers of their own. This many are kept, and they are not counted.
		spare = 2 * runtime.GOMAXPROCS(0)
	}
	err := t.awaitFor(settling, p, "", func(r report) bool {
		last, fds = r, p.descriptors()
		// Idle workers are kept, up to a bound, and one worker leads.
		goroutines := r.Goroutines - r.Workers
		return r.Open == 0 && r.Accepted == r.Closed+r.Hijacked && r.Busy == 0 &&
			goroutines <= p.start.Goroutines-p.start.Workers+spare && fds <= p.fds
	})
	if dead := p.alive(); dead != nil {
		return dead
	}
	if err != nil {
		return fmt.Errorf("left behind: %d connections open, %d accepted, %d closed, %d hijacked; %d busy of %d workers; %d goroutines, at first %d; %d descriptors, at first %d",
			last.Open, last.Accepted, last.Closed, last.Hijacked, last.Busy, last.Workers, last.Goroutines, p.start.Goroutines, fds, p.fds)
	}
	return nil
}

// recovers expects the server to answer a new connection eventually, and returns how long that
// took.
func (t *trial) recovers(p *process) (time.Duration, error) {
	begin := time.Now()
	for {
		err := t.get(p, "/")
		took := time.Since(begin)
		if err == nil || took > patience || t.ctx.Err() != nil || p.alive() != nil {
			return took, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// prompt expects the server to answer a new connection within 100 ms. On a busy machine it may take
// several attempts.
func (t *trial) prompt(p *process) error {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && t.ctx.Err() == nil; {
		begin := time.Now()
		if err = t.get(p, "/"); err == nil && time.Since(begin) < 100*time.Millisecond {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err == nil {
		err = errors.New("no answer came within 100 ms")
	}
	return fmt.Errorf("a new connection afterwards: %w", err)
}

// await waits until ok returns true; the error contains what.
func (t *trial) await(p *process, what string, ok func(report) bool) error {
	return t.awaitFor(patience, p, what, ok)
}

func (t *trial) awaitFor(limit time.Duration, p *process, what string, ok func(report) bool) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		r, err := p.report()
		switch {
		case err != nil:
			return err
		case ok(r):
			return nil
		case t.ctx.Err() != nil:
			return t.ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("waited %v for %s", limit, what)
		}
	}
}

// event waits until handlers have seen an event n times.
func (t *trial) event(p *process, name string, n int) error {
	var seen map[string]int
	err := t.await(p, name, func(r report) bool {
		seen = r.Events
		return r.Events[name] >= n
	})
	if err == nil && seen[name] > n || err != nil && p.alive() == nil {
		return fmt.Errorf("%q was seen %d times, want %d; seen was %v", name, seen[name], n, seen)
	}
	return err
}

// each calls f n times concurrently, and returns one of the errors.
func (t *trial) each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	failed := 0
	var first error
	for _, err := range errs {
		if err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	if failed > 1 {
		return fmt.Errorf("%d of %d: %w", failed, n, first)
	}
	return first
}

// A client is a connection to a process.
type client struct {
	net.Conn
	tcp net.Conn // the connection below TLS; without TLS the same as Conn
	r   *bufio.Reader
}

// tcp connects without TLS. All reads and writes time out after twice the patience.
func (t *trial) tcp(p *process) (*client, error) {
	network := "tcp"
	if strings.HasPrefix(p.Addr(), "/") {
		network = "unix"
	}
	c, err := (&net.Dialer{Timeout: patience}).DialContext(t.ctx, network, p.Addr())
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(2 * patience))
	return &client{Conn: c, tcp: c, r: bufio.NewReader(c)}, nil
}

// dial connects, with TLS if the process uses it.
func (t *trial) dial(p *process) (*client, error) {
	c, err := t.tcp(p)
	if err != nil || !p.setup.TLS {
		return c, err
	}
	// The certificate is self-signed, made when the process started.
	s := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := s.HandshakeContext(t.ctx); err != nil {
		c.Close()
		return nil, err
	}
	return &client{Conn: s, tcp: c.Conn, r: bufio.NewReader(s)}, nil
}

// send writes all of text.
func (c *client) send(text string) error {
	_, err := io.WriteString(c, text)
	return err
}

// answer reads one response with its body.
func (c *client) answer(method string) (status int, body string, err error) {
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// ask sends text and expects a response with status 200 and the given body.
func (c *client) ask(text, body string) error {
	if err := c.send(text); err != nil {
		return err
	}
	return c.expect(body)
}

// expect reads a response and expects status 200 and the given body.
func (c *client) expect(body string) error {
	status, b, err := c.answer("GET")
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if status != http.StatusOK || b != body {
		return fmt.Errorf("answered with %d and %.50q, want %.50q", status, b, body)
	}
	return nil
}

// end expects the server to close the connection, after any data, and returns how long that took.
func (c *client) end() (time.Duration, error) {
	begin := time.Now()
	c.SetReadDeadline(begin.Add(patience))
	_, err := io.Copy(io.Discard, c.r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return patience, fmt.Errorf("the connection is still open after %v", patience)
	}
	return time.Since(begin), nil
}

// reset closes the connection with a RST.
func (c *client) reset() {
	if tc, ok := c.tcp.(*net.TCPConn); ok {
		tc.SetLinger(0)
	}
	c.tcp.Close()
}

// closeWrite closes the writing side of the connection.
func (c *client) closeWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// get sends a GET request on a new connection and expects status 200.
func (t *trial) get(p *process, path string) error {
	c, err := t.dial(p)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if err := c.send("GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	status, _, err := c.answer("GET")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered with %d", status)
	}
	return err
}

// request returns the text of a GET request that leaves the connection open.
func request(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }
