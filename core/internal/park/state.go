package park

import (
	"fmt"
	"sync/atomic"
)

// A state says who a connection belongs to.
//
//	         park                       event, or take
//	held ───────────► parked ───────────────────────► held
//	 │ ▲                                               │
//	 │ └── look ── again ◄─────── event ───────────────┤
//	 │                                                 │
//	 └───────────────────── end ───────────────────────┴──► ended
//
// The zero value is held: a connection is born in the hands of the worker that accepted it.
type state uint32

const (
	// held: one worker reads, writes and may close it, or it waits in the run queue
	// for a worker to do so. Nobody else touches it.
	held state = iota
	// again: held, and an event came meanwhile. The worker looks once more before it parks:
	// the event is not repeated, since the set is edge-triggered.
	again
	// parked: it belongs to the set. Whoever changes that to held - the leader for an
	// event, the sweeper for a deadline, shutdown - has it from then on.
	parked
	// ended: closed or handed over. Nobody has it, and events that are still under way
	// mean nothing.
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

// An action is what somebody wants of a connection. Its worker parks, looks and ends; the leader
// reports an event; the leader, the sweeper and shutdown take.
type action uint32

const (
	actPark  action = iota // worker: held → parked. Refused in again: look first
	actLook                // worker: again → held. The event is now the worker's to act upon
	actEvent               // leader: parked → held, held → again. Accepted if the connection is now the leader's
	actTake                // sweeper, shutdown: parked → held
	actEnd                 // worker: held, again → ended
)

// next is the table of legal transitions: the state after a in s, and whether a was accepted. It is a pure function, so that
// the test can drive every interleaving of it.
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

// A cell holds one connection's state. It is changed by do alone.
type cell struct{ v atomic.Uint32 }

// do carries out a, and reports whether it was accepted.
func (c *cell) do(a action) bool {
	for {
		s := state(c.v.Load())
		n, ok := next(s, a)
		if n == s || c.v.CompareAndSwap(uint32(s), uint32(n)) {
			return ok
		}
	}
}
