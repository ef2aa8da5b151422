package upgrade

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Run calls all functions of serve, each of which must call one of srv's Serve methods with a
// listener of [Upgrader.Listen]. It reports that the process is ready when each function is about
// to accept connections. Before that, nothing is accepted. Without any function, Run listens on
// srv.HTTP.Addr.
//
// Run drains srv when ctx ends, or if ctx cannot end, on SIGINT or SIGTERM, as
// [recycling.Server.Run] does. After an upgrade it closes the listeners and drains srv too: see
// [Config.IdleTime]. It then returns nil, unless something had to be abandoned.
//
// If a function returns an error first, Run closes srv and returns that error. If the process is
// not ready at that moment, the process must exit; the upgrade has then failed.
//
// Run calls [Upgrader.Stop]. It replaces srv.HTTP.BaseContext by a function that calls it. srv must
// not have been returned by [recycling.Use].
func (u *Upgrader) Run(ctx context.Context, srv *recycling.Server, serve ...func() error) error {
	defer u.Stop()
	if ctx.Done() == nil {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop)
	}
	if srv.HTTP == nil {
		srv.HTTP = new(http.Server)
	}
	if len(serve) == 0 {
		f, err := u.serveAddr(srv)
		if err != nil {
			return err
		}
		serve = append(serve, f)
	}
	r := &run{
		u:        u,
		srv:      srv,
		serve:    serve,
		awaited:  len(serve),
		arrived:  make(chan struct{}),
		open:     make(chan struct{}),
		leaving:  make(chan struct{}),
		shutdown: make(chan struct{}),
		returned: make(chan struct{}),
		errs:     make(chan error, len(serve)),
	}
	return r.run(ctx)
}

// serveAddr returns a function that serves srv on its address.
func (u *Upgrader) serveAddr(srv *recycling.Server) (func() error, error) {
	if srv.HTTP.Addr == "" {
		hint := ""
		if port, ok := os.LookupEnv("PORT"); ok {
			hint = fmt.Sprintf("; PORT is %q", port)
		}
		return nil, fmt.Errorf("upgrade: Server.HTTP.Addr is empty, want an address such as %q%s", ":8080", hint)
	}
	l, err := u.Listen("tcp", srv.HTTP.Addr)
	if err != nil {
		return nil, err
	}
	return func() error { return srv.Serve(l) }, nil
}

// A run is a call of Upgrader.Run.
type run struct {
	u     *Upgrader
	srv   *recycling.Server
	serve []func() error

	mu      sync.Mutex
	awaited int // functions of serve that are not about to accept yet; guarded by mu

	arrived  chan struct{} // closed when awaited is zero
	open     chan struct{} // closed by release: accepting begins
	leaving  chan struct{} // closed when the listeners are about to be closed after an upgrade
	returned chan struct{} // closed when all functions of serve have returned
	shutdown chan struct{} // closed by Shutdown of srv.HTTP

	errs     chan error // results of serve
	opening  sync.Once
	shutting sync.Once

	// Results of oversee.
	left     bool // after an upgrade
	readyErr error
}

func (r *run) run(ctx context.Context) error {
	h := r.srv.HTTP
	base := h.BaseContext
	h.BaseContext = func(l net.Listener) context.Context {
		r.arrive()
		<-r.open
		if base == nil {
			return context.Background()
		}
		return base(l)
	}
	h.RegisterOnShutdown(func() { r.shutting.Do(func() { close(r.shutdown) }) })

	// The context of srv.Run is another one, so that it does not end before oversee wants it to.
	serving, drain := context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go r.oversee(ctx, drain, ended)
	err := r.srv.Run(serving, r.serveAll)
	cancel()
	<-ended
	switch {
	case r.readyErr != nil:
		return r.readyErr
	case r.left && errors.Is(err, http.ErrServerClosed): // Close was called during LameDuck
		return nil
	}
	return err
}

// arrive counts a listener that is about to accept.
func (r *run) arrive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.awaited--; r.awaited == 0 {
		close(r.arrived)
	}
}

// release lets the listeners accept.
func (r *run) release() { r.opening.Do(func() { close(r.open) }) }

// serveAll calls all functions of serve, and returns when all of them have returned, and after an
// upgrade when srv is shut down.
func (r *run) serveAll() error {
	for _, f := range r.serve {
		go r.serveOne(f)
	}
	var failed error
	for range r.serve {
		err := <-r.errs
		if failed != nil || r.expected(err) {
			continue
		}
		failed = cmp.Or(err, errReturned)
		r.srv.Close() // before release: then nothing is accepted
		r.release()
	}
	close(r.returned)
	if failed != nil {
		return failed
	}
	select {
	case <-r.leaving:
		<-r.shutdown // until then connections are served
	default:
	}
	return http.ErrServerClosed
}

var errReturned = errors.New("upgrade: a function that serves has returned nil before the server was shut down")

func (r *run) serveOne(f func() error) { r.errs <- f() }

// expected reports whether err is how serving ends.
func (r *run) expected(err error) bool {
	if errors.Is(err, http.ErrServerClosed) {
		return true
	}
	if err == nil {
		select {
		case <-r.shutdown:
			return true
		default:
		}
	}
	select {
	case <-r.leaving:
		return err == nil || errors.Is(err, net.ErrClosed)
	default:
		return false
	}
}

// oversee reports that the process is ready, and makes srv drain when ctx ends or after an upgrade.
func (r *run) oversee(ctx context.Context, drain func(), ended chan<- struct{}) {
	defer close(ended)
	defer drain()
	defer r.release()
	select {
	case <-r.arrived:
	case <-ctx.Done():
		r.u.Stop()
		return
	}
	if r.readyErr = r.u.Ready(); r.readyErr != nil {
		r.srv.Close()
		return
	}
	r.release()
	select {
	case <-r.u.Done():
	case <-ctx.Done():
		r.u.Stop() // the sockets must not stay open when the server closes its listeners
	}
	if r.u.hasSuccessor() {
		r.leave(drain)
	}
}

// leave closes the listeners, which are the successor's now, and ends the server.
func (r *run) leave(drain func()) {
	r.left = true
	r.srv.LameDuck = max(r.srv.LameDuck, r.u.config.idleTime()) // Run reads it after drain
	close(r.leaving)
	r.u.closeListeners()
	select {
	case <-r.returned: // otherwise Shutdown may fail, because it closes a listener once more
	case <-time.After(returnWait):
	}
	drain()
	r.awaitIdle()
}

// returnWait is how long Serve may take to return after its listener was closed. It takes that long
// if a function of serve serves a listener that is not the Upgrader's.
const returnWait = 2 * time.Second

// How often the predecessor looks whether connections are left: less and less often, since it
// visits all of them.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// awaitIdle ends LameDuck as soon as no connection is left. Run of the server does the rest.
func (r *run) awaitIdle() {
	for wait := firstLook; r.srv.Stats().Open > 0; wait = min(2*wait, lastLook) {
		select {
		case <-r.shutdown: // by Run
			return
		case <-time.After(wait):
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // so that Shutdown does not wait: Run does, for as long as DrainTimeout allows
	r.srv.Shutdown(ctx)
}

// hasSuccessor reports whether an upgrade has succeeded.
func (u *Upgrader) hasSuccessor() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.upgraded
}

// closeListeners closes the listeners. The server accepts what is in their queues at this moment.
func (u *Upgrader) closeListeners() {
	u.mu.Lock()
	all := u.listeners
	u.mu.Unlock()
	for _, l := range all {
		l.Close() // it may be closed already
	}
}
