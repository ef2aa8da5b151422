package recycling

import "github.com/recycling-go/recycling/core/internal/engine"

// Stats is a snapshot of a [Server]'s counters. They are read one after another while the server
// runs, so sums may be slightly off.
//
// Net/http keeps no such counters. Under [Goroutine], Open, Accepted, Closed and Hijacked are
// counted from connection states, and the other counters are zero.
//
// While only a few connections are active, a worker stays with its connection for a few
// milliseconds after a response, and waits for the next request. Meanwhile the worker counts as
// Standby, and the connection neither as Parked nor as Queued.
//
// Refused connections get a 503 response, or are closed if their TLS handshake is not complete. If
// the process is out of file descriptors, a connection is refused only if none can be evicted.
type Stats struct {
	Version  string   `json:"version"` // of this module, such as "v0.1.0"
	Strategy Strategy `json:"strategy"`

	Workers int `json:"workers"` // goroutines that serve connections
	Standby int `json:"standby"` // of Workers, those that are idle, being woken or leading
	Busy    int `json:"busy"`    // of Workers, those that serve a connection
	Waiting int `json:"waiting"` // handlers that wait in package offload; they count neither in Workers nor in Busy

	Open       int64 `json:"open"`       // connections now, including parked ones
	Parked     int64 `json:"parked"`     // connections that wait for bytes and hold no worker
	Queued     int64 `json:"queued"`     // connections that are ready and wait for a worker
	Handshakes int   `json:"handshakes"` // connections in a TLS handshake, which hold no worker
	Accepted   int64 `json:"accepted"`   // connections since the start
	Closed     int64 `json:"closed"`     // of Accepted, those that were closed
	Hijacked   int64 `json:"hijacked"`   // of Accepted, those that a handler took over
	// HijackedBusy is the number of handlers that have hijacked their connection and have not
	// returned. A handler that leaves its connection to another goroutine and returns is no longer
	// counted. Under Fixed these handlers also count as Busy. Zero under Goroutine.
	HijackedBusy int64 `json:"hijacked_busy"`

	Shed      int64 `json:"shed"`       // of Accepted, those refused for any of the reasons below
	ShedConns int64 `json:"shed_conns"` // MaxConns with RefuseConns, or out of descriptors
	ShedPerIP int64 `json:"shed_per_ip"`
	ShedQueue int64 `json:"shed_queue"` // MaxQueue or QueueWait
	ShedWait  int64 `json:"shed_wait"`  // of ShedQueue, those because of QueueWait
	Evicted   int64 `json:"evicted"`    // closed to make room: MaxConns, or out of descriptors
	Held      int64 `json:"held"`       // how often accepting paused for lack of room: MaxConns
	Retired   int64 `json:"retired"`    // connections that hit MaxRequestsPerConn or MaxConnAge
	Requests  int64 `json:"requests"`   // HTTP/1.x requests since the start; zero under Goroutine
	Stayed    int64 `json:"stayed"`     // of Requests, those that a worker stayed for: see Stats

	// System errors. Serving continues after them, though some end a connection. Some are also
	// logged. AcceptErrors counts those of accept: no descriptor, no memory, a connection that was
	// reset before it was accepted. PollErrors counts those of epoll_ctl(2) and epoll_pwait(2).
	AcceptErrors int64 `json:"accept_errors"`
	PollErrors   int64 `json:"poll_errors"`

	Limits Limits `json:"limits"` // in effect; zero under Goroutine
}

// add sets the fields of s that an engine counts.
func (s *Stats) add(e engine.Stats) {
	s.Workers, s.Standby, s.Busy, s.Waiting = e.Workers, e.Standby, e.Busy, e.Waiting
	s.Open, s.Parked, s.Queued, s.Handshakes = e.Open, e.Parked, e.Queued, e.Handshakes
	s.Accepted, s.Closed, s.Hijacked, s.HijackedBusy = e.Accepted, e.Closed, e.Hijacked, e.HijackedBusy
	s.Shed, s.ShedConns, s.ShedPerIP, s.ShedQueue = e.Shed, e.ShedConns, e.ShedPerIP, e.ShedQueue
	s.ShedWait = e.ShedWait
	s.Evicted, s.Held, s.Retired = e.Evicted, e.Held, e.Retired
	s.Requests, s.Stayed = e.Requests, e.Stayed
	s.AcceptErrors, s.PollErrors = e.AcceptErrors, e.PollErrors
}
