package engine

import (
	"net"
	"sync"
)

// An inner is a listener that the http.Server serves on an engine's behalf. It yields the
// connections that it is given.
type inner struct {
	give   chan net.Conn
	once   sync.Once     // for Close
	closed chan struct{} // closed by Close
}

// newInner returns an inner that holds up to room connections until they are accepted.
func newInner(room int) inner {
	return inner{give: make(chan net.Conn, room), closed: make(chan struct{})}
}

func (l *inner) Accept() (net.Conn, error) {
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
func (l *inner) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *inner) Addr() net.Addr { return noAddr{} }

// ForNetHTTP marks the listener as internal, as noListener's does.
func (l *inner) ForNetHTTP() {}

// internal reports whether the http.Server serves l on an engine's behalf.
func internal(l net.Listener) bool {
	_, ok := l.(interface{ ForNetHTTP() })
	return ok
}
