package recycling

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/internal/engine"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Server serves HTTP/1.x as an [http.Server] does, with another [Strategy]. The zero value serves
// [http.DefaultServeMux] on ":http".
//
// Fields must not be changed once serving has begun. All methods may be called concurrently. If a
// field or an environment variable is invalid, Serve and its variants close their listener and
// return an error that names it and its value.
//
// Under [Goroutine], which is net/http, only HTTP, ProxyProtocol, Log, Observer, LameDuck,
// DrainTimeout and OnDrain have an effect.
type Server struct {
	// HTTP holds the handler, the address, timeouts, hooks and limits, with their meaning in
	// net/http. Nil means a zero http.Server.
	//
	// Where net/http has no timeout by default, the Server has one, except under [Goroutine]:
	// without ReadHeaderTimeout and ReadTimeout, a header must arrive within 30 seconds; without
	// IdleTimeout and ReadTimeout, a connection may be idle for 620 seconds, which is longer than
	// load balancers keep idle connections. A negative value means no timeout. A TLS handshake
	// always has a timeout, by default 10 seconds: see [Server.ServeTLS]. See also BodyTimeout and
	// AnswerTimeout.
	//
	// When the Server begins to serve, it replaces the hooks ConnState, ConnContext and BaseContext
	// by functions that call them. Before that, the application must not call a Serve method of the
	// http.Server itself, unless it has called [Use] or [Server.Listener].
	HTTP *http.Server

	// Strategy says which goroutine serves a connection.
	Strategy Strategy

	// Limits bound what clients may use.
	Limits

	// Standby is the number of idle workers to keep, not counting leaders, for all listeners
	// together. After a peak, more are kept for up to 10 seconds. Standby must not exceed
	// MaxWorkers. Only [Recycling] keeps idle workers. Zero means RECYCLING_STANDBY, or twice
	// GOMAXPROCS; a negative value means none.
	Standby int

	// StrictThreads makes a worker check whether a handler has left the goroutine locked to its
	// thread (see [runtime.LockOSThread]), for example because it changed the thread's namespaces
	// or user. The worker checks after every turn, that is, whenever it gives up a connection. If
	// it is locked, the worker ends, and the thread with it, and no other connection is served on
	// that thread. The check takes 1.4 microseconds or more: with a tiny handler, a keep-alive
	// request took a quarter more CPU.
	//
	// Without StrictThreads a worker checks after every 64th turn, and a few times before the first
	// of these. So each worker may serve up to 63 more turns on a locked thread. Once a worker has
	// been found locked, all of them check after every turn.
	StrictThreads bool

	// RefuseConns makes the server respond with 503 to connections beyond MaxConns: see Shed.
	// Otherwise they wait in the kernel's queue until there is room.
	RefuseConns bool

	// HealthPath is a path, such as "/healthz", for health checks. When all workers are busy,
	// requests for it are served by a few reserve workers. If more of them arrive than these can
	// serve, the rest wait or get a 503 response like other requests. The path must begin with a
	// slash. This applies only to GET and HEAD requests without a body, with or without a query,
	// and only once the complete header has arrived. HealthPath needs [Recycling] and a connection
	// that can park, over TLS one that has completed its handshake. Over TLS, in a Server with a
	// ConnState or ConnContext hook, reserve workers serve only requests that would otherwise get a
	// 503 response; others wait. Empty means none.
	HealthPath string

	// Shed writes the response to connections that are refused for lack of room: 503 and
	// Retry-After, unless it sets others. It is called once, before anything is served, with a
	// synthetic request for "/", and its response is stored. If it panics, the panic is logged and
	// the default is used. Nil means a line of text. A connection that has not completed its TLS
	// handshake is closed without a response.
	Shed http.Handler

	// ProxyProtocol says which peers are proxies, such as TCP load balancers, that send the header
	// of HAProxy's PROXY protocol at the beginning of each connection, before TLS. The connection
	// then has the addresses in the header: RemoteAddr of a request is the address of the client,
	// MaxConnsPerIP counts clients, and [http.LocalAddrContextKey] is the address that the client
	// has connected to. A connection of a proxy that begins with something else is closed, and the
	// error is logged. Connections of other peers are served as they are, and a header from them is
	// a malformed request. ConnState, ConnContext and Hijack get a [*proxyproto.Conn], or a
	// *tls.Conn on one, if the header has other addresses than the connection.
	//
	// Hooks are called once the header has arrived. Under [Recycling], on listeners whose
	// connections park, an incomplete header holds no worker; for these listeners, Timeout must be
	// the same. Under [Goroutine] hooks are called before the header has arrived, and one that
	// calls RemoteAddr holds up the accept loop until then.
	//
	// A listener that has its own settings, such as [listener.Config.ProxyProtocol], keeps them.
	// Nil means that no peer is a proxy.
	ProxyProtocol *proxyproto.Config

	// LameDuck is how long at most [Server.Run] and the functions built on it continue to serve
	// after they have been told to stop, so that load balancers notice before the server stops
	// accepting. During that time [Server.Ready] responds with 503, and every HTTP/1 response has
	// "Connection: close" and is the last of its connection, so that clients move away. Idle
	// connections stay open, and new ones are accepted. Under [Goroutine] responses have no
	// "Connection: close". [Use] and [Server.Listener] ignore LameDuck. Zero and negative values
	// mean none.
	//
	// The rest of LameDuck is skipped when load balancers have noticed, that is, when Ready has
	// responded with 503 three times and then no request has arrived for a fifth of LameDuck, or
	// for a second if that is longer. Health checks do not count as requests: neither those that
	// Ready answers over HTTP/1 nor those for HealthPath. Connections without a request do not
	// count either. An HTTP/2 connection with an open stream counts as a request. Nothing is
	// skipped under Goroutine, or if no health check calls Ready.
	//
	// A load balancer that does not check Ready notices when its connections are refused. Then
	// LameDuck must be longer than the time for which it keeps idle connections: a request that it
	// sends on one of them at the end of LameDuck may be lost. If another load balancer checks
	// Ready, the time without requests must also be longer than that.
	LameDuck time.Duration

	// DrainTimeout is how long [Server.Run] and the functions built on it wait once LameDuck has
	// passed: for requests in flight, for handlers of hijacked connections, and for OnDrain. The
	// end of that time is the drain deadline. A closed listener of [Server.Listener] waits for
	// requests for the same time, if the Server cannot tell that HTTP serves it. Zero means 30
	// seconds; a negative value means no limit.
	DrainTimeout time.Duration

	// OnDrain is called once, on a goroutine of its own, when draining begins: see
	// [Server.Draining]. Run waits until it has returned, at most until the drain deadline, when
	// its context ends. Without Run nothing waits for it, as for a function of
	// [http.Server.RegisterOnShutdown], and its context ends after DrainTimeout, or when Close is
	// called. A panic is logged. Nil means none.
	OnDrain func(ctx context.Context)

	// Observer is told about every request and connection, with times: see package observe. When
	// the Server begins to serve, it replaces HTTP.Handler by a handler that calls it, to observe
	// HTTP/2, and under Goroutine all requests; [Goroutine] reports no connections. Nil means that
	// nothing is measured.
	Observer observe.Observer

	// Log gets the events of the Server; nil means slog.Default(). At level Info, these are the
	// start of serving, once, at the first listener, and from Run what draining waits for if it
	// takes more than 5 seconds, and its result. At level Warn, they are the result of draining if
	// anything was abandoned, and the beginning and the end of an overload, with a line every
	// minute while it lasts: see the package comment. A Log that blocks or panics in such a line
	// does not hold up serving, and the line may be lost. The result of draining is an exception:
	// Run waits until it is logged.
	//
	// Errors go to HTTP.ErrorLog. If that is nil, Log also gets them, at level Error; if both are
	// nil, the standard logger of package log gets them, as in net/http. If clients cause many
	// errors, only some of them are logged: see the package comment.
	Log *slog.Logger

	addrErr error // PORT is not a port number, and no option has set an address; see New

	mu           sync.Mutex   // guards the following
	backend      backend      // nil until the first Serve
	settings     settings     // of backend
	announced    bool         // logStart has begun to log
	serves       bool         // s has begun to serve a listener, if only to fail
	end          ending       // how far s is on the way to its end
	noKeepAlives bool         // the last call was SetKeepAlivesEnabled(false)
	host         *engine.Host // nil unless Use has made HTTP one; never changes
}

// A backend implements a strategy for one Server. Its Serve or ServeTLS is called once for each
// listener, closes the listener, and returns http.ErrServerClosed after Shutdown or Close.
type backend interface {
	Serve(l net.Listener) error
	ServeTLS(l net.Listener, certFile, keyFile string) error
	Shutdown(ctx context.Context) error
	Close() (busy int, err error)
	Stats() engine.Stats
	SetKeepAlivesEnabled(bool)

	SetLame()                                  // Shutdown follows soon
	Late() (n int64, unseen bool)              // see engine.Late
	NotLate(r *http.Request)                   // r, which a handler has got, is a health check
	AwaitHijacked(ctx context.Context) (n int) // see engine.AwaitHijacked
}

// start returns s's backend and creates it on the first call.
func (s *Server) start() (backend, error) {
	b, keepAlives, err := s.makeBackend()
	if err == nil && !keepAlives {
		b.SetKeepAlivesEnabled(false) // calls the http.Server, and so must not hold s.mu
	}
	return b, err
}

// makeBackend does what start does. If it has created the backend, it also reports
// whether keep-alives are enabled.
func (s *Server) makeBackend() (b backend, keepAlives bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.phase >= stopped {
		return nil, true, http.ErrServerClosed
	}
	if s.backend != nil {
		return s.backend, true, nil
	}
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	if s.Log != nil && s.HTTP.ErrorLog == nil {
		s.HTTP.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelError)
	}
	set, err := s.resolve()
	if err != nil {
		return nil, true, err
	}
	s.settings = set
	if set.strategy == Goroutine {
		s.backend = newNetHTTP(s, set.proxy)
	} else {
		s.backend = engine.New(s.engineConfig(set))
	}
	if s.end.lame {
		s.backend.SetLame()
	}
	return s.backend, !s.noKeepAlives, nil
}

// Serve accepts connections on l and serves them until Shutdown or Close is called or accepting
// fails. It closes l and always returns a non-nil error: [http.ErrServerClosed] after Shutdown or
// Close.
func (s *Server) Serve(l net.Listener) error {
	b, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return b.Serve(l)
}

// ServeTLS is Serve over TLS, like [http.Server.ServeTLS]: it uses the files, or the certificates
// of s.HTTP.TLSConfig, and speaks HTTP/2 with clients that support it, unless s.HTTP disables that.
//
// The handshake timeout is the shortest of s.HTTP's ReadHeaderTimeout, ReadTimeout and
// WriteTimeout, or 10 seconds if none of them is positive ([Goroutine]: no timeout). Under
// [Recycling], on listeners whose connections park, a handshake holds no worker, and a connection
// waits for requests as one without TLS does. There the timeout applies separately to the wait for
// the client's first record and to the rest of the handshake, so the whole handshake may take twice
// as long. Hooks and hijacking handlers get a [*tls.Conn] whose NetConn method returns the
// *net.TCPConn, which is also the Conn of a [tls.ClientHelloInfo]. Once the application has got one
// of these, an idle connection takes more memory, but less than under net/http, and the handshake
// takes some 30 more system calls. A callback such as GetCertificate gets one in each handshake.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	b, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return b.ServeTLS(l, certFile, keyFile)
}

// listen opens the listening socket of s.HTTP.Addr, or of addr if that is empty.
func (s *Server) listen(ctx context.Context, addr string) (*listener.Listener, error) {
	switch {
	case s.HTTP != nil && s.HTTP.Addr != "":
		addr = s.HTTP.Addr
	case s.addrErr != nil:
		return nil, s.addrErr
	}
	l, err := listener.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	return l, nil
}

// ListenAndServe listens on the TCP address s.HTTP.Addr, or ":http" if that is empty, and then
// calls Serve.
func (s *Server) ListenAndServe() error {
	if _, err := s.start(); err != nil {
		return err
	}
	l, err := s.listen(context.Background(), ":http")
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// ListenAndServeTLS listens on the TCP address s.HTTP.Addr, or ":https" if that is empty, and then
// calls ServeTLS.
func (s *Server) ListenAndServeTLS(certFile, keyFile string) error {
	if _, err := s.start(); err != nil {
		return err
	}
	l, err := s.listen(context.Background(), ":https")
	if err != nil {
		return err
	}
	return s.ServeTLS(l, certFile, keyFile)
}

// Stats returns the server's counters. They are zero before it serves.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	b, set := s.backend, s.settings
	s.mu.Unlock()
	if b == nil {
		return Stats{}
	}
	stats := Stats{Version: version(), Strategy: set.strategy}
	if set.strategy != Goroutine {
		stats.Limits = set.Limits
	}
	stats.add(b.Stats())
	return stats
}

// SetKeepAlivesEnabled is [http.Server.SetKeepAlivesEnabled]. Call it on the Server, not on its
// HTTP field: an http.Server does not tell whether keep-alives are enabled.
func (s *Server) SetKeepAlivesEnabled(v bool) {
	s.mu.Lock()
	s.noKeepAlives = !v
	b := s.backend
	s.mu.Unlock()
	if b != nil {
		b.SetKeepAlivesEnabled(v)
	}
}
