package status

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxConns   = 64 // connections of a listener
	spares     = 4  // descriptors that are kept for when there are no others
	spareWait  = 10 * time.Millisecond
	sparePause = 50 * time.Millisecond // between attempts while there are no descriptors
)

// A reserved is a listener that keeps a few descriptors for connections, and bounds their number.
// If the process has no descriptor left, it closes one that it keeps, and accepts again. Another
// part of the program may be faster, so it keeps several. When a connection closes while some are
// missing, its descriptor is kept.
type reserved struct {
	*net.TCPListener
	null   *os.File      // the null device; nil if it could not be opened
	room   chan struct{} // one element for each connection
	closed chan struct{}

	mu     sync.Mutex // guards the following
	spare  []io.Closer
	ending bool // closed is closed
}

func newReserved(l *net.TCPListener) *reserved {
	r := &reserved{TCPListener: l, room: make(chan struct{}, maxConns), closed: make(chan struct{})}
	r.null, _ = os.Open(os.DevNull)
	r.refill()
	return r
}

// refill opens as many of the spare descriptors as it can.
func (r *reserved) refill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.spare) < spares && !r.ending {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		r.spare = append(r.spare, f)
	}
}

// release closes one of the spare descriptors, and reports whether there was any.
func (r *reserved) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.spare)
	if n == 0 {
		return false
	}
	r.spare[n-1].Close()
	r.spare = r.spare[:n-1]
	return true
}

// keep makes c's descriptor a spare one, if any is missing. It reports whether that has closed the
// connection. No other part of the program can get the descriptor meanwhile.
func (r *reserved) keep(c *net.TCPConn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spare) >= spares || r.ending || r.null == nil || !replace(c, r.null) {
		return false
	}
	c.SetDeadline(time.Unix(1, 0)) // ends reads that wait
	r.spare = append(r.spare, c)
	return true
}

// Accept implements net.Listener.
func (r *reserved) Accept() (net.Conn, error) {
	select {
	case r.room <- struct{}{}:
	case <-r.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := r.AcceptTCP()
		if outOfDescriptors(err) {
			c, err = r.acceptWithSpares(err)
		}
		r.refill()
		switch {
		case err == nil:
			return &reservedConn{TCPConn: c, listener: r}, nil
		case outOfDescriptors(err), errors.Is(err, os.ErrDeadlineExceeded):
			select {
			case <-r.closed:
			case <-time.After(sparePause):
			}
		default:
			<-r.room
			return nil, err
		}
	}
}

// acceptWithSpares closes spare descriptors, one after the other, until a connection has been
// accepted. It does nothing and returns err if no connection is there: the system says that there
// is no descriptor before it says that, and while this listener waits, others would take the
// descriptors.
func (r *reserved) acceptWithSpares(err error) (c *net.TCPConn, _ error) {
	if !pending(r.TCPListener) {
		return nil, err
	}
	r.SetDeadline(time.Now().Add(spareWait)) // in case it is gone
	defer r.SetDeadline(time.Time{})
	for outOfDescriptors(err) && r.release() {
		c, err = r.AcceptTCP()
	}
	return c, err
}

// Close implements net.Listener.
func (r *reserved) Close() error {
	r.mu.Lock()
	first := !r.ending
	r.ending = true
	r.mu.Unlock()
	if first {
		close(r.closed)
		r.null.Close()
	}
	for r.release() {
	}
	return r.TCPListener.Close()
}

// A reservedConn is a connection of a reserved.
type reservedConn struct {
	*net.TCPConn
	listener *reserved
	once     sync.Once
}

// Close implements net.Conn.
func (c *reservedConn) Close() (err error) {
	err = net.ErrClosed
	c.once.Do(func() {
		err = nil
		if !c.listener.keep(c.TCPConn) {
			err = c.TCPConn.Close()
		}
		<-c.listener.room
	})
	return err
}
