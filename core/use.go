package recycling

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/listener"
)

// Use makes srv serve on recycled workers while its own ListenAndServe, Serve, Shutdown and Close are called as
// before. It is one line in an application that is not changed otherwise, and must come before srv begins to serve:
//
//	srv := &http.Server{Addr: ":8080", Handler: router}
//	recycling.Use(srv)
//	err := srv.ListenAndServe()
//
// Package net/http calls BaseContext with each listener before it accepts anything from it. Use sets a BaseContext that serves
// the listener itself, and returns when that was closed and every request in flight has been answered. Then net/http
// finds the listener closed, and returns what it always does. What is different:
//
//   - Shutdown waits for these requests whatever its context says. After DrainTimeout they are abandoned, which is logged.
//   - Close may be noticed 25 ms late.
//   - Closing the only listener, or the last, is like Shutdown: what srv serves after that it serves as net/http does. Closing
//     one of several ends that one, without waiting for its connections.
//   - SetKeepAlivesEnabled has no effect, since nobody can ask an http.Server for it.
//   - With TLS, a worker waits on each connection. [Server.ServeTLS] does better.
//   - A BaseContext of srv's own must be set before Use. One that is set later takes its place: srv then serves as net/http does.
//   - A setting that is wrong is logged, and the listener closed.
//
// Under [Goroutine] srv serves as if nothing had been done.
func Use(srv *http.Server, options ...Option) {
	s := &Server{HTTP: srv}
	for _, o := range options {
		o(s)
	}
	s.HTTP = srv
	var listeners atomic.Int64 // being served
	base := srv.BaseContext
	srv.BaseContext = func(l net.Listener) context.Context {
		ctx := baseContext(base, l)
		e, err := s.start()
		switch f, ok := e.(*fleet); {
		case err == nil && ok:
			f.serveFor(srv, l, ctx, &listeners)
		case err != nil && !errors.Is(err, http.ErrServerClosed):
			(&http1.Server{HTTP: srv}).Logf("%v", err)
			l.Close()
		}
		return ctx
	}
}

// serveFor serves l, which is srv's and one of so many, until somebody closes it. Then it drains or abandons,
// unless others are served still.
func (f *fleet) serveFor(srv *http.Server, l net.Listener, base context.Context, listeners *atomic.Int64) {
	listeners.Add(1)
	own := duplicate(l)
	served := make(chan error, 1)
	go func() { served <- f.accept(own, serving{base: base}) }()
	err := f.awaitClose(l, served)
	last := listeners.Add(-1) == 0
	switch {
	case err != nil:
		f.http.Logf("recycling: %v", err)
		l.Close()
	case ends(srv, "Close"):
		f.abandonForHost()
	case last || f.stopped() || ends(srv, "Shutdown"):
		f.drainForHost()
	default:
		own.Close()
	}
}

// stopped reports whether stopping has begun.
func (f *fleet) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// duplicate returns a listener on l's socket, so that those who have connected before net/http closes l are served: with
// the last descriptor of a socket the kernel drops them.
func duplicate(l net.Listener) net.Listener {
	filer, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return l
	}
	file, err := filer.File()
	if err != nil {
		return l
	}
	defer file.Close()
	// The socket is the application's too: a silent client is accepted at once there, and told when that ends.
	own, err := (&listener.Config{DeferAccept: -1}).FromFile(file)
	if err != nil {
		return l
	}
	return own
}

// awaitClose waits until l is closed, or its http.Server shut down. The error is another reason why serving it has ended.
func (f *fleet) awaitClose(l net.Listener, served <-chan error) error {
	ask := time.NewTicker(askInterval)
	defer ask.Stop()
	for {
		select {
		case <-f.stop: // newFleet has it closed by Shutdown
			return nil
		case err := <-served:
			if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		case <-ask.C:
			// It has no deadline, and needs none. If it was closed, it says so.
			if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Time{}) != nil {
				return nil
			}
		}
	}
}

// ends reports whether this method of srv is being called, Close or Shutdown: it waits for the caller of this function, so a
// stack tells.
func ends(srv *http.Server, method string) bool {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < 64<<20 {
		buf = make([]byte, 4*len(buf))
		n = runtime.Stack(buf, true)
	}
	return bytes.Contains(buf[:n], fmt.Appendf(nil, "net/http.(*Server).%s(%p", method, srv))
}
