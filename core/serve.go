package recycling

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
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
// If serve returns first, Run returns its error. To drain, Run continues to serve for LameDuck,
// then waits for requests in flight for at most DrainTimeout, and then abandons the remaining
// connections, by calling [Server.Close]. It returns nil if nothing was abandoned, and otherwise an
// error that wraps [context.DeadlineExceeded].
//
// Run logs the result of draining: see Log.
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
	s.setLame()
	if s.LameDuck > 0 {
		select {
		case err := <-served:
			return err
		case <-time.After(s.LameDuck):
		}
	}

	before := s.Stats()
	err := s.drain()
	left := s.Stats().Open
	s.log().Info("recycling: drained", "connections", before.Open-left, "abandoned", left)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// drain is Shutdown for at most DrainTimeout.
func (s *Server) drain() error {
	ctx := context.Background()
	if d := s.drainTimeout(); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	return s.Shutdown(ctx)
}

func (s *Server) drainTimeout() time.Duration {
	if s.DrainTimeout == 0 {
		return 30 * time.Second
	}
	return s.DrainTimeout
}

type serverKey struct{}

// FromContext returns the Server that serves the request with this context, or nil if there is
// none.
func FromContext(ctx context.Context) *Server {
	s, _ := ctx.Value(serverKey{}).(*Server)
	return s
}
