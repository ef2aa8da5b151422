package applications

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// A Stop is what clients have seen of a program that got SIGTERM while they sent requests.
type Stop struct {
	Answered int // complete responses, from the signal on
	Refused  int // connections that were refused; nothing was sent
	Broken   int // requests without a complete response
	// Closed are the broken requests on a connection that had been used before, without one byte of
	// a response. HTTP/1.1 lets a server close an idle connection at any time, so clients repeat
	// these.
	Closed int
	First  string `json:",omitempty"` // the error of one of the broken requests
	// Took is the time from the signal to the end of the process.
	Took time.Duration
	// Exit says how the process ended; "exit status 0" if well.
	Exit string
}

const (
	stopClients = 16                     // with keep-alive, and as many with new connections
	stopBefore  = 500 * time.Millisecond // from the first request to the signal
	stopLimit   = 40 * time.Second       // from the signal to the end of the process
)

// stopUnderLoad starts a program, and sends SIGTERM under load.
func (s *subject) stopUnderLoad(ctx context.Context, k kind) (*Stop, error) {
	s.say("SIGTERM %v", k)
	p, err := s.start(ctx, k, "run0")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	t := &stopTrial{process: p, path: s.Load}
	var clients sync.WaitGroup
	for range stopClients {
		clients.Go(t.keepAlive)
		clients.Go(t.newConnections)
	}
	defer clients.Wait()
	defer t.end()
	select {
	case <-time.After(stopBefore):
	case <-p.Done():
		return nil, errors.New("the program ended before SIGTERM")
	}
	begin := time.Now()
	t.begin()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	exit := "killed after " + stopLimit.String()
	select {
	case <-p.Done():
		exit = "exit status 0"
		if p.Err() != nil {
			exit = p.Err().Error()
		}
	case <-time.After(stopLimit):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	took := time.Since(begin)
	p.Kill()
	t.end()
	clients.Wait()
	t.counts.Took, t.counts.Exit = took, exit
	return &t.counts, nil
}

// A stopTrial is the load of one process.
type stopTrial struct {
	process *process
	path    string // that is requested

	mu     sync.Mutex // guards following
	phase  stopPhase
	counts Stop
}

type stopPhase int

const (
	stopRunning stopPhase = iota // nothing is counted
	stopping                     // since the signal
	stopped                      // clients end
)

func (t *stopTrial) begin() { t.enter(stopping) }
func (t *stopTrial) end()   { t.enter(stopped) }

func (t *stopTrial) enter(phase stopPhase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = max(t.phase, phase)
}

func (t *stopTrial) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.phase == stopped
}

// count counts a request. dial is the error if no connection could be opened for it. Otherwise err
// and begun are what exchange has returned, and used is true if the connection had had a request
// before.
func (t *stopTrial) count(dial, err error, used, begun bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.phase == stopRunning:
	case dial != nil:
		t.counts.Refused++
	case err == nil:
		t.counts.Answered++
	default:
		t.counts.Broken++
		if t.counts.First == "" {
			t.counts.First = err.Error()
		}
		if used && !begun {
			t.counts.Closed++
		}
	}
}

// keepAlive sends requests over one connection as long as it lasts.
func (t *stopTrial) keepAlive() { t.requests(Request{Path: t.path}) }

// newConnections sends each request over a new connection.
func (t *stopTrial) newConnections() {
	t.requests(Request{Path: t.path, Header: []string{"Connection: close"}})
}

func (t *stopTrial) requests(request Request) {
	addr, secure := t.process.addr(), t.process.app.TLS
	wire := request.wire(addr)
	var c net.Conn
	var r *bufio.Reader
	used := false
	for !t.ended() {
		if c == nil {
			var err error
			if c, err = dial(addr, secure, 5*time.Second); err != nil {
				c = nil
				t.count(err, nil, false, false)
				time.Sleep(20 * time.Millisecond) // the load is what matters, not how often it is refused
				continue
			}
			r, used = bufio.NewReader(c), false
		}
		closes, begun, err := exchange(c, r, wire)
		t.count(nil, err, used, begun)
		used = true
		if err != nil || closes {
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
}

// exchange sends a request and receives the response. begun is true if a byte of the response has
// arrived, and closes if no other request may follow.
func exchange(c net.Conn, r *bufio.Reader, request []byte) (closes, begun bool, err error) {
	c.SetDeadline(time.Now().Add(stopLimit))
	if _, err := c.Write(request); err != nil {
		return true, false, err
	}
	if _, err := r.Peek(1); err != nil {
		return true, false, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return true, true, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Close, true, err
}
