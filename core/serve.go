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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return s.Run(ctx)
}

// Run listens and serves until ctx ends, then drains for at most DrainTimeout, and abandons what
// is left. It logs where it serves and what it drained, one line each. It returns nil if
// nothing had to be abandoned.
func (s *Server) Run(ctx context.Context) error {
	e, err := s.start()
	if err != nil {
		return err
	}
	l, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	set, _ := s.resolve()
	slog.Info("recycling: serving", "addr", l.Addr().String(), "strategy", set.strategy, "standby", set.standby)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	before := e.stats()
	drain, cancel := s.drainContext()
	defer cancel()
	err = s.Shutdown(drain)
	left := e.stats().Open
	slog.Info("recycling: drained", "connections", before.Open-left, "abandoned", left)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
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
