package recycling

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// An Option configures the [Server] that [New] or [Serve] creates. Any function that sets fields of
// the Server is an Option.
type Option func(*Server)

// Addr returns an Option that sets the TCP address to listen on, such as ":8080".
func Addr(addr string) Option {
	return func(s *Server) { s.HTTP.Addr = addr }
}

// New returns a Server for h; nil means [http.DefaultServeMux]. It listens on the address of the
// option [Addr], or else on the port in the environment variable PORT, or else on ":8080". If PORT
// is not a port number, the methods that listen return an error.
//
// An option may set HTTP. If that http.Server has no Handler, it gets h.
func New(h http.Handler, options ...Option) *Server {
	s := &Server{HTTP: &http.Server{Handler: h}}
	for _, o := range options {
		o(s)
	}
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	if s.HTTP.Handler == nil {
		s.HTTP.Handler = h
	}
	if s.HTTP.Addr == "" {
		s.HTTP.Addr, s.addrErr = addrOfEnv()
	}
	return s
}

// Serve creates a Server with [New] and runs it until SIGINT or SIGTERM: see [Server.Run]. After a
// signal it returns nil once every request in flight has received its response.
func Serve(h http.Handler, options ...Option) error {
	return New(h, options...).Run(context.Background(), nil)
}

// ServeTLS is Serve with TLS, and with HTTP/2 for clients that support it; see [Server.ServeTLS].
// The address is chosen as for Serve: by default it is ":8080", not ":https".
func ServeTLS(h http.Handler, certFile, keyFile string, options ...Option) error {
	s := New(h, options...)
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// Run calls serve, which must call one of s's Serve methods, and drains s when ctx ends. If ctx
// cannot end, like [context.Background], Run drains s on SIGINT or SIGTERM; a second signal then
// ends the process, as it would without this package. If serve is nil, Run calls
// [Server.ListenAndServe].
//
//	err := s.Run(ctx, func() error { return s.ListenAndServeTLS("cert.pem", "key.pem") })
//
// If serve returns first, Run returns its error. To drain, Run closes the channel of
// [Server.Draining], calls OnDrain, and continues to serve for LameDuck. Then it shuts s down, and
// waits until requests in flight have their responses and until handlers of hijacked connections
// and OnDrain have returned, for at most DrainTimeout. After that it abandons the remaining
// connections, by calling [Server.Close]. It returns nil if nothing was abandoned, and otherwise an
// error that wraps [context.DeadlineExceeded], and an [*AbandonError] if handlers are still
// running.
//
// A call of [Server.Shutdown] ends LameDuck early, and Run waits all the same. A call of Close ends
// it too, and Run then returns [http.ErrServerClosed].
//
// Run cannot wait for a hijacked connection that its handler has left to another goroutine; OnDrain
// can. Under [Goroutine] it does not wait for any hijacked connection.
//
// If draining takes more than 5 seconds after LameDuck, Run logs what it waits for. At the end it
// logs the result: see Log.
func (s *Server) Run(ctx context.Context, serve func() error) error {
	if ctx.Done() == nil {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop)
	}
	if serve == nil {
		serve = s.ListenAndServe
	}
	if _, err := s.start(); err != nil {
		return err
	}

	served := make(chan error, 1)
	go func() { served <- serve() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return s.drain(served)
}

// beginServe is called when s begins to serve l.
func (s *Server) beginServe(l net.Listener) {
	s.mu.Lock()
	s.serves = true
	s.mu.Unlock()
	s.logStart(l)
}

type serverKey struct{}

// FromContext returns the Server that serves the request with this context, or nil if there is
// none.
func FromContext(ctx context.Context) *Server {
	s, _ := ctx.Value(serverKey{}).(*Server)
	return s
}
