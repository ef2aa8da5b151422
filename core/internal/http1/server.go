package http1

import (
	"context"
	"crypto/tls"
	"log"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/gohttp"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Server holds what all connections have in common.
type Server struct {
	// HTTP holds the handler, timeouts, limits and hooks.
	HTTP *http.Server

	// ConnState and ConnContext are the application's hooks of these names, or nil.
	ConnState   func(net.Conn, http.ConnState)
	ConnContext func(ctx context.Context, c net.Conn) context.Context

	// Limits are those that net/http does not have.
	Limits Limits

	// Observer is told about requests and connections; nil: nobody is.
	Observer observe.Observer

	// Handler is what HTTP.Handler was before it was replaced for the Observer; nil: see HTTP.
	Handler http.Handler

	// Background calls f on a goroutine that may block. If nil, the caller calls f itself.
	Background func(f func())

	// NoHeaderYet counts the connections with Conn.NoHeaderYet set.
	NoHeaderYet atomic.Int64

	// HooksPending counts the connections with Conn.HooksPending set.
	HooksPending atomic.Int64

	logging atomic.Int64 // pending calls of functions passed to logLater

	tlsErrors park.LogLimiter // handshakes that have failed

	// ClosedHooks counts connections that are closed, or about to be, and whose StateClosed hook
	// has not returned yet.
	ClosedHooks atomic.Int64

	// IdleHooks counts connections that are inside the StateIdle hook.
	IdleHooks atomic.Int64

	// Refuse writes the response that shed connections get. Prepare calls it once, with a request
	// that no client has sent. If nil, the response is a line of text.
	Refuse http.Handler

	refuseOnce             sync.Once
	refuseHead, refuseRest []byte

	// ProxyTimeout is how long a proxy may take to send its header. Zero means no limit.
	ProxyTimeout time.Duration

	// NoDescriptor is called when a connection is refused for lack of a descriptor. It must not
	// block. The leader calls it.
	NoDescriptor func()

	Requests Counter      // served, or being served, by a handler
	Retired  atomic.Int64 // connections that have reached Limits.Requests or Limits.Age

	// Hijackings counts handlers that have hijacked their connection and have not returned.
	Hijackings HandlerCount

	late atomic.Int64 // see Late

	// Refused and Lingering count the connections with Conn.Refused and with Conn.Lingers set. The
	// code that removes the connections subtracts them.
	Refused, Lingering atomic.Int64

	// draining makes responses say "Connection: close", and nothing is parked between requests.
	draining atomic.Bool
	lame     atomic.Bool // responses say "Connection: close"; nothing else changes
	noReuse  atomic.Bool // SetKeepAlivesEnabled(false)
}

// Limits bounds what one connection may do. Zero means no limit.
type Limits struct {
	Requests    int           // on a connection
	Age         time.Duration // of a connection, checked at each request
	BodyTimeout time.Duration // without progress in reading a body: see input.limit
	HealthPath  string        // served while other requests are shed; empty: none
}

func (s *Server) background(f func()) {
	if s.Background == nil {
		f()
		return
	}
	s.Background(f)
}

// maxLogging is how many lines may wait to be logged in the background. Further lines are lost.
const maxLogging = 1 << 10

// logLater calls log in the background, for callers that must not wait for the ErrorLog. It returns
// false if too many calls are pending.
func (s *Server) logLater(log func()) (accepted bool) {
	if s.logging.Add(1) > maxLogging {
		s.logging.Add(-1)
		return false
	}
	s.background(func() {
		defer s.logging.Add(-1)
		log()
	})
	return true
}

// LogLater is Logf for callers that must not wait.
func (s *Server) LogLater(format string, args ...any) {
	s.logLater(func() { s.Logf(format, args...) })
}

// FlushLog logs at once how many lines were suppressed. It does not wait for that.
func (s *Server) FlushLog() { s.tlsErrors.Flush() }

// SetDraining makes every connection end after its current request.
func (s *Server) SetDraining() { s.draining.Store(true) }

// UnsetDraining undoes SetDraining.
func (s *Server) UnsetDraining() { s.draining.Store(false) }

// Draining reports whether SetDraining was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// SetKeepAlivesEnabled is http.Server.SetKeepAlivesEnabled.
func (s *Server) SetKeepAlivesEnabled(v bool) { s.noReuse.Store(!v) }

func (s *Server) keepAlives() bool { return !s.noReuse.Load() && !s.draining.Load() }

// http1 reports whether the server speaks HTTP/1.
func (s *Server) http1() bool {
	p := gohttp.Protocols(s.HTTP)
	return p == nil || p.HTTP1()
}

// http2 reports whether the server speaks HTTP/2 without TLS.
func (s *Server) http2() bool {
	p := gohttp.Protocols(s.HTTP)
	return p != nil && p.UnencryptedHTTP2()
}

// headerSlop is what net/http allows beyond MaxHeaderBytes.
const headerSlop = 4096

func (s *Server) headerLimit() int {
	n := s.HTTP.MaxHeaderBytes
	if n <= 0 {
		n = http.DefaultMaxHeaderBytes
	}
	return min(n, math.MaxInt-headerSlop) + headerSlop
}

// Logf writes to the http.Server's ErrorLog, or to the standard logger.
func (s *Server) Logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}

// ServeHTTP calls the handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.Handler
	if h == nil {
		h = s.HTTP.Handler
	}
	if h == nil {
		h = http.DefaultServeMux
	}
	if r.RequestURI == "*" && r.Method == "OPTIONS" && !s.HTTP.DisableGeneralOptionsHandler {
		h = generalOptions{}
	}
	h.ServeHTTP(w, r)
}

// generalOptions responds to "OPTIONS *".
type generalOptions struct{}

func (generalOptions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if r.ContentLength != 0 {
		// A body has no meaning here. Read a little of it anyway, as net/http does.
		discard(http.MaxBytesReader(w, r.Body, 4<<10))
	}
}

// A ListenerConfig holds what the connections of one listener have in common.
type ListenerConfig struct {
	Server  *Server
	Context context.Context // from BaseContext, or Background

	// Delegate takes over a connection that speaks another protocol: one negotiated by TLS, or
	// HTTP/2 without TLS. ahead is everything that was read from it, including the HTTP/2 preface.
	Delegate func(c *Conn, protocol string, ahead []byte)

	// Proxy says which peers have to send a header of the PROXY protocol first; nil: none.
	Proxy *proxyproto.Policy

	// TLS is nil without TLS. It applies only to connections that park. Other connections bring
	// their own.
	TLS *tls.Config
}
