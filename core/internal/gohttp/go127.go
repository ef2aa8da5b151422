//go:build go1.27

package gohttp

import "net/http"

// Changes in Go 1.27.
const (
	// LateBodyIsRefused means that the client never sends the body if there is a final status, or a
	// Close of the body, before "100 Continue" was sent. A Read returns http.ErrBodyReadAfterClose,
	// Close reads nothing, and the connection ends. Before, a Read waited for a body that did not
	// arrive.
	LateBodyIsRefused = true

	// CopyStopsAtLength means that a ResponseWriter's ReadFrom copies no more than the
	// Content-Length that the handler has declared, and returns http.ErrContentLength if there is
	// more.
	CopyStopsAtLength = true

	// StateMeansTLS means that a net.Conn with a method ConnectionState is served like a tls.Conn:
	// its HandshakeContext is called if it has one, and "h2" means HTTP/2. Before, only Request.TLS
	// was set from it.
	StateMeansTLS = true
)

// MaxHeaderValues returns the maximum number of fields in a header of s: the fields of the request,
// those of a trailer, and the names that Trailer announces. Zero means that net/http has no limit.
func MaxHeaderValues(s *http.Server) int {
	if s.MaxHeaderValueCount > 0 {
		return s.MaxHeaderValueCount
	}
	return http.DefaultMaxHeaderValueCount
}

// Protocols returns s.Protocols; nil means the default. If nothing is set in s.Protocols, it
// returns HTTP/1. Before Go 1.27, such a server served nothing.
func Protocols(s *http.Server) *http.Protocols {
	if s.Protocols == nil || *s.Protocols != (http.Protocols{}) {
		return s.Protocols
	}
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// SetMaxHeaderValues sets the value that [MaxHeaderValues] returns, where possible.
func SetMaxHeaderValues(s *http.Server, n int) { s.MaxHeaderValueCount = n }
