package park

import (
	"fmt"
	"sync/atomic"
)

// A state says who owns a connection.
//
//	         park                       event, or take
//	held ───────────► parked ───────────────────────► held
//	 │ ▲                                               │
//	 │ └── look ── again ◄─────── event ───────────────┤
//	 │                                                 │
//	 └───────────────────── end ───────────────────────┴──► ended
//
// The zero value is held: a new connection belongs to the worker that accepted it.
type state uint32

const (
	// held: one worker reads, writes and may close the connection, or the connection waits in the
	// run queue for a worker. Nothing else touches it.
	held state = iota
	// again: held, and an event has arrived since. The worker looks once more before it parks the
	// connection, because the set is edge-triggered and does not repeat the event.
	again
	// parked: the set owns the connection. Whoever changes the state to held (the leader for an
	// event, the sweeper for a deadline, shutdown) owns it from then on.
	parked
	// ended: closed or handed over. Nobody owns the connection, and events still in flight are
	// ignored.
	ended
)

func (s state) String() string {
	switch s {
	case held:
		return "held"
	case again:
		return "again"
	case parked:
		return "parked"
	case ended:
		return "ended"
	}
	panic(fmt.Sprintf("BUG: state %d", uint32(s)))
}

// An action is a requested transition. The worker parks, looks and ends; the leader reports events;
// the sweeper, shutdown and eviction take.
type action uint32

const (
	actPark  action = iota // worker: held → parked. Rejected in again: look first
	actLook                // worker: again → held. The worker must now act on the event
	actEvent               // leader: parked → held, held → again. Accepted if the leader owns it
	actTake                // sweeper, shutdown, eviction: parked → held
	actEnd                 // worker: held, again → ended
)

// next is the table of legal transitions: it returns the state after a in s, and whether a was
// accepted. It is a pure function, so that the test can drive every interleaving.
func next(s state, a action) (state, bool) {
	switch a {
	case actPark:
		switch s {
		case held:
			return parked, true
		case again:
			return again, false
		}
	case actLook:
		switch s {
		case held:
			return held, false
		case again:
			return held, true
		}
	case actEvent:
		switch s {
		case parked:
			return held, true
		case held:
			return again, false
		case again, ended:
			return s, false
		}
	case actTake:
		if s == parked {
			return held, true
		}
		return s, false
	case actEnd:
		switch s {
		case held, again:
			return ended, true
		}
	}
	panic(fmt.Sprintf("BUG: action %d on a connection that is %v", a, s))
}

// An atomicState holds one connection's state. Only do changes it.
type atomicState struct{ v atomic.Uint32 }

// do performs a, and reports whether it was accepted.
func (c *atomicState) do(a action) bool {
	for {
		s := state(c.v.Load())
		n, ok := next(s, a)
		if n == s || c.v.CompareAndSwap(uint32(s), uint32(n)) {
			return ok
		}
	}
}
