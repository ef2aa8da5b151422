package recyclingtest

import (
	"bytes"
	"context"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A server is a target that was started for one test. It is closed when the test ends.
type server struct {
	*Instance
	log     *logBuffer   // text written to ErrorLog
	running atomic.Int64 // running handlers
	t       *test

	mu       sync.Mutex // guards the following
	returned bool       // serveErr was received from Served
	serveErr error
}

// serve starts the target with a handler.
func (t *test) serve(h http.HandlerFunc) *server {
	t.Helper()
	return t.start(&http.Server{Handler: h})
}

// start starts the target with srv, wraps its Handler and replaces its ErrorLog.
func (t *test) start(srv *http.Server) *server {
	t.Helper()
	return t.startOn(t.target, srv)
}

func (t *test) startOn(target Target, srv *http.Server) *server {
	t.Helper()
	s := &server{log: new(logBuffer), t: t}
	srv.ErrorLog = log.New(s.log, "", 0)
	if h := srv.Handler; h != nil {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.running.Add(1)
			defer s.running.Add(-1)
			h.ServeHTTP(w, r)
		})
	}
	s.Instance = target.Start(t.T, srv)
	t.Cleanup(s.end)
	return s
}

// end closes s, and waits until Serve and the handlers have returned.
func (s *server) end() {
	t := *s.t
	t.trial = false // an attempt that failed cleans up too
	s.close(&t)
	s.serveError()
	t.eventually("no handler at work after Close", func() bool { return s.running.Load() == 0 })
	if t.Failed() && s.log.String() != "" {
		t.Logf("error log:\n%s", s.log)
	}
}

// serveError waits for Serve to return, and returns its result.
func (s *server) serveError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.returned {
		select {
		case s.serveErr = <-s.Served:
			s.returned = true
		case <-time.After(s.t.patience()):
			s.t.T.Errorf("Serve has not returned")
		}
	}
	return s.serveErr
}

// close calls Close, which must return in time.
func (s *server) close(t *test) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	receive(t, closed, "end of Close")
}

// shutdownWithin calls Shutdown with a context that ends after d. Shutdown must return in time.
func (s *server) shutdownWithin(t *test, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.Shutdown(ctx) }()
	return receive(t, result, "end of Shutdown")
}

// shutdown calls Shutdown on a goroutine, waits until the server accepts no more connections, and
// returns the channel that will receive Shutdown's result.
func (s *server) shutdown(t *test) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	go func() { result <- s.Shutdown(ctx) }()
	s.refuses(t)
	return result
}

// refuses waits until connections to s are refused.
func (s *server) refuses(t *test) {
	t.Helper()
	t.eventually("connections are refused", func() bool {
		c, err := net.Dial(s.Addr.Network(), s.Addr.String())
		if err == nil {
			// The connection was accepted or queued, or another server got the port.
			c.Close()
		}
		return err != nil
	})
}

// client returns an http.Client that connects to s, whatever the host in the URL.
func (s *server) client(t *test) *http.Client {
	transport := &http.Transport{
		DisableCompression:  true,
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, s.Addr.Network(), s.Addr.String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// origin is the URL of every server, for use with client.
const origin = "http://example.test"

// A logBuffer is the text that a server wrote to its ErrorLog.
type logBuffer struct {
	mu  sync.Mutex // guards the following
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// wants waits until every one of parts was logged. It checks nothing if the target has a log of its
// own.
func (b *logBuffer) wants(t *test, parts ...string) {
	t.Helper()
	if t.target.NoHooks {
		return
	}
	for _, part := range parts {
		t.eventually("in the error log: "+part, func() bool { return strings.Contains(b.String(), part) })
	}
}

// isEmpty fails the test if anything was logged.
func (b *logBuffer) isEmpty(t *test) {
	t.Helper()
	if s := b.String(); s != "" {
		t.Errorf("error log has %q, want nothing", s)
	}
}
