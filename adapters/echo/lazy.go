package recyclingecho

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// A lazy is a listener that opens its socket when e is started, because the address is not known
// before. It opens when echo asks for the address to print it, or when net/http calls Accept.
type lazy struct {
	e      *echo.Echo
	server *recycling.Server
	given  net.Listener // used instead of a socket of its own; may be nil
	secure bool         // the socket needs TLS

	opening sync.Mutex // held by open
	// mu guards the following fields. It is not held while opening, because Close may be called
	// with http.Server's mutex held.
	mu     sync.Mutex
	l      net.Listener // nil until it is open
	err    error        // the error of opening, until Close
	closed bool
}

// unstarted is the Handler of an http.Server that has not been started. Echo replaces it when it
// starts the server.
type unstarted struct{ *echo.Echo }

// newLazy makes srv serve on recycled workers, and returns its listener. If given is already the
// lazy listener of srv, newLazy applies the options to it and returns it.
func newLazy(e *echo.Echo, srv *http.Server, given net.Listener, secure bool, options []recycling.Option) *lazy {
	if l, ok := given.(*lazy); ok {
		if l.server.HTTP == srv {
			for _, o := range options {
				o(l.server)
			}
			l.server.HTTP = srv
			return l
		}
		given = l.given
	}
	s := recycling.Use(srv, append([]recycling.Option{shed}, options...)...)
	srv.Handler = unstarted{e}
	return &lazy{e: e, server: s, given: given, secure: secure}
}

func (l *lazy) started() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, not := l.server.HTTP.Handler.(unstarted)
	return !not
}

// Recycled opens the socket. It is called by the BaseContext that package recycling has set on the
// http.Server.
func (l *lazy) Recycled() (net.Listener, error) { return l.open() }

func (l *lazy) open() (net.Listener, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if u, err := l.result(); u != nil || err != nil {
		return u, err
	}
	u, err := l.listen()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed && err == nil {
		u.Close()
		err = net.ErrClosed
	}
	l.l, l.err = u, err
	return u, err
}

func (l *lazy) result() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.l, l.err
}

func (l *lazy) listen() (net.Listener, error) {
	if !l.started() {
		return nil, ErrServer
	}
	socket := l.given
	if socket == nil {
		network := l.e.ListenerNetwork
		if network != "tcp" && network != "tcp4" && network != "tcp6" {
			return nil, echo.ErrInvalidListenerNetwork
		}
		config := listener.Config{KeepAlive: 3 * time.Minute} // the same as echo's
		opened, err := config.Listen(context.Background(), network, l.server.HTTP.Addr)
		if err != nil {
			// The error is not a net.Error, because net/http retries after some of those.
			return nil, err
		}
		socket = opened
	}
	served := socket
	if l.secure && l.given == nil { // a given TLSListener does TLS itself
		served = tls.NewListener(socket, l.server.HTTP.TLSConfig)
	}
	u, err := l.server.Listener(served)
	if err != nil {
		socket.Close()
		return nil, err
	}
	return u, nil
}

func (l *lazy) Accept() (net.Conn, error) {
	u, err := l.open()
	if err != nil {
		return nil, err
	}
	return u.Accept()
}

// Addr returns the address of the socket, or nil if there is no socket.
func (l *lazy) Addr() net.Addr {
	if !l.started() {
		return nil
	}
	u, err := l.open()
	if err != nil {
		return nil
	}
	return u.Addr()
}

// Close closes the socket. If opening it has failed, Close restores the previous state, so that e
// can be started with another address.
func (l *lazy) Close() error {
	if open := l.close(); open != nil {
		return open.Close()
	}
	return nil
}

// close marks l closed and returns the listener that Close has to close, or nil.
func (l *lazy) close() net.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		l.err = nil
		l.server.HTTP.Handler = unstarted{l.e}
		return nil
	case l.l != nil:
		return l.l
	}
	l.closed = true
	return l.given
}
