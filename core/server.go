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

// A Server serves HTTP/1.x as an [http.Server] does, by another accept strategy.
// The zero value serves [http.DefaultServeMux] on ":http".
//
// Fields must not be changed once serving has begun. All methods may be called from
// several goroutines at once. A field or environment variable that is wrong makes Serve and its like close their listener and
// return an error with its name and value.
//
// Under [Goroutine], which is net/http, only HTTP, LameDuck and DrainTimeout matter.
type Server struct {
	// HTTP holds the handler, the address, timeouts, hooks and limits,
	// with their meaning in net/http. Nil means a zero http.Server.
	//
	// Where net/http has no timeout by default there is one here, except under [Goroutine]: without
	// ReadHeaderTimeout and ReadTimeout a header may take 30 seconds, and without IdleTimeout and ReadTimeout a
	// connection may be idle for 3 minutes. Negative means no timeout.
	HTTP *http.Server

	// Strategy says how connections get a goroutine.
	Strategy Strategy

	// Standby is how many workers that have nothing to do are kept, no more than MaxWorkers. Only [Recycling] keeps any.
	// Zero means RECYCLING_STANDBY, or twice GOMAXPROCS; negative is an error.
	Standby int

	// MaxWorkers is how many workers may serve at the same time.
	// Zero means RECYCLING_MAX_WORKERS, or 65,536 ([Pool]: 256). Negative means no limit.
	//
	// Under [Recycling] they are shared out to groups, one for every 4 processors, with 64 workers each at least. A connection
	// stays with its group, and may wait while another group has workers to spare. Listeners with a descriptor and others
	// have as many each.
	MaxWorkers int

	// MaxQueue is how many connections with something to do may wait for a worker while all are inside
	// handlers; one more is answered with 503: see Shed. Zero means 65,536
	// ([Pool]: as many as MaxWorkers); negative means no limit.
	MaxQueue int

	// QueueWait is how long one of them may wait before it is answered with 503 after all, a quarter of that more or
	// less. Zero means 10 seconds; negative means no limit, and so does [Pool].
	QueueWait time.Duration

	// MaxConns is how many connections may be open. When there are so many and another one comes, the connection that has
	// been idle for the longest time is closed to make room, and if none is idle, see RefuseConns. Zero
	// means so many that a sixteenth of the descriptors that the process may have stays free, where the system
	// says how many these are; negative means no limit. HTTP/2 connections count, except under [Server.Listener] and
	// [Server.TLSListener], and are never idle here; those that a handler took over do not count any more, nor do those that were
	// refused. A Shutdown serves all that wait in the kernel's queue.
	MaxConns int

	// RefuseConns says that connections beyond MaxConns are answered with 503: see Shed. Otherwise they wait in the kernel's
	// queue, not accepted, until there is room.
	RefuseConns bool

	// MaxConnsPerIP is how many connections may be open from one address, of which an IPv6 address counts with all of its
	// /64 network; one more is answered with 503: see Shed. Zero and negative mean no limit: behind a proxy all
	// connections have one address.
	MaxConnsPerIP int

	// MaxRequestsPerConn is how many requests are answered on a connection, and MaxConnAge how old it gets,
	// before an answer says "Connection: close" and is the last, so that clients spread anew over servers. For each connection up
	// to a tenth is taken off, by chance, so that they do not come back all at once. Zero and negative mean no limit.
	MaxRequestsPerConn int
	MaxConnAge         time.Duration

	// BodyTimeout bounds how long a handler waits for a request's body that makes no progress: while it waits for as
	// long as this in all, a kilobyte must come, or the rest. Beyond it, Read returns
	// [os.ErrDeadlineExceeded], and the connection is closed after the answer. Zero and negative mean no limit.
	BodyTimeout time.Duration

	// HealthPath is a path, such as "/healthz", that is served when others are answered with 503, by a worker in reserve: being
	// overloaded is not being dead. It must begin with a slash, and be all of the target of a GET or HEAD request without a
	// body, which has come whole. It needs [Recycling], a connection that can park, and a client without TLS or one that is
	// connected already. Empty means none.
	HealthPath string

	// Shed writes the answer to connections that are refused because there is no room for them: 503 and
	// Retry-After, unless it says otherwise. It is called once, before anything is served, with a request for "/" that no
	// client has sent, and what it writes is kept; if it panics, that is logged. Nil means a line of text. A connection whose TLS handshake is still to come is
	// closed instead.
	Shed http.Handler

	// LameDuck is how long [Server.Run], [Server.Until] and what is made of them go on as before once they were told to end, but
	// for [Server.Ready], so that load balancers can notice before they stop accepting. [Use] and [Server.Listener] do not
	// heed it. Zero and negative mean not at all.
	LameDuck time.Duration

	// DrainTimeout is how long these, and [Use] and [Server.Listener] when their http.Server is shut down, wait for requests
	// in flight. Zero means 30 seconds; negative means no limit.
	DrainTimeout time.Duration

	mu     sync.Mutex // guards following
	engine engine     // nil until the first Serve
	done   bool       // Shutdown or Close was called
	lame   bool       // that is about to come
}

// An engine is one strategy at work for one Server. Its serve or serveTLS is called once for each
// listener, closes it, and returns http.ErrServerClosed after shutdown or close.
type engine interface {
	serve(l net.Listener) error
	serveTLS(l net.Listener, certFile, keyFile string) error
	shutdown(ctx context.Context) error
	close() error
	stats() Stats
	setKeepAlivesEnabled(bool)
}

// start returns s's engine, made at the first call.
func (s *Server) start() (engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil, http.ErrServerClosed
	}
	if s.engine != nil {
		return s.engine, nil
	}
	set, err := s.resolve()
	if err != nil {
		return nil, err
	}
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	switch set.strategy {
	case Goroutine:
		s.engine = newGoroutineEngine(s, set)
	case Recycling:
		s.engine = newFleet(s, set, newGangs)
	case Pool:
		s.engine = newFleet(s, set, newThreads)
	}
	return s.engine, nil
}

// Serve accepts connections on l and serves them, until Shutdown or Close is called or l
// fails. It closes l, and always returns a non-nil error: [http.ErrServerClosed] after
// Shutdown or Close.
func (s *Server) Serve(l net.Listener) error {
	e, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return e.serve(l)
}

// ServeTLS is Serve with TLS, as [http.Server.ServeTLS] is: the files, or the certificates of s.HTTP.TLSConfig,
// are used, and clients that can speak HTTP/2 do, unless s.HTTP says otherwise.
//
// A handshake is bounded by the shortest of s.HTTP's ReadHeaderTimeout, ReadTimeout and WriteTimeout, or by 10 seconds if there
// is none ([Goroutine]: not at all). Under [Recycling], on listeners that park, it holds no worker, and the connection waits
// for requests as one without TLS does; what hooks and hijacking handlers are given is a [*tls.Conn], whose NetConn method
// returns the *net.TCPConn only if there are hooks or the connection was hijacked.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	e, err := s.start()
	if err != nil {
		l.Close()
		return err
	}
	return e.serveTLS(l, certFile, keyFile)
}

// Listen opens the listening socket that [Server.ListenAndServe] serves:
// TCP on s.HTTP.Addr, or ":http" if that is empty.
func (s *Server) Listen(ctx context.Context) (*listener.Listener, error) {
	return s.listen(ctx, ":http")
}

func (s *Server) listen(ctx context.Context, addr string) (*listener.Listener, error) {
	if s.HTTP != nil && s.HTTP.Addr != "" {
		addr = s.HTTP.Addr
	}
	l, err := listener.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	return l, nil
}

// ListenAndServe listens on the TCP address s.HTTP.Addr and then calls Serve.
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

// ListenAndServeTLS listens on the TCP address s.HTTP.Addr, or ":https" if that is empty, and then calls ServeTLS.
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

// Shutdown stops accepting, closes idle connections, and waits until every request in
// flight has been answered, with "Connection: close". If ctx ends first it returns
// ctx's error, and the rest goes on being served; Close ends it. Connections that handlers took over are left alone, as in
// net/http: see [http.Server.RegisterOnShutdown]. A client that has connected and sent nothing is waited for, for 5 seconds at
// most. A Server cannot serve again afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	if e := s.stop(); e != nil {
		return e.shutdown(ctx)
	}
	if s.HTTP != nil {
		return s.HTTP.Shutdown(ctx)
	}
	return nil
}

// Close abandons what is going on: it closes listeners and connections at once, and
// waits a quarter of a second at most for the workers to end. A handler that does not notice that its
// connection is gone cannot be ended; an [*AbandonError] in the error then says how many there were.
func (s *Server) Close() error {
	if e := s.stop(); e != nil {
		return e.close()
	}
	if s.HTTP != nil {
		return s.HTTP.Close()
	}
	return nil
}

// stop marks s as done and returns its engine, nil if it never served.
func (s *Server) stop() engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	return s.engine
}

// Ready answers 200 while s serves, and 503 from the moment it was told to end: a handler for the checks of a load balancer.
//
//	router.Get("/readyz", srv.Ready)
func (s *Server) Ready(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ready := s.engine != nil && !s.done && !s.lame
	s.mu.Unlock()
	if ready {
		fmt.Fprintln(w, "ready")
	} else {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	}
}

// setLame makes Ready say that the end is about to come.
func (s *Server) setLame() {
	s.mu.Lock()
	s.lame = true
	s.mu.Unlock()
}

// Stats returns the server's counters; zero before it serves.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	e := s.engine
	s.mu.Unlock()
	if e == nil {
		return Stats{}
	}
	return e.stats()
}

// SetKeepAlivesEnabled is [http.Server.SetKeepAlivesEnabled]. Call it on the Server
// rather than on its HTTP field, which keeps the setting to itself.
func (s *Server) SetKeepAlivesEnabled(v bool) {
	if e, err := s.start(); err == nil {
		e.setKeepAlivesEnabled(v)
	}
}

// An AbandonError is returned by [Server.Close] if handlers are still at work.
type AbandonError struct {
	Workers int // workers that are still inside a handler
}

func (e *AbandonError) Error() string {
	return fmt.Sprintf("recycling: %d workers are still inside a handler", e.Workers)
}
