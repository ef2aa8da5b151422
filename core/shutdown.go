package recycling

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"runtime/debug"
	"time"
)

// This file ends a Server. What Run does before that is in drain.go.

// A phase is how far a Server is on the way to its end. Only advance changes it.
type phase uint8

const (
	open     phase = iota // s serves, or may begin to
	draining              // the end was announced, or the http.Server was shut down
	stopped               // Shutdown or Close of s was called
	closed                // Close was called, or Shutdown has returned nil
)

// An ending is what a Server knows about its end. It is guarded by Server.mu.
type ending struct {
	phase    phase
	lame     bool          // Run has been told to stop, and may continue to serve for LameDuck
	cut      bool          // Close was called
	draining chan struct{} // closed when draining begins; nil until somebody asks for it
	deadline time.Time     // the drain deadline; zero if none is known
	hook     chan struct{} // closed when OnDrain has returned; nil if it was not called
	endHook  func()        // ends the context of OnDrain; nil if that was not called
	checks   int           // how often Ready has responded with 503 since draining began
}

// Draining returns a channel that is closed when draining begins: with [Server.Run], when that is
// told to stop, which is before LameDuck. Without Run, it is closed when Shutdown or Close is
// called, or a moment after Shutdown or Close of the http.Server was called, if that serves by
// [Use] or [Server.Listener]. The channel of a Server that never serves is closed likewise. Under
// [Goroutine], Close of an http.Server that the application serves itself closes nothing; it ends
// the contexts of requests.
//
// Handlers of responses that do not end by themselves, such as server-sent events, and of hijacked
// connections, such as WebSockets, should return then:
//
//	draining := recycling.FromContext(r.Context()).Draining()
//	for {
//		select {
//		case event := <-events:
//			...
//		case <-draining:
//			return // the client connects again, to another server
//		}
//	}
//
// Draining of a nil Server returns nil, a channel that is never ready, so that handlers work under
// other servers too.
func (s *Server) Draining() <-chan struct{} {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drainingLocked()
}

func (s *Server) drainingLocked() chan struct{} {
	if s.end.draining == nil {
		s.end.draining = make(chan struct{})
	}
	return s.end.draining
}

// advance moves s to a later phase, and returns its backend, or nil if it never served. If s was
// open, draining begins; limit is the time until the drain deadline, or negative for none.
func (s *Server) advance(to phase, limit time.Duration) backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.phase == open {
		close(s.drainingLocked())
		s.callOnDrainLocked(limit)
	}
	s.end.phase = max(s.end.phase, to)
	return s.backend
}

// beginDraining notes that draining begins, unless Run has announced it before.
func (s *Server) beginDraining() { s.advance(draining, s.drainTimeout()) }

// callOnDrainLocked calls OnDrain, if there is one, on a goroutine of its own.
func (s *Server) callOnDrainLocked(limit time.Duration) {
	if s.OnDrain == nil {
		return
	}
	ctx, cancel := withLimit(limit)
	s.end.hook, s.end.endHook = make(chan struct{}), cancel
	go s.callOnDrain(ctx, s.end.hook)
}

// withLimit returns a context that ends after limit, or only when it is canceled if limit is
// negative.
func withLimit(limit time.Duration) (context.Context, context.CancelFunc) {
	if limit < 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), limit)
}

// callOnDrain calls OnDrain, and closes returned afterwards.
func (s *Server) callOnDrain(ctx context.Context, returned chan<- struct{}) {
	defer close(returned)
	defer func() {
		if v := recover(); v != nil {
			defer func() { recover() }() // the log may panic too
			s.logError("recycling: panic in OnDrain: %v\n%s", v, debug.Stack())
		}
	}()
	s.OnDrain(ctx)
}

// logError logs to the http.Server's ErrorLog, to Log, or to the standard logger.
func (s *Server) logError(format string, args ...any) {
	s.mu.Lock()
	h := s.HTTP
	s.mu.Unlock()
	switch {
	case h != nil && h.ErrorLog != nil:
		h.ErrorLog.Printf(format, args...)
	case s.Log != nil:
		s.Log.Error(fmt.Sprintf(format, args...))
	default:
		log.Printf(format, args...)
	}
}

// Shutdown stops accepting, closes idle connections, and waits until every request in flight has
// received its response, with "Connection: close". If ctx ends first, Shutdown returns ctx's error
// and the remaining requests continue; Close ends them. Hijacked connections are left alone, as in
// net/http: their handlers should watch [Server.Draining]; only [Server.Run] waits for them.
// Shutdown waits up to 5 seconds for the first request of a connection that has sent nothing, and
// up to a quarter of a second for a ConnState hook, since that hook may itself have called
// Shutdown. A Server cannot serve again afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.shutdown(ctx)
	if err == nil {
		s.advance(closed, 0)
	}
	return err
}

func (s *Server) shutdown(ctx context.Context) error {
	if b := s.advance(stopped, s.drainTimeout()); b != nil {
		return b.Shutdown(ctx)
	}
	if s.HTTP != nil {
		return s.HTTP.Shutdown(ctx)
	}
	return nil
}

// Close closes all listeners and connections at once. It waits up to a quarter of a second for the
// workers to end, and up to another quarter for ConnState hooks. A handler that does not notice
// that its connection is closed cannot be stopped; the error then wraps an [*AbandonError] with the
// number of such handlers. Hijacked connections are left alone, as in net/http.
func (s *Server) Close() error {
	busy, err := s.close()
	if busy > 0 {
		err = errors.Join(err, &AbandonError{Workers: busy})
	}
	return err
}

// close does what Close does, and returns the number of such handlers.
func (s *Server) close() (busy int, err error) {
	s.mu.Lock()
	s.end.cut = true
	s.mu.Unlock()
	b := s.advance(closed, s.drainTimeout())
	s.endHook()
	if b != nil {
		return b.Close()
	}
	if s.HTTP != nil {
		return 0, s.HTTP.Close()
	}
	return 0, nil
}

// endHook ends the context of OnDrain, if that was called.
func (s *Server) endHook() {
	s.mu.Lock()
	end := s.end.endHook
	s.mu.Unlock()
	if end != nil {
		end()
	}
}

// drainTimeout returns how long draining may take, or a negative value if there is no limit.
func (s *Server) drainTimeout() time.Duration {
	if s.DrainTimeout == 0 {
		return 30 * time.Second
	}
	return s.DrainTimeout
}

// drainLimit returns how long draining by Run may take, with LameDuck, or a negative value if there
// is no limit.
func (s *Server) drainLimit() time.Duration {
	d := s.drainTimeout()
	if d < 0 {
		return d
	}
	lame := max(s.LameDuck, 0)
	return lame + min(d, math.MaxInt64-lame)
}

// An AbandonError is returned by [Server.Close] and [Server.Run] if handlers are still running.
type AbandonError struct {
	Workers  int // workers that are still inside a handler
	Hijacked int // handlers of hijacked connections that have not returned; only from Run
}

func (e *AbandonError) Error() string {
	switch {
	case e.Hijacked == 0:
		return fmt.Sprintf("recycling: %d workers are still inside a handler", e.Workers)
	case e.Workers == 0:
		return fmt.Sprintf("recycling: %d handlers of hijacked connections have not returned", e.Hijacked)
	}
	return fmt.Sprintf("recycling: %d workers are still inside a handler, and %d handlers of hijacked connections have not returned",
		e.Workers, e.Hijacked)
}
