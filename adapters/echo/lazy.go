package recyclingecho

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// A lazy is a listener that opens its socket when e is started, which says where. That is when echo asks for the address
// to print it, or net/http calls Accept.
type lazy struct {
	e      *echo.Echo
	server *recycling.Server
	given  net.Listener // instead of a socket of its own; nil for none
	tls    bool

	opening sync.Mutex   // held by open
	mu      sync.Mutex   // guards following; not held while opening, because Close may be called with http.Server's mutex held
	l       net.Listener // nil until it is open
	err     error        // of opening, until Close
	closed  bool
}

// unstarted is the Handler of an http.Server that has not been started. Echo sets another when it does that.
type unstarted struct{ *echo.Echo }

func newLazy(e *echo.Echo, srv *http.Server, given net.Listener, tls bool, options []recycling.Option) *lazy {
	if l, ok := given.(*lazy); ok {
		given = l.given
	}
	l := &lazy{e: e, server: &recycling.Server{HTTP: srv, Shed: shed(e)}, given: given, tls: tls}
	for _, o := range options {
		o(l.server)
	}
	l.server.HTTP = srv
	srv.Handler = unstarted{e}
	return l
}

func (l *lazy) started() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, not := l.server.HTTP.Handler.(unstarted)
	return !not
}

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
		config := listener.Config{KeepAlive: 3 * time.Minute} // echo's
		opened, err := config.Listen(context.Background(), network, l.server.HTTP.Addr)
		if err != nil {
			return nil, err // no net.Error, after some of which net/http would try again
		}
		socket = opened
	}
	under := l.server.Listener
	if l.tls && l.given == nil { // a TLSListener that was given speaks TLS itself
		under = l.server.TLSListener
	}
	u, err := under(socket)
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

// Addr returns nil if there is no socket.
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

// Close closes the socket. If it could not be opened, all is as before: e may be started with another address.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		l.err = nil
		l.server.HTTP.Handler = unstarted{l.e}
		return nil
	case l.l != nil:
		return l.l.Close()
	case l.given != nil:
		l.closed = true
		return l.given.Close()
	}
	l.closed = true
	return nil
}
