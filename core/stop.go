package recycling

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
)

// How a fleet comes to its end: by Shutdown, or by Close and what is left for it to abandon.

// stopServing makes every call of serve return and every connection end after the request it is at. It returns
// the crews that are left, whether it was the first to be called, and how closing the listeners failed.
func (f *fleet) stopServing() (crews []crew, first bool, err error) {
	f.mu.Lock()
	first = !f.stopping
	f.stopping = true
	if first {
		f.http.SetDraining()
		close(f.stop)
	}
	f.mu.Unlock()

	f.serving.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs.Load() == 0 {
		f.setGoneLocked()
	}
	err, f.shutErr = f.shutErr, nil
	return f.crewsLocked(), first, err
}

// beginShutdown stops serving, and has every connection looked at that waits. The error is that of closing the listeners.
func (f *fleet) beginShutdown() error {
	crews, first, err := f.stopServing()
	if !first {
		return err
	}
	for _, w := range crews {
		w.conns().Each(func(c *park.Conn) { f.drain(w, c) })
	}
	return err
}

// drain lets a worker look at a connection that waits: there may be a request.
func (f *fleet) drain(w crew, c *park.Conn) {
	if c.Take() {
		w.push(c)
		return
	}
	c.Owner.(*http1.Conn).Interrupt()
}

func (f *fleet) shutdown(ctx context.Context) error {
	err := f.beginShutdown()
	err = cmp.Or(err, f.server.HTTP.Shutdown(ctx)) // for what was handed to it, and for RegisterOnShutdown
	return cmp.Or(f.wait(ctx), err)
}

// wait returns when everything has come to its end, or with ctx's error.
func (f *fleet) wait(ctx context.Context) error {
	select {
	case <-f.gone:
		return nil
	default:
	}
	select {
	case <-f.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fleet) close() error {
	f.hasty.Store(true)
	_, _, err := f.stopServing()
	err = cmp.Or(err, f.server.HTTP.Close())
	return errors.Join(err, f.abandon())
}

// abandonWait is how long abandon waits for handlers that notice.
const abandonWait = 250 * time.Millisecond

// abandon ends every connection. The error says which handlers have not noticed.
func (f *fleet) abandon() error {
	f.hasty.Store(true)
	crews, _, _ := f.stopServing()
	for _, w := range crews {
		endAll(w.end())
		w.conns().Each(func(c *park.Conn) {
			if c.Abandon() {
				c.Owner.(*http1.Conn).End()
			}
		})
	}
	for wait := time.Millisecond; wait < abandonWait; wait *= 2 {
		timer := time.NewTimer(wait)
		select {
		case <-f.gone:
			timer.Stop()
			return nil
		case <-timer.C:
		}
		for _, w := range crews {
			endAll(w.end()) // what a leader has brought since
		}
	}
	if n := f.stats().Busy; n > 0 {
		return &AbandonError{Workers: n}
	}
	return nil
}

func endAll(left []*park.Conn) {
	for _, c := range left {
		c.Owner.(*http1.Conn).End()
	}
}
