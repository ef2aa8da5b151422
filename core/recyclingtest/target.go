package recyclingtest

import (
	"context"
	"net"
	"net/http"
	"testing"
)

// A Target is a server under test: how to start it, and how it differs from net/http. If all other
// fields are zero, every behaviour is tested.
type Target struct {
	// Name is the name of the subtest that [Run] creates.
	Name string

	// Start serves srv, with its Handler, timeouts, limits and hooks, on a socket of its own. It
	// returns once connections are accepted. It is called many times, also concurrently. The suite
	// calls Close of each Instance, so Start needs no cleanup for that.
	Start func(t testing.TB, srv *http.Server) *Instance

	// Strict says that the server refuses what RFC 9110 and RFC 9112 require it to refuse, even
	// where net/http does not.
	Strict bool

	// NoHooks says that ConnState, ConnContext, BaseContext, ErrorLog and the functions of
	// RegisterOnShutdown are not used, as in a framework that makes its own http.Server.
	NoHooks bool

	// NoLateWrites says that a ResponseWriter must not be used once its handler has returned. That
	// is true of net/http, where such a write may damage the next response.
	NoLateWrites bool

	// Except names behaviours that are skipped, with the reason for each:
	// "unknownStatusCodeIsSent", or "malformedRequestsAreRefused/bare_CR_in_value" for one part.
	Except map[string]string
}

// An Instance is a running server.
type Instance struct {
	Addr     net.Addr                    // where it listens: a *net.TCPAddr or a *net.UnixAddr
	Shutdown func(context.Context) error // like (*http.Server).Shutdown
	Close    func() error                // like (*http.Server).Close
	Served   <-chan error                // receives the result of Serve, once
}

// NetHTTP returns the control: net/http's own server on a loopback port.
func NetHTTP() Target {
	return Target{
		Name:         "nethttp",
		NoLateWrites: true,
		Start:        func(t testing.TB, srv *http.Server) *Instance { return Serve(srv, Loopback(t)) },
	}
}

// Serve starts s on l. Any type that has these methods of an [http.Server] will do.
func Serve(s interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}, l net.Listener) *Instance {
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return &Instance{Addr: l.Addr(), Shutdown: s.Shutdown, Close: s.Close, Served: served}
}

// FreeAddr returns a TCP address of the loopback interface on which nobody listens, for code that
// takes no listener. On Linux its host is not 127.0.0.1, where another test might get the port
// before the caller does.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.77.0.2:0")
	if err != nil {
		l = Loopback(t)
	}
	defer l.Close()
	return l.Addr().String()
}

// Loopback returns a listener of package net on a loopback port.
func Loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
