package engine

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// This file ends an engine: by Shutdown, or by Close, which abandons what is left.

// stopServing makes every call of serve return and every connection close after its current
// request. It returns the remaining schedulers, whether this is the first call, and the error of
// closing the listeners.
func (e *Engine) stopServing() (schedulers []scheduler, first bool, err error) {
	e.mu.Lock()
	first = !e.stopping
	e.stopping = true
	if first {
		e.http.SetDraining()
		close(e.stop)
	}
	e.mu.Unlock()
	if first && e.config.Draining != nil {
		e.config.Draining()
	}

	e.serving.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refs.Load() == 0 {
		e.setDrainedLocked()
	}
	err, e.shutErr = e.shutErr, nil
	return e.schedulersLocked(), first, err
}

// beginShutdown stops serving, and has a worker check every parked connection. It returns the error
// of closing the listeners.
func (e *Engine) beginShutdown() error {
	schedulers, first, err := e.stopServing()
	if !first {
		return err
	}
	for _, sched := range schedulers {
		sched.conns().Each(func(c *park.Conn) { e.drain(sched, c) })
	}
	return err
}

// drain has a worker check a parked connection, since a request may have arrived.
func (e *Engine) drain(sched scheduler, c *park.Conn) {
	if c.Take() {
		sched.enqueueAlways(c)
		return
	}
	httpConn(c).Interrupt()
}

// Shutdown stops accepting and waits for requests in flight until ctx ends. It also shuts the
// http.Server down.
func (e *Engine) Shutdown(ctx context.Context) error {
	err := e.beginShutdown()
	// The http.Server shuts down the connections that it was handed, and calls the functions of
	// RegisterOnShutdown.
	err = cmp.Or(err, e.hostError(e.config.HTTP.Shutdown(ctx)))
	return cmp.Or(e.wait(ctx), err)
}

// hostError returns err, an error of the http.Server, unless it only says that a listener was
// already closed here.
func (e *Engine) hostError(err error) error {
	if e.host.Load() != nil && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// wait waits until the engine has drained or ctx ends, and returns ctx's error in the latter case.
func (e *Engine) wait(ctx context.Context) error {
	select {
	case <-e.drained:
		e.awaitHooks()
		return nil
	default:
	}
	var ask <-chan time.Time
	if e.http.ConnState != nil {
		t := time.NewTicker(hookWait / hookAsks)
		defer t.Stop()
		ask = t.C
	}
	for idling := 0; idling < hookAsks; {
		select {
		case <-e.drained:
			e.awaitHooks()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ask:
			if idling++; e.refs.Load() > e.http.IdleHooks.Load() {
				idling = 0
			}
		}
	}
	// All other connections are idle, as net/http's would be, but are inside the hook that reports
	// that. That hook may be what calls Shutdown.
	return nil
}

// hookWait is how long a shutdown waits for hooks of connections that have ended or become idle.
// Such a hook may be what calls Shutdown. Meanwhile it checks hookAsks times.
const (
	hookWait = 250 * time.Millisecond
	hookAsks = 10
)

// awaitHooks waits until the hooks of closed connections have returned, and everything is logged,
// but not for long.
func (e *Engine) awaitHooks() {
	awaitZero(&e.http.ClosedHooks)
	e.endLog()
}

// endLog logs what is left to be logged when the engine has ended.
func (e *Engine) endLog() {
	e.http.FlushLog()
	e.overload.end()
}

// awaitZero waits until n is zero, for about hookWait at most.
func awaitZero(n *atomic.Int64) {
	for wait := time.Millisecond; wait < hookWait && n.Load() > 0; wait *= 2 {
		time.Sleep(wait)
	}
}

// Close closes all listeners and connections, and the http.Server. It returns the number of workers
// that are still inside a handler.
func (e *Engine) Close() (busy int, err error) {
	e.abandoning.Store(true)
	_, _, err = e.stopServing()
	err = cmp.Or(err, e.hostError(e.config.HTTP.Close()))
	return e.abandon(), err
}

// abandonWait is how long abandon waits for handlers that notice that their connection is closed.
const abandonWait = 250 * time.Millisecond

// abandon closes every connection, and returns how many handlers have not noticed.
func (e *Engine) abandon() (busy int) {
	e.abandoning.Store(true)
	schedulers, _, _ := e.stopServing()
	for _, sched := range schedulers {
		endAll(sched.end())
		sched.conns().Each(func(c *park.Conn) { httpConn(c).Abandon() })
	}
	e.cutOnce.Do(func() { close(e.abandoned) })
	for wait := time.Millisecond; wait < abandonWait; wait *= 2 {
		timer := time.NewTimer(wait)
		select {
		case <-e.drained:
			timer.Stop()
			e.awaitHooks()
			return 0
		case <-timer.C:
		}
		for _, sched := range schedulers {
			endAll(sched.end()) // the leader may have added connections
		}
	}
	e.endLog()
	s := e.Stats()
	return s.Busy + s.Waiting
}

func endAll(left []*park.Conn) {
	for _, c := range left {
		httpConn(c).EndInBackground()
	}
}
