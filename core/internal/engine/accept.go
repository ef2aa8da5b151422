package engine

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// pollInterval is how often a listener is asked whether it was closed, if it cannot report that
// itself.
const pollInterval = 25 * time.Millisecond

// stragglerTime is how long accepting continues when the server is shut down: a connection that a
// client has opened before may still be on its way through a busy kernel, which resets it if the
// listener is closed.
const stragglerTime = 10 * time.Millisecond

func (e *Engine) awaitStragglers() {
	if !e.abandoning.Load() {
		time.Sleep(stragglerTime)
	}
}

// quiesce prepares raw to be closed: every connection of which a client knows that it was completed
// is in the kernel's queue afterwards, and no more follow.
func (e *Engine) quiesce(raw *listener.Raw) {
	raw.AcceptSilent()
	e.awaitStragglers()
	if raw.Network() == "tcp" && !e.abandoning.Load() {
		raw.DropNew()
		e.awaitStragglers() // for those that have just begun
	}
}

// acceptRaw waits for the end while the workers accept. Closing l blocks until all connections that
// the kernel has completed are accepted.
func (e *Engine) acceptRaw(raw *listener.Raw, l net.Listener, shut func(), schedulers []scheduler, lc *http1.ListenerConfig, end <-chan struct{}) error {
	defer func() {
		shut()
		// net/http has called these hooks when Serve returns. They may wait for whoever closes l,
		// so this must not happen while closing l has to wait.
		awaitZero(&e.http.HooksPending)
	}()
	var err error
	if held := raw.Hold(func() { err = e.acceptHeld(raw, l, schedulers, lc, end) }); held != nil {
		return e.acceptError(l, held)
	}
	return err
}

func (e *Engine) acceptHeld(raw *listener.Raw, l net.Listener, schedulers []scheduler, lc *http1.ListenerConfig, end <-chan struct{}) error {
	defer func() {
		if raw.Control(func(int) {}) == nil {
			e.quiesce(raw)
		}
		done := make(chan struct{})
		go unlisten(raw, schedulers, done)
		select {
		case <-done:
		case <-time.After(unlistenWait):
		}
	}()
	failed := make(chan error, len(schedulers))
	fail := func(err error) { failed <- err } // called at most once by each scheduler
	for _, sched := range schedulers {
		newConn := func(peer *listener.Addr) *park.Conn {
			c := e.newConn(lc, sched)
			c.Meet(peer)
			c.NoHeaderYet = true
			e.http.NoHeaderYet.Add(1)
			e.markHooks(c)
			return &c.Conn
		}
		if err := sched.conns().Listen(raw, len(schedulers) > 1, newConn, fail); err != nil {
			return e.acceptError(l, err)
		}
	}
	var ask <-chan time.Time
	if raw.Closed() == nil {
		t := time.NewTicker(pollInterval)
		defer t.Stop()
		ask = t.C
	}
	for {
		select {
		case <-e.stop:
			return http.ErrServerClosed
		case <-end:
			return e.acceptError(l, net.ErrClosed)
		case <-raw.Closed():
			return e.acceptError(l, net.ErrClosed)
		case err := <-failed:
			return e.acceptError(l, err)
		case <-ask:
			if err := raw.Control(func(int) {}); err != nil {
				return e.acceptError(l, err)
			}
		}
	}
}

// unlistenWait bounds how long a listener stays open while its pending connections are accepted.
// The goroutine that closes it may hold the mutex of an http.Server, and a hook that a leader calls
// may wait for that mutex.
const unlistenWait = time.Second

// unlisten stops accepting from raw and has the connections served that were pending.
func unlisten(raw *listener.Raw, schedulers []scheduler, done chan<- struct{}) {
	defer close(done)
	for _, sched := range schedulers {
		for _, c := range sched.conns().Unlisten(raw) {
			sched.enqueueAlways(c)
		}
	}
}

// acceptError returns the error of Serve when accepting from l has failed with err.
func (e *Engine) acceptError(l net.Listener, err error) error {
	select {
	case <-e.stop:
		return http.ErrServerClosed
	default:
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return err
	}
	return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}

// acceptEach accepts connections one by one and distributes them among the schedulers.
func (e *Engine) acceptEach(l net.Listener, shut func(), schedulers []scheduler, lc *http1.ListenerConfig, end <-chan struct{}) error {
	n := 0
	receive := func(nc net.Conn) {
		e.receive(nc, schedulers[n%len(schedulers)], lc)
		n++
	}
	var rest []net.Conn
	closeListener := shut
	shut = sync.OnceFunc(func() {
		rest = acceptRest(l)
		closeListener()
	})
	ended := make(chan struct{})
	defer func() {
		shut() // closeAtStop may still be running it
		for _, nc := range rest {
			receive(nc)
		}
		awaitZero(&e.http.HooksPending) // net/http has called these hooks when Serve returns
		close(ended)
	}()
	go e.closeAtStop(l, shut, end, ended)
	var pause time.Duration
	var errs park.LogLimiter
	defer errs.Flush()
	for {
		for e.limiter.full() {
			if !e.pause(park.FullPause, end) {
				return e.acceptError(l, net.ErrClosed)
			}
		}
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			receive(nc)
			continue
		}
		select {
		case <-e.stop:
			return http.ErrServerClosed
		default:
		}
		if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && e.limiter.evict(true) {
			continue
		}
		if !retryable(err) {
			return err
		}
		e.errors.Accept.Add(1)
		pause = park.NextPause(pause)
		errs.Printf(e.http.LogLater, "http: Accept error", ": %v; retrying in %v", err, pause)
		e.pause(pause, end)
	}
}

// pause waits for d, and reports whether serving continues.
func (e *Engine) pause(d time.Duration, end <-chan struct{}) bool {
	select {
	case <-e.stop:
		return false
	case <-end:
		return false
	case <-time.After(d):
		return true
	}
}

// retryable reports whether accepting may work again after err. That holds for errors that net/http
// calls temporary, and for all errors of the system about a single connection or a lack of memory
// or descriptors (accept(2)), but not for those that say that the listener does not work any more.
func retryable(err error) bool {
	//lint:ignore SA1019 net/http asks for it too
	if ne, ok := err.(net.Error); ok && ne.Temporary() {
		return true
	}
	var errno syscall.Errno
	if errors.Is(err, net.ErrClosed) || !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP, syscall.EFAULT:
		return false
	}
	return true
}

// receive gives an accepted connection to a scheduler. It ignores nil, which a broken listener may
// return, and which net/http panics for.
func (e *Engine) receive(nc net.Conn, sched scheduler, lc *http1.ListenerConfig) {
	if nc == nil {
		return
	}
	c := e.newConn(lc, sched)
	sched.conns().Add(&c.Conn, nc)
	e.markHooks(c)
	switch {
	case e.config.ConnsPerIP > 0: // a worker calls Admit: RemoteAddr may block on the client
		e.limiter.unadmitted.Add(1)
		c.Standing = http1.Unadmitted
		sched.Enqueue(c)
	case c.Admit():
		sched.Enqueue(c)
	}
}

// markHooks notes that the hooks for c, which is new, have not been called yet.
func (e *Engine) markHooks(c *http1.Conn) {
	if h := e.http; h.ConnState != nil || h.ConnContext != nil {
		c.HooksPending = true
		h.HooksPending.Add(1)
	}
}

// acceptRest accepts the pending connections of l, which the kernel would reset when l is closed.
// If l is not a socket, it accepts none.
func acceptRest(l net.Listener) (all []net.Conn) {
	proxy := proxyproto.Of(l)
	if pl, ok := l.(*proxyproto.Listener); ok {
		l = pl.Listener
	}
	raw, ok := listener.NewRaw(l)
	if !ok {
		return nil
	}
	var a listener.Addr
	for {
		fd, err := raw.Accept(&a)
		if err != nil {
			return all
		}
		file := os.NewFile(uintptr(fd), "connection")
		nc, err := park.FileConn(file)
		file.Close()
		if err == nil && proxy != nil {
			nc = proxy.Conn(nc)
		}
		if err == nil {
			all = append(all, nc)
		}
	}
}

// closeAtStop closes the listener when the engine stops or the listener must end, which makes
// Accept return.
func (e *Engine) closeAtStop(l net.Listener, shut func(), end, ended <-chan struct{}) {
	select {
	case <-e.stop:
	case <-end:
	case <-ended:
		return
	}
	if raw, ok := listener.NewRaw(l); ok {
		e.quiesce(raw)
	} else {
		e.awaitStragglers()
	}
	shut()
}
