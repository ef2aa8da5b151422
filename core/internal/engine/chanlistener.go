package engine

import (
	"net"
	"sync"
)

// A chanListener is a listener that the http.Server serves on an engine's behalf. It yields the
// connections that it is given.
type chanListener struct {
	give   chan net.Conn
	once   sync.Once     // for Close
	closed chan struct{} // closed by Close
}

// newChanListener returns a chanListener that holds up to room connections until they are accepted.
func newChanListener(room int) chanListener {
	return chanListener{give: make(chan net.Conn, room), closed: make(chan struct{})}
}

func (l *chanListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.give:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close does not block: the http.Server calls it with its mutex held.
func (l *chanListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *chanListener) Addr() net.Addr { return noAddr{} }

// ForNetHTTP marks the listener as internal, as noListener's does.
func (l *chanListener) ForNetHTTP() {}

// isInternal reports whether the http.Server serves l on an engine's behalf.
func isInternal(l net.Listener) bool {
	_, ok := l.(interface{ ForNetHTTP() })
	return ok
}
