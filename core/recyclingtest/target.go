package recyclingtest

import (
	"context"
	"net"
	"net/http"
	"testing"
)

// A Target is a server under test: how to start it, and what it does otherwise than
// net/http. With all other fields zero it is held to every behaviour.
type Target struct {
	// Name is the name of the subtest that [Run] makes.
	Name string

	// Start serves srv - its Handler, timeouts, limits and hooks - on a socket of its own,
	// and returns once connections are accepted. It is called many times, from several goroutines.
	// The suite ends each Instance with Close; Start needs no cleanup for that.
	Start func(t testing.TB, srv *http.Server) *Instance

	// Strict says that the server refuses what RFC 9110 and RFC 9112 say must be
	// refused where net/http does not.
	Strict bool

	// NoHooks says that ConnState, ConnContext, BaseContext, ErrorLog and the
	// functions of RegisterOnShutdown are not used: a framework has its own http.Server.
	NoHooks bool

	// NoLateWrites says that a ResponseWriter must not be used once its
	// handler has returned. It is so with net/http: the next response may be damaged.
	NoLateWrites bool

	// Except names behaviours that are left out, each with the reason: "unknownStatusCodeIsSent",
	// or "malformedRequestsAreRefused/bare_CR_in_value" for one part.
	Except map[string]string
}

// An Instance is a server that was started.
type Instance struct {
	Addr     net.Addr                    // where it listens: a *net.TCPAddr, or a *net.UnixAddr
	Shutdown func(context.Context) error // as (*http.Server).Shutdown
	Close    func() error                // as (*http.Server).Close
	Served   <-chan error                // gets what Serve returned, once
}

// NetHTTP is the control: net/http's own server on a loopback port.
func NetHTTP() Target {
	return Target{
		Name:         "nethttp",
		NoLateWrites: true,
		Start:        func(t testing.TB, srv *http.Server) *Instance { return Serve(srv, Loopback(t)) },
	}
}

// Serve starts s on l. S is what has the methods of an [http.Server].
func Serve(s interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}, l net.Listener) *Instance {
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return &Instance{Addr: l.Addr(), Shutdown: s.Shutdown, Close: s.Close, Served: served}
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
