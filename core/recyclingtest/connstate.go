package recyclingtest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

var connStates = []behaviour{
	connStateFollowsTheConnection,
	connStateOfAHijackedConnectionEndsThere,
	connStateIsNewOnceAndClosedOnce,
	connStateIsActiveWithPartOfARequest,
	connStateIsIdleBeforeADrainedConnectionEnds,
	connStateOfARefusedExpectationEndsThere,
}

// states records calls of ConnState.
type states struct {
	mu    sync.Mutex // guards the following
	conns []net.Conn // in the order in which they were first seen
	of    map[net.Conn][]http.ConnState
}

func (s *states) hook(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[net.Conn][]http.ConnState)
	}
	if len(s.of[c]) == 0 {
		s.conns = append(s.conns, c)
	}
	s.of[c] = append(s.of[c], state)
}

// ofConn returns the states of the i-th connection so far.
func (s *states) ofConn(i int) []http.ConnState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= len(s.conns) {
		return nil
	}
	return slices.Clone(s.of[s.conns[i]])
}

func connStateFollowsTheConnection(t *test) {
	t.needHooks()
	const (
		isNew, active, idle, closed = http.StateNew, http.StateActive, http.StateIdle, http.StateClosed
	)
	var seen states
	s := t.start(&http.Server{
		ConnState: seen.hook,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI == "/panic" {
				panic(http.ErrAbortHandler)
			}
			echoTarget(w, r)
		}),
	})
	for i, c := range []struct {
		name string
		use  func(c *wire)
		want []http.ConnState
	}{
		{"nothing sent", func(c *wire) { c.Close() }, []http.ConnState{isNew, closed}},
		{"one request, closed by the client", func(c *wire) { c.goesOn(); c.Close() }, []http.ConnState{isNew, active, idle, closed}},
		{"two requests", func(c *wire) { c.goesOn(); c.goesOn(); c.Close() }, []http.ConnState{isNew, active, idle, active, idle, closed}},
		{"pipelined", func(c *wire) {
			c.send(get("/1") + get("/2"))
			c.wants(200, "/1")
			c.wants(200, "/2")
			c.Close()
		}, []http.ConnState{isNew, active, idle, active, idle, closed}},
		{"closed by the server", func(c *wire) { c.exchange(get("/", "Connection: close")); c.ends() }, []http.ConnState{isNew, active, closed}},
		{"malformed", func(c *wire) { c.exchange("GET\r\n\r\n"); c.ends() }, []http.ConnState{isNew, active, closed}},
		{"half a header", func(c *wire) { c.send("GET / HTTP/1.1\r\nHo"); c.halfClose(); c.rest() }, []http.ConnState{isNew, active, closed}},
		{"panic", func(c *wire) { c.send(get("/panic")); c.ends() }, []http.ConnState{isNew, active, closed}},
		{"with body", func(c *wire) { c.exchange(post("/", "body")); c.Close() }, []http.ConnState{isNew, active, idle, closed}},
	} {
		t.each(c.name, func(t *test) {
			c.use(s.dial(t))
			t.eventually(fmt.Sprintf("states are %v", c.want), func() bool {
				got := seen.ofConn(i)
				if len(got) > len(c.want) {
					t.Fatalf("states are %v, want %v", got, c.want)
				}
				return slices.Equal(got, c.want)
			})
		})
	}
}

func connStateOfAHijackedConnectionEndsThere(t *test) {
	t.needHooks()
	var seen states
	s := t.start(&http.Server{
		ConnState: seen.hook,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				c.Close()
			}
		}),
	})
	c := s.dial(t)
	c.send(get("/"))
	c.ends()
	s.end()
	want := []http.ConnState{http.StateNew, http.StateActive, http.StateHijacked}
	if got := seen.ofConn(0); !slices.Equal(got, want) {
		t.Errorf("states are %v, want %v", got, want)
	}
}

func connStateIsNewOnceAndClosedOnce(t *test) {
	t.needHooks()
	var seen states
	s := t.start(&http.Server{ConnState: seen.hook, Handler: http.HandlerFunc(echoTarget)})
	var all sync.WaitGroup
	const n = 100
	for i := range n {
		all.Go(func() {
			c, err := s.connect()
			if err != nil {
				t.T.Error(err)
				return
			}
			defer c.Close()
			for range 1 + i%3 { // a connection that never sends a byte may never be accepted
				c.roundTrip(get("/"))
			}
			if i%4 == 0 {
				c.roundTrip(get("/", "Connection: close"))
			}
			if i%5 == 0 {
				(&wire{c, t}).reset()
			}
		})
	}
	all.Wait()
	t.eventually("all connections are closed", func() bool {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		closed := 0
		for _, states := range seen.of {
			if slices.Contains(states, http.StateClosed) {
				closed++
			}
		}
		return closed == n
	})
	s.end()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, states := range seen.of {
		for i, state := range states {
			if (state == http.StateNew) != (i == 0) || (state == http.StateClosed) != (i == len(states)-1) {
				t.Errorf("states are %v", states)
				break
			}
		}
	}
}

// are waits until the states of the i-th connection are want.
func (s *states) are(t *test, i int, want ...http.ConnState) {
	t.Helper()
	t.eventually(fmt.Sprintf("states are %v", want), func() bool {
		got := s.ofConn(i)
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("states are %v, want %v", got, want)
		}
		return len(got) == len(want)
	})
}

// connStateIsActiveWithPartOfARequest: the state tells such connections from those that have sent
// nothing.
func connStateIsActiveWithPartOfARequest(t *test) {
	t.needHooks()
	t.each("timeout", func(t *test) {
		t.escalate(func(t *test, d time.Duration) {
			var seen states
			s := t.start(&http.Server{ConnState: seen.hook, ReadHeaderTimeout: d, Handler: http.HandlerFunc(echoTarget)})
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\n")
			c.ends()
			seen.are(t, 0, http.StateNew, http.StateActive, http.StateClosed)
			s.dial(t).ends()
			seen.are(t, 1, http.StateNew, http.StateClosed)
		})
	})
	t.each("Close", func(t *test) {
		t.escalate(func(t *test, d time.Duration) {
			var seen states
			s := t.start(&http.Server{ConnState: seen.hook, Handler: http.HandlerFunc(echoTarget)})
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\n")
			seen.are(t, 0, http.StateNew) // c is the first connection
			other := s.dial(t)
			for begin := time.Now(); time.Since(begin) < d; {
				other.goesOn() // gives the server time to read what was sent
			}
			s.end()
			seen.are(t, 0, http.StateNew, http.StateActive, http.StateClosed)
		})
	})
}

// connStateIsIdleBeforeADrainedConnectionEnds: when its response was sent, it was not known to be
// the last.
func connStateIsIdleBeforeADrainedConnectionEnds(t *test) {
	t.needHooks()
	var seen states
	entered, g := make(chan bool, 1), t.newGate()
	s := t.start(&http.Server{ConnState: seen.hook, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		entered <- true
		<-g
	})})
	c := s.dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	down := s.shutdown(t)
	g.open()
	if a := c.wants(200, ""); a.Close {
		t.Errorf("response has Connection: close, which was sent before Shutdown")
	}
	c.ends()
	succeeds(t, down)
	seen.are(t, 0, http.StateNew, http.StateActive, http.StateIdle, http.StateClosed)
}

func connStateOfARefusedExpectationEndsThere(t *test) {
	t.needHooks()
	var seen states
	s := t.start(&http.Server{ConnState: seen.hook, Handler: http.HandlerFunc(echoTarget)})
	c := s.dial(t)
	c.send(get("/", "Expect: x"))
	c.wants(417, "")
	c.ends()
	seen.are(t, 0, http.StateNew, http.StateActive, http.StateClosed)
}
