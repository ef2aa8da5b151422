package recycling

import (
	"context"
	"errors"
	"log/slog"
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
// is not a port number, [Server.Listen] and the methods that call it return an error.
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

// Serve is the whole server in one line: New, then Run until SIGINT or SIGTERM. After a signal it
// returns nil once every request in flight has received its response.
func Serve(h http.Handler, options ...Option) error {
	return New(h, options...).RunUntilSignal()
}

// RunUntilSignal calls Run, and stops it on SIGINT or SIGTERM. A second signal ends the process, as
// it would without this package.
func (s *Server) RunUntilSignal() error {
	return untilSignal(s.Run)
}

func untilSignal(run func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx)
}

// Run listens and serves until ctx ends, then drains as Until does. It logs the address it serves
// on and this module's version.
func (s *Server) Run(ctx context.Context) error {
	set, err := s.resolve()
	if err != nil {
		return err
	}
	if _, err := s.start(); err != nil {
		return err
	}
	l, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	slog.Info("recycling: serving", "addr", l.Addr().String(), "strategy", set.strategy, "standby", set.standby,
		"version", version())
	return s.Until(ctx, func() error { return s.Serve(l) })
}

// Until calls serve, which must call one of s's Serve methods. If serve returns first, Until
// returns its error. When ctx ends, Until continues to serve for LameDuck, then drains for at most
// DrainTimeout, and then abandons the remaining connections. It logs the result of draining in one
// line. It returns nil if nothing was abandoned, and otherwise an error that wraps
// [context.DeadlineExceeded].
func (s *Server) Until(ctx context.Context, serve func() error) error {
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
	drain, cancel := s.drainContext()
	defer cancel()
	err := s.Shutdown(drain)
	left := s.Stats().Open
	slog.Info("recycling: drained", "connections", before.Open-left, "abandoned", left)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// UntilSignal calls Until, and stops it on SIGINT or SIGTERM, as RunUntilSignal does with Run:
//
//	err := s.UntilSignal(func() error { return s.ListenAndServeTLS("cert.pem", "key.pem") })
func (s *Server) UntilSignal(serve func() error) error {
	return untilSignal(func(ctx context.Context) error { return s.Until(ctx, serve) })
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
