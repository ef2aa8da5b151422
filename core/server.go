package recycling

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/recycling-go/recycling/listener"
)

// A Server serves HTTP/1.x as an [http.Server] does, with another strategy to give connections a
// goroutine. The zero value serves [http.DefaultServeMux] on ":http".
//
// Fields must not be changed once serving has begun. All methods may be called concurrently. If a
// field or an environment variable is invalid, Serve and its variants close their listener and
// return an error that has its name and value.
//
// Under [Goroutine], which is net/http, only HTTP, LameDuck and DrainTimeout have an effect.
type Server struct {
	// HTTP holds the handler, the address, timeouts, hooks and limits, with their meaning in
	// net/http. Nil means a zero http.Server.
	//
	// Where net/http has no timeout by default, the Server has one, except under [Goroutine]:
	// without ReadHeaderTimeout and ReadTimeout, a header must arrive within 30 seconds; without
	// IdleTimeout and ReadTimeout, a connection may be idle for 620 seconds, which is longer than
	// load balancers keep theirs. A negative value means no timeout. See also BodyTimeout and
	// AnswerTimeout.
	//
	// When the Server begins to serve, it replaces the hooks ConnState, ConnContext and BaseContext
	// by functions that call them. Before that, the application must not call a Serve method of the
	// http.Server itself, unless it has called [Use] or [Server.Listener].
	HTTP *http.Server

	// Strategy says how connections get a goroutine.
	Strategy Strategy

	// Standby is the number of idle workers to keep, for all listeners together. It must not exceed
	// MaxWorkers. Leading workers, which wait on behalf of all, do not count, and additional
	// workers are kept for up to 10 seconds after a peak. Only [Recycling] keeps any. Zero means
	// RECYCLING_STANDBY, or twice GOMAXPROCS; a negative value is an error.
	Standby int

	// MaxWorkers is the number of workers that may serve at the same time, for all listeners
	// together. Zero means RECYCLING_MAX_WORKERS, or 65,536 ([Pool]: 256). A negative value means
	// no limit.
	//
	// Under [Recycling] no request waits while fewer workers are serving. The reserve workers for
	// HealthPath and the goroutines in a TLS handshake do not count. While other connections wait,
	// a connection with many requests in a row gives up its worker after 32 requests or after 10
	// milliseconds.
	MaxWorkers int

	// StrictThreads makes a worker check after every turn of a connection whether a handler has
	// left the goroutine locked to its thread (see [runtime.LockOSThread]), as handlers do that
	// change the thread's namespaces or user. If so, the worker ends, and the thread with it, and
	// no other connection is served on that thread. The check takes 1.4 microseconds or more: with
	// a tiny handler, a keep-alive request took a quarter more CPU.
	//
	// Without StrictThreads a worker checks after every 64th turn, and a few times before the first
	// of these. Once any worker was found to be locked, all of them check after every turn. Up to
	// 63 turns of connections may run on such a thread.
	StrictThreads bool

	// MaxQueue is the number of connections that may wait for a worker while MaxWorkers are
	// serving, for all listeners together. Further connections get a 503 response: see Shed. Zero
	// means 65,536 ([Pool]: the same as MaxWorkers); a negative value means no limit.
	MaxQueue int

	// QueueWait is how long a connection may wait for a worker before it gets a 503 response, give
	// or take a quarter. Zero means 10 seconds; a negative value means no limit. [Pool] has no such
	// limit.
	QueueWait time.Duration

	// MaxConns is the number of connections that may be open. When it is reached and another
	// connection arrives, the server closes one to make room. It prefers, in this order, a
	// connection that has never sent a complete header or is in a TLS handshake, one that lingers
	// after its last response, one that is idle, and one that has begun a later request; among
	// these, the one that has waited longest. If there is none, see RefuseConns. The server makes
	// room in the same way if the process has no descriptor left for a new connection, whatever
	// MaxConns is. It only closes connections that can park.
	//
	// Zero means all descriptors that the process may open, where the system has such a limit,
	// except for some that are kept for the application: a quarter, but at least 32 and at most
	// 1,024, or a sixteenth if the limit is above 16,384. Of 64 descriptors 32 are kept, of 1,024
	// 256, and of 1,048,576 65,536. A negative value means no limit.
	//
	// HTTP/2 connections count, except under [Server.Listener] and [Server.TLSListener], and are
	// never closed to make room. Hijacked and refused connections do not count. Shutdown serves all
	// connections that wait in the kernel's queue, even beyond MaxConns.
	MaxConns int

	// RefuseConns makes the server respond with 503 to connections beyond MaxConns: see Shed.
	// Otherwise they wait in the kernel's queue until there is room.
	RefuseConns bool

	// MaxConnsPerIP is the number of connections that may be open from one address; all addresses
	// of an IPv6 /64 network count as one. Further connections get a 503 response: see Shed. Zero
	// and negative values mean no limit, because behind a proxy all connections have the same
	// address.
	MaxConnsPerIP int

	// MaxRequestsPerConn is the number of requests that a connection may make, and MaxConnAge is
	// its maximum age. The response to the last request, or to the first one at that age, has
	// "Connection: close", so that clients spread over servers anew. For each connection both are
	// reduced by up to a tenth at random, so that clients do not come back all at once. Zero and
	// negative values mean no limit.
	MaxRequestsPerConn int
	MaxConnAge         time.Duration

	// BodyTimeout bounds how long a handler waits for a request body that makes no progress: in
	// that much waiting time, a kilobyte or the rest of the body must arrive. Otherwise Read
	// returns [os.ErrDeadlineExceeded], and the connection is closed after the response. Only time
	// spent in Read counts. ReadTimeout and read deadlines apply as well. Zero means 60 seconds, a
	// negative value means no limit.
	BodyTimeout time.Duration

	// AnswerTimeout bounds how long a write of the response waits for a client that reads nothing.
	// After AnswerTimeout to twice AnswerTimeout without progress, Write returns
	// [os.ErrDeadlineExceeded] and the connection is closed. A client that reads slowly does not
	// time out, nor does a handler that writes nothing. WriteTimeout and write deadlines apply as
	// well. On connections that do not park, 64 kilobytes (16 over TLS, and a megabyte when copying
	// from a file) must be written in that time. Zero means 60 seconds, a negative value means no
	// limit.
	AnswerTimeout time.Duration

	// HealthPath is a path, such as "/healthz", for health checks. When all workers are busy,
	// requests for it neither wait nor get a 503 response: reserve workers serve them, because an
	// overloaded server is not a dead one. The path must begin with a slash. Only GET and HEAD
	// requests without a body count, with or without a query, once the complete header has arrived.
	// HealthPath needs [Recycling] and a connection that can park. Over TLS it needs a connection
	// that has completed its handshake and a Server without ConnState and ConnContext hooks. Empty
	// means none.
	HealthPath string

	// Shed writes the response to connections that are refused for lack of room: 503 and
	// Retry-After, unless it sets others. It is called once, before anything is served, with a
	// synthetic request for "/", and its response is stored. If it panics, the panic is logged and
	// the default is used. Nil means a line of text. A connection that has not completed its TLS
	// handshake is closed without a response.
	Shed http.Handler

	// LameDuck is how long [Server.Run], [Server.Until] and the functions built on them continue to
	// serve after they were told to stop, so that load balancers notice before the server stops
	// accepting. During that time [Server.Ready] responds with 503, and every HTTP/1 response has
	// "Connection: close" and is the last of its connection, so that clients move away. Idle
	// connections stay open, and new ones are accepted. Under [Goroutine] responses have no
	// "Connection: close". [Use] and [Server.Listener] ignore LameDuck. Zero and negative values
	// mean none.
	LameDuck time.Duration

	// DrainTimeout is how long [Server.Run], [Server.Until] and the functions built on them wait
	// for requests in flight once LameDuck has passed. A listener of [Server.Listener] waits as
	// long after an http.Server other than HTTP has closed it. Zero means 30 seconds; a negative
	// value means no limit.
	DrainTimeout time.Duration

	addrErr error // PORT is not a port number, and no option has set an address; see New

	mu           sync.Mutex                         // guards the following
	backend      backend                            // nil until the first Serve
	done         bool                               // Shutdown or Close was called
	lame         bool                               // Until's context has ended, Shutdown follows
	noKeepAlives bool                               // the last call was SetKeepAlivesEnabled(false)
	base         func(net.Listener) context.Context // the application's BaseContext, if host is nil
	host         *host                              // nil unless the application calls HTTP's methods; never changes
}

// A backend implements a strategy for one Server. Its serve or serveTLS is called once for each
// listener, closes the listener, and returns http.ErrServerClosed after shutdown or close.
type backend interface {
	serve(l net.Listener) error
	serveTLS(l net.Listener, certFile, keyFile string) error
	shutdown(ctx context.Context) error
	close() error
	stats() Stats
	setKeepAlivesEnabled(bool)
	setLame() // shutdown follows soon
}

// start returns s's backend and creates it on the first call.
func (s *Server) start() (backend, error) {
	b, keepAlives, err := s.makeBackend()
	if err == nil && !keepAlives {
		b.setKeepAlivesEnabled(false) // calls the http.Server, and so must not hold s.mu
	}
	return b, err
}

// makeBackend does what start does. If it has created the backend, it also reports
// whether keep-alives are enabled.
func (s *Server) makeBackend() (b backend, keepAlives bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil, true, http.ErrServerClosed
	}
	if s.backend != nil {
		return s.backend, true, nil
	}
	set, err := s.resolve()
	if err != nil {
		return nil, true, err
	}
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	switch set.strategy {
	case Goroutine:
		s.backend = newNetHTTPBackend(s, set)
	case Recycling:
		s.backend = newEngine(s, set, newShards)
	case Pool:
		s.backend = newEngine(s, set, newFixedPool)
	}
	return s.backend, !s.noKeepAlives, nil
}

// Serve accepts connections on l and serves them until Shutdown or Close is called or accepting
// fails. It closes l and always returns a non-nil error: [http.ErrServerClosed] after Shutdown or
// Close.
func (s *Server) Serve(l net.Listener) error {
	e, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return e.serve(l)
}

// ServeTLS is Serve over TLS, like [http.Server.ServeTLS]: it uses the files, or the certificates
// of s.HTTP.TLSConfig, and speaks HTTP/2 with clients that support it, unless s.HTTP disables that.
//
// The handshake timeout is the shortest of s.HTTP's ReadHeaderTimeout, ReadTimeout and
// WriteTimeout, or 10 seconds if none is set ([Goroutine]: no timeout). Under [Recycling], on
// listeners whose connections park, a handshake holds no worker, and a connection waits for
// requests as one without TLS does. Hooks and hijacking handlers get a [*tls.Conn] whose NetConn
// method returns the *net.TCPConn, which is also the Conn of a [tls.ClientHelloInfo]. Once the
// application has asked for one of these, the connection takes as much memory as under net/http.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	e, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return e.serveTLS(l, certFile, keyFile)
}

// Listen opens the listening socket that [Server.ListenAndServe] serves: TCP on s.HTTP.Addr, or
// ":http" if that is empty.
func (s *Server) Listen(ctx context.Context) (*listener.Listener, error) {
	return s.listen(ctx, ":http")
}

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
	l, err := s.Listen(context.Background())
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

// Shutdown stops accepting, closes idle connections, and waits until every request in flight has
// received its response, with "Connection: close". If ctx ends first, Shutdown returns ctx's error
// and the remaining requests continue; Close ends them. Hijacked connections are left alone, as in
// net/http: see [http.Server.RegisterOnShutdown]. Shutdown waits up to 5 seconds for the first
// request of a connection that has sent nothing, and up to a quarter of a second for a ConnState
// hook, which may itself be what calls Shutdown. A Server cannot serve again afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	if e := s.stop(); e != nil {
		return e.shutdown(ctx)
	}
	if s.HTTP != nil {
		return s.HTTP.Shutdown(ctx)
	}
	return nil
}

// Close closes all listeners and connections at once. It waits up to a quarter of a second for the
// workers to end, and as long for ConnState hooks. A handler that does not notice that its
// connection is closed cannot be stopped; the error then contains an [*AbandonError] with the
// number of such handlers.
func (s *Server) Close() error {
	if e := s.stop(); e != nil {
		return e.close()
	}
	if s.HTTP != nil {
		return s.HTTP.Close()
	}
	return nil
}

// stop marks s as done and returns its backend, or nil if it never served.
func (s *Server) stop() backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	return s.backend
}

// Ready responds with 200 while s serves, and with 503 before that and once s was told to stop. It
// is a handler for the health checks of a load balancer.
//
//	router.Get("/readyz", srv.Ready)
func (s *Server) Ready(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ready := s.backend != nil && !s.done && !s.lame
	s.mu.Unlock()
	if ready {
		fmt.Fprintln(w, "ready")
	} else {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	}
}

// setLame makes Ready report 503, and responses say "Connection: close", before Shutdown is called.
func (s *Server) setLame() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lame = true
	if s.backend != nil {
		s.backend.setLame()
	}
}

// Stats returns the server's counters. They are zero before it serves.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	e := s.backend
	s.mu.Unlock()
	if e == nil {
		return Stats{}
	}
	stats := e.stats()
	stats.Version = version()
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
		b.setKeepAlivesEnabled(v)
	}
}

// An AbandonError is returned by [Server.Close] if handlers are still running.
type AbandonError struct {
	Workers int // workers that are still inside a handler
}

func (e *AbandonError) Error() string {
	return fmt.Sprintf("recycling: %d workers are still inside a handler", e.Workers)
}
