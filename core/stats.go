package recycling

import "time"

// Stats is a snapshot of a [Server]'s counters. They are read one by one while the
// server runs, so that sums may be off by what happened in between.
//
// Under [Goroutine] net/http keeps no such counters: there Open, Accepted and Closed are
// counted from its connection states, and the figures about workers are zero.
type Stats struct {
	Strategy Strategy `json:"strategy"`

	Workers int `json:"workers"` // goroutines that serve connections
	Standby int `json:"standby"` // those of them that have nothing to do
	Busy    int `json:"busy"`    // those of them that are inside a connection

	Open       int64 `json:"open"`       // connections now, those parked included
	Parked     int64 `json:"parked"`     // connections that wait for bytes and hold no worker
	Queued     int64 `json:"queued"`     // connections that could go on and wait for a worker
	Handshakes int   `json:"handshakes"` // connections in a TLS handshake; they hold a goroutine, but no worker
	Accepted   int64 `json:"accepted"`   // connections since the start
	Closed     int64 `json:"closed"`     // of Accepted, the ones closed
	Hijacked   int64 `json:"hijacked"`   // of Accepted, the ones a handler took over, or net/http's own server for HTTP/2
	Shed       int64 `json:"shed"`       // of Accepted, the ones refused, for the following reasons: 503, or closed before a TLS handshake
	ShedConns  int64 `json:"shed_conns"` // MaxConns, with RefuseConns, or the process has no descriptor left
	ShedPerIP  int64 `json:"shed_per_ip"`
	ShedQueue  int64 `json:"shed_queue"` // MaxQueue or QueueWait
	Evicted    int64 `json:"evicted"`    // connections closed while idle to make room: MaxConns
	Held       int64 `json:"held"`       // how often accepting has rested for want of room: MaxConns
	Retired    int64 `json:"retired"`    // connections that have reached MaxRequestsPerConn or MaxConnAge
	Requests   int64 `json:"requests"`   // HTTP/1.x requests since the start; zero under Goroutine

	Limits Limits `json:"limits"`
}

// Limits are the bounds that a [Server] goes by, with environment and defaults filled in. Zero is no bound.
type Limits struct {
	Workers         int           `json:"workers"`
	Queue           int           `json:"queue"`
	QueueWait       time.Duration `json:"queue_wait_ns"`
	Conns           int           `json:"conns"`
	ConnsPerIP      int           `json:"conns_per_ip"`
	RequestsPerConn int           `json:"requests_per_conn"`
	ConnAge         time.Duration `json:"conn_age_ns"`
	BodyTimeout     time.Duration `json:"body_timeout_ns"`
}
