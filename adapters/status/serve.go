package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// endpoints are the addresses that a Page is served on by itself. The mutex of the Page guards
// them.
type endpoints struct {
	closed  bool
	closing chan struct{} // closed by Close; nil until it is needed
	servers map[*http.Server]bool
	started int           // goroutines of start that run
	idle    chan struct{} // closed when started is zero and closed is true; nil unless Close waits
}

// retryAfter is how long On waits for an address that is in use.
const retryAfter = time.Second

// ListenAndServe serves p on a TCP address, with a server of net/http, until Close is called, and
// then returns [http.ErrServerClosed]. If it cannot listen, or if accepting fails, it returns that
// error.
//
// Without a host, as in ":6060", it listens on localhost only. To be reached from other machines,
// name an address that only trusted machines can reach. "0.0.0.0:6060" and "[::]:6060" mean all
// addresses of the machine: then a firewall must protect the page. On a loopback address, p
// responds with 403 to requests whose Host is neither localhost nor an IP address, so that no web
// site can read the page through a browser on the same machine (DNS rebinding).
//
// At most 64 connections are open, and further ones wait.
func (p *Page) ListenAndServe(addr string) error {
	l, err := p.listen(addr)
	if err != nil {
		return err
	}
	return p.serve(l)
}

// Close closes the listeners and connections of ListenAndServe and On, and waits until what On has
// started has ended. After that, p cannot be served on an address.
func (p *Page) Close() error {
	p.mu.Lock()
	if !p.own.closed {
		p.own.closed = true
		close(p.closingLocked())
	}
	var errs []error
	for srv := range p.own.servers {
		errs = append(errs, srv.Close())
	}
	var idle chan struct{}
	if p.own.started > 0 {
		if p.own.idle == nil {
			p.own.idle = make(chan struct{})
		}
		idle = p.own.idle
	}
	p.mu.Unlock()
	if idle != nil {
		<-idle
	}
	return errors.Join(errs...)
}

// closingLocked returns a channel that Close closes. p.mu must be held.
func (p *Page) closingLocked() chan struct{} {
	if p.own.closing == nil {
		p.own.closing = make(chan struct{})
	}
	return p.own.closing
}

// start serves p on addr until Close, on another goroutine. It listens before it returns, if it
// can.
func (p *Page) start(addr string) {
	p.mu.Lock()
	closed, closing := p.own.closed, p.closingLocked()
	if !closed {
		p.own.started++
	}
	p.mu.Unlock()
	if closed {
		return
	}
	l, err := p.listen(addr)
	go p.run(l, err, addr, closing)
}

// run serves p on l. If err says that addr is in use, it tries to listen until that succeeds.
func (p *Page) run(l net.Listener, err error, addr string, closing chan struct{}) {
	defer p.ran()
	for said := false; errors.Is(err, syscall.EADDRINUSE); l, err = p.listen(addr) {
		if !said {
			p.log().Warn("recycling: another process uses the address of the status page; waiting for it", "addr", addr)
			said = true
		}
		select {
		case <-closing:
			return
		case <-time.After(retryAfter):
		}
	}
	if err == nil {
		err = p.serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		p.log().Error("recycling: there is no status page", "addr", addr, "err", err)
	}
}

// ran notes that a goroutine of start ends.
func (p *Page) ran() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own.started--
	if p.own.started == 0 && p.own.idle != nil {
		close(p.own.idle)
		p.own.idle = nil
	}
}

// listen opens a listening socket for addr: see ListenAndServe.
func (p *Page) listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("status: address %q: want one such as \":6060\" or \"10.1.2.3:6060\": %w", addr, err)
	}
	if port == "" {
		return nil, fmt.Errorf("status: address %q has no port", addr)
	}
	if host == "" {
		host = "localhost"
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return newReserved(l.(*net.TCPListener)), nil
}

// serve serves p on l, and closes l.
func (p *Page) serve(l net.Listener) error {
	defer l.Close()
	srv := &http.Server{
		Handler:           p.handler(isLoopback(l.Addr())),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(p.log().Handler(), slog.LevelError),
	}
	p.mu.Lock()
	if p.own.closed {
		p.mu.Unlock()
		return http.ErrServerClosed
	}
	if p.own.servers == nil {
		p.own.servers = map[*http.Server]bool{}
	}
	p.own.servers[srv] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.own.servers, srv)
	}()
	p.log().Info("recycling: serving the status page", "url", "http://"+l.Addr().String())
	return srv.Serve(l)
}

// handler returns the handler for an address of p's own.
func (p *Page) handler(loopback bool) http.Handler {
	p.mu.Lock()
	mounts := append([]mount(nil), p.mounts...)
	p.mu.Unlock()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		// Handlers of mounts, such as that of a profile, may take longer.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Second))
		p.respond(w, r, mounts)
	})
	for _, m := range mounts {
		mux.Handle(m.Path, m.handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopback && !isLocalHost(r.Host) {
			http.Error(w, "open this page as localhost, or by an IP address", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func isLoopback(addr net.Addr) bool {
	a, ok := addr.(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// isLocalHost reports whether host, with or without a port, is one that no web site can have. A
// browser always sends one.
func isLocalHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
