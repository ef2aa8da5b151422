package recycling_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// What the application's hooks do must not affect other connections.

// A reporter is a ConnState hook that records its calls, and misbehaves once in one state.
type reporter struct {
	misbehave func()
	open      func() // ends the misbehaviour
	in        http.ConnState
	once      atomic.Bool

	mu     sync.Mutex // guards the following
	states map[net.Conn][]http.ConnState
}

func (r *reporter) report(c net.Conn, s http.ConnState) {
	r.mu.Lock()
	if r.states == nil {
		r.states = map[net.Conn][]http.ConnState{}
	}
	r.states[c] = append(r.states[c], s)
	r.mu.Unlock()
	if s == r.in && r.misbehave != nil && !r.once.Swap(true) {
		r.misbehave()
	}
}

// closed returns the number of connections that were reported as closed, each of them once and
// last.
func (r *reporter) closed(t testing.TB) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, states := range r.states {
		i := slices.Index(states, http.StateClosed)
		if states[0] != http.StateNew || i >= 0 && i != len(states)-1 {
			t.Errorf("states of a connection: %v", states)
		}
		if i >= 0 {
			n++
		}
	}
	return n
}

// awaitClosed waits until n connections were reported as closed.
func (r *reporter) awaitClosed(t testing.TB, n int) {
	t.Helper()
	eventually(t, "hooks for closed connections", func() bool { return r.closed(t) == n })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !holds(ok) {
		t.Fatalf("waited in vain for %s", what)
	}
}

// holds reports whether ok returns true in time.
func holds(ok func() bool) bool {
	deadline := time.Now().Add(patience)
	for wait := 100 * time.Microsecond; !ok(); wait = min(2*wait, 5*time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(wait)
	}
	return true
}

// forEachMisbehaviour runs f with an http.Server whose ConnState hook, that of r, blocks, panics or
// calls Goexit the first time it is called in a state. f calls r.misbehaves once it has started a
// server.
func forEachMisbehaviour(t *testing.T, modes []mode, in http.ConnState, f func(t *testing.T, m mode, h *http.Server, r *reporter)) {
	for _, name := range []string{"blocks", "panics", "exits"} {
		t.Run(name, func(t *testing.T) {
			forEach(t, modes, func(t *testing.T, m mode) {
				g := newGate(t)
				r := &reporter{in: in, open: g.open, misbehave: map[string]func(){
					"blocks": func() { <-g.opened },
					"panics": func() { panic("a hook") },
					"exits":  runtime.Goexit,
				}[name]}
				f(t, m, &http.Server{ConnState: r.report, ErrorLog: log.New(io.Discard, "", 0)}, r)
			})
		})
	}
}

// misbehaves lets the hook return before the server is closed.
func (r *reporter) misbehaves(t *testing.T) { t.Cleanup(r.open) }

func TestHookOfAnEvictedConnectionDelaysNobody(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEachMisbehaviour(t, parkModes, http.StateClosed, func(t *testing.T, m mode, h *http.Server, r *reporter) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 4}, HTTP: h}, hello)
		r.misbehaves(t)
		var all []*client
		for i := range 4 {
			all = append(all, s.dial(t))
			all[i].get("/")
			s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == int64(i+1) })
		}
		s.dial(t).get("/") // for the first connection
		all[3].get("/")
		s.await(t, "both to park", func(st recycling.Stats) bool { return st.Parked == 4 })
		s.dial(t).get("/")
		all[0].ended()
		all[1].ended()
		r.awaitClosed(t, 2)
	})
}

func TestHookDelaysNobodyElseOfASweep(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEachMisbehaviour(t, parkModes, http.StateClosed, func(t *testing.T, m mode, h *http.Server, r *reporter) {
		h.IdleTimeout = 30 * time.Millisecond
		s := m.start(t, &recycling.Server{HTTP: h}, hello)
		r.misbehaves(t)
		var all []*client
		for range 20 {
			all = append(all, s.dial(t))
		}
		for _, c := range all {
			c.get("/")
		}
		for _, c := range all {
			c.ended()
		}
		r.awaitClosed(t, 20)
		s.dial(t).get("/")
	})
}

func TestHookOfARefusedRequestDelaysNobody(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEachMisbehaviour(t, parkModes, http.StateClosed, func(t *testing.T, m mode, h *http.Server, r *reporter) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1}, Standby: 1, HTTP: h}, g.serve)
		r.misbehaves(t)
		var all []*client
		for i := range 3 {
			all = append(all, s.dial(t))
			all[i].get("/")
			s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == int64(i+1) })
		}
		overload(t, s, g)
		for _, c := range all {
			c.send(get)
			c.refused()
		}
		r.awaitClosed(t, 3)
		g.open()
		s.await(t, "the queue to be empty", func(st recycling.Stats) bool { return st.Queued == 0 && st.Parked == 2 })
		s.dial(t).get("/")
	})
}

func TestHookOfANewConnectionDelaysNobody(t *testing.T) {
	parallel(t)
	forEachMisbehaviour(t, workerModes, http.StateNew, func(t *testing.T, m mode, h *http.Server, r *reporter) {
		s := m.start(t, &recycling.Server{HTTP: h}, hello)
		r.misbehaves(t)
		first := s.dial(t)
		first.send(get)
		eventually(t, "the hook", r.once.Load)
		s.dial(t).get("/")
	})
}

func TestConnContextDelaysNobodyElse(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		var once atomic.Bool
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if !once.Swap(true) {
				g.entered <- struct{}{}
				<-g.opened
			}
			return ctx
		}}}, hello)
		t.Cleanup(g.open)
		s.dial(t).send(get)
		receive(t, g.entered, "the hook")
		s.dial(t).get("/")
	})
}

func TestHookKeepsCloseFromNothing(t *testing.T) {
	parallel(t)
	forEachMisbehaviour(t, workerModes, http.StateClosed, func(t *testing.T, m mode, h *http.Server, r *reporter) {
		s := m.start(t, &recycling.Server{HTTP: h}, hello)
		r.misbehaves(t)
		var all []*client
		for i := range 5 {
			all = append(all, s.dial(t))
			all[i].get("/")
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		receive(t, closed, "Close")
		for _, c := range all {
			c.ended()
		}
		r.awaitClosed(t, 5)
	})
}

func TestShutdownFromAHook(t *testing.T) {
	parallel(t)
	for _, in := range []http.ConnState{http.StateIdle, http.StateClosed} {
		t.Run(in.String(), func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				var s *instance
				done := make(chan error, 1)
				r := &reporter{in: in, misbehave: func() { done <- s.Shutdown(context.Background()) }}
				s = m.start(t, &recycling.Server{HTTP: &http.Server{ConnState: r.report}}, hello)
				if in == http.StateIdle {
					s.dial(t).get("/")
				} else {
					s.once(t, "/")
				}
				if err := receive(t, done, "Shutdown"); err != nil {
					t.Error(err)
				}
				s.ended(t, http.ErrServerClosed)
			})
		})
	}
}

func TestShutdownFromTheHookOfAnEvictedConnection(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		var s *instance
		done := make(chan error, 1)
		r := &reporter{in: http.StateClosed, misbehave: func() { done <- s.Shutdown(context.Background()) }}
		s = m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 1}, HTTP: &http.Server{ConnState: r.report}}, hello)
		s.dial(t).get("/")
		s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 1 })
		s.dial(t).send(get)
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Error(err)
		}
		s.ended(t, http.ErrServerClosed)
	})
}

func TestShutdownReturnsAfterHooksOfClosedConnections(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		r := &reporter{in: http.StateClosed, misbehave: func() { time.Sleep(20 * time.Millisecond) }}
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ConnState: r.report}}, hello)
		for range 100 {
			s.dial(t).get("/")
		}
		if err := receive(t, s.shutdown(context.Background()), "Shutdown"); err != nil {
			t.Fatal(err)
		}
		if n := r.closed(t); n != 100 {
			t.Errorf("told of %d closed connections, want 100", n)
		}
	})
}

// blockedLog returns an ErrorLog that blocks until open is called.
func blockedLog(t *testing.T) (l *log.Logger, open func()) {
	g := newGate(t)
	return log.New(writerFunc(func(b []byte) (int, error) {
		<-g.opened
		return len(b), nil
	}), "", 0), g.open
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// The last connection must be served within ReadHeaderTimeout, even on a busy machine: a handshake
// that fails waits for the log.
func TestErrorLogThatBlocksDelaysNoSweep(t *testing.T) {
	parallel(t)
	needsParking(t)
	errorLog, open := blockedLog(t)
	s := recyclingNet.startTLS(t, &recycling.Server{HTTP: &http.Server{ErrorLog: errorLog, ReadHeaderTimeout: time.Second}}, hello)
	t.Cleanup(open)
	var silent []*client
	for range 20 {
		silent = append(silent, s.dial(t))
	}
	for _, c := range silent {
		c.ended()
	}
	s.dial(t).shake().get("/")
}
