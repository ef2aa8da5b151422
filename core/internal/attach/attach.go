// Package attach is how package auto gets from package recycling what that does not export.
package attach

import (
	"context"
	"net"
	"net/http"
)

// A Server serves in place of an http.Server. Its methods have the meaning and results that they
// have there.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
	SetKeepAlivesEnabled(bool)
}

// Package recycling sets these when it is initialized.
var (
	// New returns a Server that serves in place of srv and logs only what goes wrong.
	New func(srv *http.Server) Server

	// IsHost reports whether Use or Server.Listener of package recycling have been applied to srv,
	// or Listener to l.
	IsHost func(srv *http.Server, l net.Listener) bool

	// Version returns the version of the module.
	Version func() string
)
