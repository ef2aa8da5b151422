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

// An Option changes the [Server] that [New] and [Serve] make.
// Any function that sets its fields will do.
type Option func(*Server)

// Addr is the option to listen on a TCP address, such as ":8080".
func Addr(addr string) Option {
	return func(s *Server) { s.HTTP.Addr = addr }
}

// New returns a Server for h; nil means [http.DefaultServeMux]. Its address is that of
// the option [Addr], else ":" and the environment variable PORT, else ":8080".
func New(h http.Handler, options ...Option) *Server {
	s := &Server{HTTP: &http.Server{Handler: h}}
	for _, o := range options {
		o(s)
	}
	if s.HTTP.Addr == "" {
		s.HTTP.Addr = ":8080"
		if port := os.Getenv("PORT"); port != "" {
			s.HTTP.Addr = ":" + port
		}
	}
	return s
}

// Serve is the whole server in one line: New, then Run until SIGINT or SIGTERM.
// It returns nil after a signal, when every request in flight was answered.
func Serve(h http.Handler, options ...Option) error {
	return New(h, options...).RunUntilSignal()
}

// RunUntilSignal is Run until SIGINT or SIGTERM. A second signal ends the process, as
// it would have without this package.
func (s *Server) RunUntilSignal() error {
	return untilSignal(s.Run)
}

func untilSignal(run func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx)
}

// Run listens and serves until ctx ends, then drains as Until does. It logs where it serves.
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
	slog.Info("recycling: serving", "addr", l.Addr().String(), "strategy", set.strategy, "standby", set.standby)
	return s.Until(ctx, func() error { return s.Serve(l) })
}

// Until calls serve, which is to call a method of s that serves, and returns its error if that comes first. When ctx ends it
// goes on for LameDuck, then drains for at most DrainTimeout, and abandons what is left. It logs what it drained, in one line,
// and returns nil if nothing had to be abandoned, else an error that wraps [context.DeadlineExceeded].
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

// UntilSignal is Until SIGINT or SIGTERM, as RunUntilSignal is Run:
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

// FromContext returns the Server that serves the request with this context, nil if there is none.
func FromContext(ctx context.Context) *Server {
	s, _ := ctx.Value(serverKey{}).(*Server)
	return s
}
