// Package attach gives package auto what package recycling does not export.
package attach

import (
	"context"
	"net"
	"net/http"
)

// A Server serves in place of an http.Server. Its methods do and return what the methods of the
// http.Server with the same names do.
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
