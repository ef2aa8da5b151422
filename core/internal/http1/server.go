package http1

import (
	"cmp"
	"context"
	"crypto/tls"
	"log"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// A Server is what connections have in common.
type Server struct {
	// HTTP holds handler, timeouts, limits and hooks.
	HTTP *http.Server

	// Requeue puts a connection at the end of the run queue, so that one with many requests in
	// a row does not keep its worker from the others. Nil: it may.
	Requeue func(*Conn)

	// Shake has c.Shake(hello) called, on a goroutine that may have to wait for the client.
	Shake func(c *Conn, hello []byte)

	// Continue has a worker serve c, which the caller has.
	Continue func(c *Conn)

	// Limits are those that net/http does not have.
	Limits Limits

	// Enter reports whether a connection that does not park may be served. If not, it has ended it, or soon will. Nil: all may.
	Enter func(c *Conn) bool

	// Reserve has c served by a worker in reserve, and reports whether there is one. Nil: there is none.
	Reserve func(c *Conn) bool

	// Refuse writes the answer to what is shed. It is called once, by Prepare, with a request that nobody has sent. Nil: a
	// line of text.
	Refuse http.Handler

	refuseOnce             sync.Once
	refuseHead, refuseRest []byte

	Requests atomic.Int64 // answered by a handler, or under way
	Retired  atomic.Int64 // connections that have reached a limit of their own

	// Lingering counts connections whose Lingers is set. Who removes them subtracts them.
	Lingering atomic.Int64

	draining atomic.Bool // answers say "Connection: close", and nothing is parked between requests
	noReuse  atomic.Bool // SetKeepAlivesEnabled(false)
}

// Limits bound what one connection may do. Zero is no limit.
type Limits struct {
	Requests    int           // on a connection
	Age         time.Duration // of a connection, when a request comes
	BodyTimeout time.Duration // how long a body may make no progress: see input.read
	HealthPath  string        // is served when others are shed; empty: none is
}

// SetDraining makes every connection end after the request it is at.
func (s *Server) SetDraining() { s.draining.Store(true) }

// Draining reports whether SetDraining was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// SetKeepAlivesEnabled is http.Server's.
func (s *Server) SetKeepAlivesEnabled(v bool) { s.noReuse.Store(!v) }

func (s *Server) keepAlives() bool { return !s.noReuse.Load() && !s.draining.Load() }

// http1 and http2 report whether HTTP/1, and HTTP/2 without TLS, may be spoken.
func (s *Server) http1() bool {
	return s.HTTP.Protocols == nil || s.HTTP.Protocols.HTTP1()
}

func (s *Server) http2() bool { return s.HTTP.Protocols != nil && s.HTTP.Protocols.UnencryptedHTTP2() }

// Timeouts returns how long a connection may wait in each class, as s.HTTP says.
func (s *Server) Timeouts(set *park.Config) {
	set.Timeouts[park.Hello] = s.handshakeTimeout()
	set.Timeouts[park.Header] = s.headerTimeout()
	set.Timeouts[park.Idle] = s.idleTimeout()
	set.Timeouts[park.Grace] = graceTime
	set.Timeouts[park.Linger] = lingerTime
}

// Timeouts where net/http has none. A negative one of s.HTTP's means that there is none here either.
const (
	defaultHeaderTimeout = 30 * time.Second
	defaultIdleTimeout   = 3 * time.Minute // longer than that of Go's clients, and of most proxies
)

func (s *Server) headerTimeout() time.Duration {
	return max(cmp.Or(s.HTTP.ReadHeaderTimeout, s.HTTP.ReadTimeout, defaultHeaderTimeout), 0)
}

func (s *Server) idleTimeout() time.Duration {
	return max(cmp.Or(s.HTTP.IdleTimeout, s.HTTP.ReadTimeout, defaultIdleTimeout), 0)
}

// headerSlop is what net/http allows on top of MaxHeaderBytes.
const headerSlop = 4096

func (s *Server) headerLimit() int {
	n := s.HTTP.MaxHeaderBytes
	if n <= 0 {
		n = http.DefaultMaxHeaderBytes
	}
	return n + headerSlop
}

// Logf writes to the server's ErrorLog.
func (s *Server) Logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}

// ServeHTTP calls the handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.HTTP.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	if r.RequestURI == "*" && r.Method == "OPTIONS" && !s.HTTP.DisableGeneralOptionsHandler {
		h = generalOptions{}
	}
	h.ServeHTTP(w, r)
}

// generalOptions answers "OPTIONS *".
type generalOptions struct{}

func (generalOptions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if r.ContentLength != 0 {
		// A body here has no meaning. Read a little of it, to be polite.
		discard(http.MaxBytesReader(w, r.Body, 4<<10))
	}
}

// A Base is what the connections of one listener share.
type Base struct {
	Server  *Server
	Context context.Context // of BaseContext, or Background

	// Delegate takes a connection that speaks another protocol, which TLS has negotiated, or
	// HTTP/2 without TLS, and what was read of it.
	Delegate func(c *Conn, protocol string, ahead []byte)

	// TLS is nil without TLS. It is only for connections that park; others bring theirs.
	TLS *tls.Config
}
