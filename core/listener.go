package recycling

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// Listener returns a listener for code that insists on calling s.HTTP.Serve itself, as frameworks do. Its Accept serves
// HTTP/1.x on l, by s's strategy, and returns only what package net/http has to serve: HTTP/2. Under [Goroutine]
// it is l.
//
//	s := &recycling.Server{HTTP: srv}
//	l, err := s.Listener(l)
//	...
//	err = srv.Serve(l)
//
// The application stops its http.Server as before. Shutdown returns when the requests served here have been answered too,
// and Close abandons them. Closing the listener itself is like Shutdown. After Shutdown or Close of s, when that is
// done, Accept returns [http.ErrServerClosed], and so does Serve of an http.Server that is not s.HTTP. What is different:
//
//   - Shutdown waits for these requests whatever its context says. After s.DrainTimeout they are abandoned,
//     which is logged. Close after Shutdown does not shorten that; Close of s does.
//   - SetKeepAlivesEnabled must be called on s, since nobody can ask an http.Server for it.
//   - BaseContext is called twice, by net/http and here.
//   - ConnState sees a connection that turns out to speak HTTP/2 twice: new and hijacked, and then new again.
//   - HTTP/2 connections are counted as hijacked: no bound holds for them, and [FromContext] returns nil.
//   - A listener of package tls around it, as http.Server.ServeTLS makes one, makes all connections net/http's. Use
//     TLSListener, or s.ServeTLS.
//
// s.HTTP must not be nil. Its fields are read when Accept is called for the first time, or later.
func (s *Server) Listener(l net.Listener) (net.Listener, error) { return s.under(l, false) }

// TLSListener is Listener for TLS by s.HTTP.TLSConfig, for code that calls s.HTTP.Serve with what would otherwise be a
// listener made by [tls.NewListener].
func (s *Server) TLSListener(l net.Listener) (net.Listener, error) { return s.under(l, true) }

func (s *Server) under(l net.Listener, secure bool) (net.Listener, error) {
	if s.HTTP == nil {
		return nil, errors.New("recycling: Server.HTTP is nil, want the http.Server that is to serve the listener")
	}
	e, err := s.start()
	if err != nil {
		return nil, err
	}
	f, ok := e.(*fleet)
	switch {
	case ok:
		return &under{Listener: l, f: f, secure: secure, handed: make(chan net.Conn), over: make(chan struct{})}, nil
	case secure:
		return tlsLater{l, s.HTTP}, nil
	}
	return l, nil
}

// A tlsLater is a listener of package tls whose config is not there yet.
type tlsLater struct {
	net.Listener
	http *http.Server
}

func (l tlsLater) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(c, l.http.TLSConfig), nil
}

// An under is a listener under net/http's server.
type under struct {
	net.Listener
	f      *fleet
	secure bool

	begin  sync.Once
	handed chan net.Conn // for Accept to return
	closed atomic.Bool   // by Close
	end    sync.Once
	over   chan struct{} // closed when nothing is served any more
	err    error         // then
}

// Accept serves until the end, and returns connections that are net/http's meanwhile.
func (u *under) Accept() (net.Conn, error) {
	u.begin.Do(func() { go u.serve() })
	select {
	case nc := <-u.handed:
		return nc, nil
	case <-u.over:
		return nil, u.err
	}
}

func (u *under) serve() {
	var config *tls.Config
	if u.secure {
		if u.f.server.HTTP.TLSConfig == nil {
			u.Listener.Close()
			u.finish(errors.New("recycling: TLSConfig of the http.Server is nil, and the listener is to speak TLS"))
			return
		}
		config = u.f.server.HTTP.TLSConfig.Clone()
	}
	if err := u.f.accept(u.Listener, serving{tls: config, under: u}); !errors.Is(err, http.ErrServerClosed) {
		u.finish(err)
		return
	}
	u.awaitEnd()
}

// awaitEnd finishes when the fleet has come to its end, for an http.Server that was not told to close u.
func (u *under) awaitEnd() {
	ask := time.NewTicker(askInterval)
	defer ask.Stop()
	var abandoned <-chan time.Time
	for {
		select {
		case <-u.over:
			return
		case <-u.f.gone:
			u.finish(u.ended())
			return
		case <-abandoned:
			u.finish(u.ended())
			return
		case <-ask.C:
			if abandoned == nil && u.f.hasty.Load() {
				abandoned = time.After(2 * abandonWait) // stop, if it is at it, logs first
			}
		}
	}
}

// hand gives a connection to whoever calls Accept.
func (u *under) hand(c *http1.Conn, _ string, ahead []byte) {
	nc, early, err := c.Release()
	if err != nil {
		c.End()
		return
	}
	if ahead = append(ahead, early...); len(ahead) > 0 {
		nc = &http1.RereadConn{Conn: nc, Ahead: ahead}
	}
	select {
	case u.handed <- nc:
	case <-u.f.stop:
		nc.Close()
	}
}

// finish makes Accept return.
func (u *under) finish(err error) {
	u.end.Do(func() {
		u.err = err
		close(u.over)
	})
}

// Close does not wait: http.Server calls it with its mutex held.
func (u *under) Close() error {
	u.closed.Store(true)
	u.begin.Do(func() { u.Listener.Close() }) // it was never served
	go u.stop(calledByClose())
	return nil
}

func (u *under) stop(abandon bool) {
	defer u.finish(u.ended())
	switch {
	case u.f.hasty.Load(): // whoever abandons it tells what is left
		u.f.abandon()
	case abandon:
		u.f.abandonForHost()
	default:
		u.f.drainForHost()
	}
}

// ended is what Accept returns at the end: Serve of s.HTTP has to return http.ErrServerClosed even if it was not told yet.
func (u *under) ended() error {
	if !u.closed.Load() {
		return http.ErrServerClosed
	}
	return &net.OpError{Op: "accept", Net: u.Addr().Network(), Addr: u.Addr(), Err: net.ErrClosed}
}

// drainForHost is shutdown for an http.Server that is shut down itself, and cannot be told the error.
func (f *fleet) drainForHost() {
	f.beginShutdown()
	ctx, cancel := f.server.drainContext()
	defer cancel()
	if f.wait(ctx) == nil {
		return
	}
	f.http.Logf("recycling: DrainTimeout of %v is over, and connections are cut off: %d", f.server.drainTimeout(), f.stats().Open)
	f.abandonForHost()
}

func (f *fleet) abandonForHost() {
	var busy *AbandonError
	if errors.As(f.abandon(), &busy) {
		f.http.Logf("%v", busy)
	}
}

// calledByClose reports whether it is http.Server's Close that closes the listener, and not Shutdown. Functions registered by
// RegisterOnShutdown would tell too, but only once their goroutine gets to run, and a busy machine is where
// it must not be guessed wrong.
func calledByClose() bool {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		frame, more := frames.Next()
		switch frame.Function {
		case "net/http.(*Server).Close":
			return true
		case "net/http.(*Server).Shutdown":
			return false
		}
		if !more {
			return false
		}
	}
}

// drainContext ends when draining has taken too long.
func (s *Server) drainContext() (context.Context, context.CancelFunc) {
	if d := s.drainTimeout(); d > 0 {
		return context.WithTimeout(context.Background(), d)
	}
	return context.WithCancel(context.Background())
}
