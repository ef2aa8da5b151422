package engine

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

// A witness detects what an application does with its http.Server: when it calls Shutdown, when
// Shutdown stops waiting, and when it calls Close. The http.Server serves the witness as a listener
// of its own, which yields one connection that never finishes its first request. Shutdown closes
// the listener, and waits for the connection until its context ends. Close closes the connection.
//
// Two alternatives were rejected, because neither makes Shutdown wait: reading stack traces, which
// could tell which of the two was called, and a function of RegisterOnShutdown.
type witness struct {
	engine *Engine
	conn   *busyConn

	chanListener               // holds conn until it is accepted
	retired      chan struct{} // closed by retire, before it calls Close
	over         chan struct{} // closed when the http.Server no longer waits for conn
}

func newWitness(e *Engine) *witness {
	return &witness{
		engine:       e,
		conn:         newBusyConn(e.abandoned),
		chanListener: newChanListener(1),
		retired:      make(chan struct{}),
		over:         make(chan struct{}),
	}
}

// attend has the http.Server serve w until it is shut down or closed. Then it drains the engine
// until the http.Server is closed.
func (w *witness) attend() {
	defer close(w.over)
	defer w.conn.release()
	w.give <- w.conn
	// Serve returns only with the mutex that Shutdown and Close hold while they close all
	// listeners, so afterwards all listeners are closed.
	w.engine.config.HTTP.Serve(w)
	select {
	case <-w.retired:
		return
	default:
	}
	w.engine.beginShutdown()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go w.awaitCut(ctx, cancel)
	if w.engine.wait(ctx) != nil {
		w.engine.abandonForHost()
		return
	}
	w.conn.release()
	w.conn.awaitClose()
}

// awaitCut cancels ctx when the http.Server is closed. It returns when ctx ends.
func (w *witness) awaitCut(ctx context.Context, cancel func()) {
	select {
	case <-w.conn.cut:
		cancel()
	case <-ctx.Done():
	}
}

// ready waits until the http.Server is serving conn, and reports whether it is: from then on w
// detects Shutdown and Close. If not, the http.Server was shut down or closed in the meantime.
func (w *witness) ready() bool {
	select {
	case <-w.conn.busy:
		return true
	case <-w.closed:
		return false
	case <-w.conn.cut:
	}
	// The http.Server is shutting down, and closes connections that have sent nothing yet.
	select {
	case <-w.closed:
	case <-time.After(10 * time.Second): // closing listeners takes less on any machine
		w.engine.http.Logf("recycling: net/http did not accept the connection that detects Shutdown")
	}
	return false
}

// settleTime is how long Serve waits for connections to end once its listener is closed. If all of
// them are idle, they end at once, and Shutdown has nothing to wait for, even if its context has
// ended. Close waits as long.
const settleTime = 50 * time.Millisecond

// settle waits until w is over, but at most for settleTime.
func (w *witness) settle() {
	t := time.NewTimer(settleTime)
	defer t.Stop()
	select {
	case <-w.over:
	case <-t.C:
	}
}

// retire ends w when there is nothing left to shut down.
func (w *witness) retire() {
	close(w.retired)
	w.Close()
	w.conn.release()
}

// Close makes connections close after their current request, because attend may take a moment to do
// that.
func (w *witness) Close() error {
	select {
	case <-w.retired:
	case <-w.closed: // draining may have been undone since
	default:
		w.engine.http.SetDraining()
	}
	return w.chanListener.Close()
}

// A noAddr is the address of a listener or connection that is not on a network.
type noAddr struct{}

func (noAddr) Network() string { return "none" }
func (noAddr) String() string  { return "none" }

// A busyConn sends something that is not a request, and blocks the http.Server when it writes its
// error response. No handler is called and nothing is logged.
type busyConn struct {
	rest               string // of noRequest, not read yet
	busyOnce, freeOnce sync.Once
	cutOnce            sync.Once
	busy               chan struct{} // closed when the http.Server writes, so counts it as active
	free               chan struct{} // closed by release
	cut                chan struct{} // closed by Close, which the http.Server calls
	abandoned          <-chan struct{}
}

func newBusyConn(abandoned <-chan struct{}) *busyConn {
	return &busyConn{rest: noRequest, busy: make(chan struct{}), free: make(chan struct{}), cut: make(chan struct{}), abandoned: abandoned}
}

// noRequest is longer than the preface of HTTP/2, which an http.Server may look for first.
const noRequest = "this-is-not-a-request-and-gets-no-answer\r\n\r\n"

func (c *busyConn) Read(b []byte) (int, error) {
	if c.rest == "" {
		return 0, c.wait()
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *busyConn) Write([]byte) (int, error) {
	c.busyOnce.Do(func() { close(c.busy) })
	return 0, c.wait()
}

func (c *busyConn) wait() error {
	select {
	case <-c.free:
	case <-c.cut:
	}
	return net.ErrClosed
}

// release unblocks the http.Server, which then drops c.
func (c *busyConn) release() { c.freeOnce.Do(func() { close(c.free) }) }

// awaitClose waits until the http.Server has closed c, and yields for a moment so that it can drop
// c. Nothing reports when it has.
func (c *busyConn) awaitClose() {
	select {
	case <-c.busy:
	default:
		return // c may never have been accepted
	}
	<-c.cut
	for range 10 {
		runtime.Gosched()
	}
}

// Close is called by the http.Server's Close, unless c was released. It waits up to cutTime, so
// that all connections are closed when the http.Server's Close returns.
func (c *busyConn) Close() error {
	c.cutOnce.Do(func() { close(c.cut) })
	t := time.NewTimer(cutTime)
	defer t.Stop()
	select {
	case <-c.free:
	case <-c.abandoned:
	case <-t.C:
	}
	return nil
}

// cutTime bounds how long Close waits, since the http.Server's mutex is held meanwhile.
const cutTime = 50 * time.Millisecond

func (c *busyConn) LocalAddr() net.Addr              { return noAddr{} }
func (c *busyConn) RemoteAddr() net.Addr             { return noAddr{} }
func (c *busyConn) SetDeadline(time.Time) error      { return nil }
func (c *busyConn) SetReadDeadline(time.Time) error  { return nil }
func (c *busyConn) SetWriteDeadline(time.Time) error { return nil }
