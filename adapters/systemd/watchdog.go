package systemd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// watch sends WATCHDOG=1 after each interval in which the server works, until the server has ended.
// A check that blocks, because the server's locks are held or because the application's check
// hangs, blocks watch, and so nothing is sent.
func (n *notifier) watch(every time.Duration) {
	defer n.alive.Done()
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := n.s.Stats()
	for {
		select {
		case <-n.over:
			return
		case <-tick.C:
		}
		now, err := n.look(last, every)
		last = now
		if n.closed(now) {
			return
		}
		if err != nil {
			n.log().Error("systemd: no WATCHDOG=1, since the server does not work", "err", err)
			continue
		}
		n.send(daemon.SdNotifyWatchdog)
	}
}

// look checks whether the server works, and returns its counters. A connection that has arrived a
// moment ago, on a server that was idle, makes progress in the next: look waits for that, for up to
// half of the interval, so that a mistake does not delay WATCHDOG=1 until it is too late.
func (n *notifier) look(last recycling.Stats, every time.Duration) (now recycling.Stats, err error) {
	again := time.NewTicker(max(every/looks/2, time.Microsecond))
	defer again.Stop()
	for range looks {
		now = n.s.Stats()
		if err = n.check(last, now); !errors.Is(err, errStuck) {
			return now, err
		}
		select {
		case <-n.over:
			return now, nil
		case <-again.C:
		}
	}
	return now, err
}

const looks = 20 // before a server is said not to work

var errStuck = errors.New("connections wait, and none makes progress")

// check returns an error if the server does not work.
func (n *notifier) check(last, now recycling.Stats) error {
	if n.waiting(now) && !full(now) && progress(last) == progress(now) {
		return fmt.Errorf("%w: %d of %d workers are busy, %d connections are queued", errStuck, now.Busy, now.Workers, now.Queued)
	}
	if n.works != nil {
		return n.works()
	}
	return nil
}

// waiting reports whether a connection waits for a worker, or to be accepted.
func (n *notifier) waiting(s recycling.Stats) bool {
	if s.Queued > 0 {
		return true
	}
	for _, raw := range n.sockets() {
		is := false
		raw.Control(func(fd int) { is = pending(fd) }) // not once it is closed
		if is {
			return true
		}
	}
	return false
}

// sockets returns the listening sockets of the server, as far as they are known.
func (n *notifier) sockets() (known []*listener.Raw) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if raw, ok := listener.NewRaw(l); ok {
			known = append(known, raw)
		}
	}
	return known
}

// full reports whether connections wait because the server has reached a limit.
func full(s recycling.Stats) bool {
	l := s.Limits
	return l.MaxConns > 0 && s.Open >= int64(l.MaxConns) || l.MaxWorkers > 0 && s.Busy >= l.MaxWorkers
}

// progress returns a number that changes whenever a connection is accepted, ends, is refused or is
// served.
func progress(s recycling.Stats) int64 {
	return s.Accepted + s.Closed + s.Hijacked + s.Requests
}

// closed reports whether the server was closed: Close, unlike Shutdown, calls no hook. A server
// that drains looks the same, but for its listening sockets, if it has neither connections nor
// workers.
func (n *notifier) closed(s recycling.Stats) bool {
	if s.Open > 0 || s.Workers > 0 {
		return false
	}
	select {
	case <-n.s.Draining():
	default:
		return false
	}
	return !slices.ContainsFunc(n.sockets(), func(raw *listener.Raw) bool { return raw.Control(func(int) {}) == nil })
}
