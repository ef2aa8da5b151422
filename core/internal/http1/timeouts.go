package http1

import (
	"cmp"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// Timeouts sets the timeout of each class of waiting according to s.HTTP.
func (s *Server) Timeouts(set *park.Config) {
	set.Timeouts[ForHello] = s.handshakeTimeout()
	set.Timeouts[ForFirst] = s.headerTimeout()
	set.Timeouts[ForHeader] = s.headerTimeout()
	set.Timeouts[ForNext] = s.idleTimeout()
	set.Timeouts[ForGrace] = GraceTime
	set.Timeouts[ForClose] = lingerTime
	set.Timeouts[ForProxy] = s.ProxyTimeout
}

// Timeouts where net/http has none. A negative timeout in s.HTTP disables the first two.
const (
	defaultHeaderTimeout = 30 * time.Second

	// The idle timeout is longer than that of clients and proxies. If the server closes an idle
	// connection first, it may lose a request that is already on its way, so the client should
	// close first. Google's load balancers, which keep idle connections for 600 seconds, respond
	// with 502 otherwise.
	defaultIdleTimeout = 620 * time.Second

	defaultHandshakeTimeout = 10 * time.Second
)

func (s *Server) headerTimeout() time.Duration {
	return max(cmp.Or(s.HTTP.ReadHeaderTimeout, s.HTTP.ReadTimeout, defaultHeaderTimeout), 0)
}

func (s *Server) idleTimeout() time.Duration {
	return max(cmp.Or(s.HTTP.IdleTimeout, s.HTTP.ReadTimeout, defaultIdleTimeout), 0)
}

// handshakeTimeout returns the shortest of the configured timeouts for reading and writing, as in
// net/http, or defaultHandshakeTimeout if there is none. On a connection that parks, it applies
// separately to the wait for the first record (ForHello) and to the handshake.
func (s *Server) handshakeTimeout() (d time.Duration) {
	for _, t := range []time.Duration{s.HTTP.ReadHeaderTimeout, s.HTTP.ReadTimeout, s.HTTP.WriteTimeout} {
		if t > 0 && (d == 0 || t < d) {
			d = t
		}
	}
	if d == 0 {
		return defaultHandshakeTimeout
	}
	return d
}

// GraceTime is how much longer a connection waits for its first request when the server drains: the
// request may already be on its way. The number is net/http's.
const GraceTime = 5 * time.Second

// lingerTime is how long a connection stays open for reading after a response that the client may
// not expect, so that bytes which the client is still sending do not make its kernel discard the
// response (RFC 9112 section 9.6). The number is net/http's.
const lingerTime = 500 * time.Millisecond
