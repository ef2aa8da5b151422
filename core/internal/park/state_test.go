package park

import (
	"fmt"
	"strings"
	"testing"
)

// When a connection changes hands, a wake-up could get lost, or a connection could get two owners.
// This test drives every interleaving of what can happen to a connection: its worker that serves,
// stays and parks, events, the sweeper, and shutdown. The transitions are those of next, the same
// function that an atomicState uses.

// A world is the complete state of the model. It is a value, so that it can be a map key.
type world struct {
	conn state

	// The worker that owns the connection, or owned it last.
	worker step
	armed  bool // the socket is in the epoll set
	left   bool // the worker has stayed in vain since it last read something

	unread int  // unread bytes in the socket, counted in events
	edge   bool // an event is in flight to the leader; events merge (edge-triggered)
	sent   int  // number of events that the client still sends
	queued bool // the connection is in the run queue

	taker  int // number of times the sweeper or shutdown still tries to take it
	served int // total number of bytes read, counted in events
	closed bool
	owners int // number of goroutines that believe they own the connection
}

// A step is a worker's position in its loop.
type step int

const (
	none    step = iota
	reading      // it is about to read
	parking      // it found nothing to read, and is about to park or to stay
	staying      // it waits in Go's poller, which reports data that is already there
	ending       // it is about to close
)

const events = 3

// read returns w after its worker has read.
func (w world) read() world {
	if w.unread > 0 {
		w.left = false
	}
	w.served += w.unread
	w.unread = 0
	w.worker = parking
	return w
}

// moves returns the possible successors of w, by the name of what happened.
func (w world) moves(t *testing.T) map[string]world {
	to := map[string]world{}
	do := func(w *world, a action) bool {
		n, ok := next(w.conn, a)
		w.conn = n
		return ok
	}
	if w.sent > 0 && !w.closed { // the client sends
		n := w
		n.sent--
		n.unread++
		n.edge = n.edge || n.armed
		to["send"] = n
	}
	if w.edge { // the leader handles the event
		n := w
		n.edge = false
		if do(&n, actEvent) {
			n.queued = true
			n.owners++
		}
		to["event"] = n
	}
	if w.queued && w.worker == none { // a worker takes it from the run queue
		n := w
		n.queued = false
		n.worker = reading
		to["pop"] = n
	}
	if w.taker > 0 { // the sweeper or shutdown tries to take it
		n := w
		n.taker--
		if do(&n, actTake) {
			n.owners++
			// A worker checks whether there is something to read, and otherwise closes the
			// connection.
			n.queued = true
		}
		to["take"] = n
	}
	if w.worker != none && !w.armed { // the handler watches the client
		n := w
		n.armed = true
		n.edge = n.unread > 0
		to["watch"] = n
	}
	switch w.worker {
	case reading:
		to["read"] = w.read()
		n := w
		n.worker = ending
		to["error"] = n
	case staying:
		if w.unread > 0 {
			to["read in a stay"] = w.read()
		}
		n := w // it has stayed long enough, somebody else needs a worker, or the server ends
		n.left = true
		n.worker = parking
		to["leave"] = n
	case parking:
		if !w.left {
			n := w
			n.armed, n.edge = false, false
			n.worker = staying
			to["stay"] = n
			n.edge = w.edge // the leader got the event before the socket left the epoll set
			to["stay after an event"] = n
		}
		n := w
		if do(&n, actPark) {
			n.owners--
			n.worker = none
			if !n.armed { // registering reports data that is already there
				n.armed = true
				n.edge = n.unread > 0
			}
		} else {
			do(&n, actLook)
			n.worker = reading
		}
		to["park"] = n
	case ending:
		n := w
		do(&n, actEnd)
		n.owners--
		n.closed = true
		n.unread = 0
		n.worker = none
		to["end"] = n
	}
	for name, n := range to {
		if n.owners < 0 || n.owners > 1 {
			t.Fatalf("%d owners after %s of %+v", n.owners, name, w)
		}
	}
	return to
}

func TestNoInterleavingLosesAnEventOrSharesAConnection(t *testing.T) {
	start := world{conn: held, worker: reading, owners: 1, sent: events, taker: 2}
	seen := map[world]bool{start: true}
	queue := []world{start}
	final := 0
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		moves := w.moves(t)
		if len(moves) == 0 {
			final++
			// Nothing more can happen: the connection is closed, or it is parked and everything was
			// read.
			if !w.closed && (w.conn != parked || w.unread > 0 || w.served != events) {
				t.Fatalf("stuck: %+v", w)
			}
			if w.closed && (w.conn != ended || w.owners != 0) {
				t.Fatalf("closed, but %+v", w)
			}
		}
		for _, n := range moves {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	if len(seen) < 1000 || final < 3 {
		t.Fatalf("only %d states, %d of them final: the model does not model", len(seen), final)
	}
	t.Logf("%d states, %d of them final", len(seen), final)
}

func TestIllegalTransitionsAreBugs(t *testing.T) {
	for _, x := range []struct {
		s state
		a action
	}{{parked, actPark}, {ended, actPark}, {parked, actLook}, {ended, actLook}, {parked, actEnd}, {ended, actEnd}} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "BUG:") {
					t.Errorf("action %d in state %v: %v, want a panic that says BUG", x.a, x.s, v)
				}
			}()
			next(x.s, x.a)
		}()
	}
}
