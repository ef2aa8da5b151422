// Package connections measures what connections cost a server: under load, while idle, beside other
// connections that compute, and when only a few of many are active.
//
// Each measurement starts a separate server process and warms it up for a tenth of the measured
// time. A round measures every server once in every situation. Servers that are compared are
// measured one right after the other, and each round begins with a different one. CPU is the user
// and system time of the server process, divided by the number of requests that it answered.
// Package load makes the load.
package connections

import (
	"slices"
	"time"
)

// A Config says what to measure. Each function of this package uses the fields that it needs.
type Config struct {
	Rounds int
	Procs  int  // GOMAXPROCS of the servers; zero means all processors
	Wrk    bool // Run also measures with the command wrk, if it is installed

	// For Run, which measures all combinations. Servers without routers are measured only beside
	// the first router.
	Duration time.Duration // of one measurement, without the warm-up
	Servers  []string      // names in package server; the first is the baseline
	Routers  []string      // mux, chi, echo, gin
	Conns    []int
	Modes    []string // close: a new connection for each request; keep: keep-alive connections
	Handlers []string // their paths

	// For Light, Idle and Growth.
	Few    []string      // servers; the first is the baseline
	Short  time.Duration // of one measurement of Light or Growth, without the warm-up
	Busy   []int         // numbers of connections whose requests compute
	Light  int           // the number of connections beside them
	Idle   []int         // numbers of idle connections
	Settle time.Duration // how long to wait before memory is read
	Growth []int         // numbers of connections, of which 5 % are active
}

// peers are the servers that quick runs compare. The first is the baseline.
var peers = []string{"net/http", "recycling", "fasthttp", "hertz", "nbio", "gnet"}

// Quick returns a Config with the most informative measurements: Run takes about 100 seconds, and
// Light, Idle and Growth take 30 seconds each.
func Quick() Config {
	return Config{
		Rounds:   5,
		Duration: 500 * time.Millisecond,
		Servers:  append(slices.Clone(peers), "floor"),
		Routers:  []string{"mux"},
		Conns:    []int{100},
		Modes:    []string{"close", "keep"},
		Handlers: []string{"/yo", "/sleep/1"},

		Few:    peers,
		Short:  300 * time.Millisecond,
		Busy:   []int{0, 4},
		Light:  10,
		Idle:   []int{1_000, 5_000},
		Settle: 200 * time.Millisecond,
		Growth: []int{100, 1_000},
	}
}

// Full returns a Config with all measurements: Run takes an hour, and Light, Idle and Growth
// together take half an hour.
func Full() Config {
	return Config{
		Rounds:   5,
		Duration: 2 * time.Second,
		Servers:  append(slices.Clone(peers), "fixed", "floor", "nginx", "hunchentoot", "tornado"),
		Routers:  []string{"mux", "chi", "echo", "gin"},
		Conns:    []int{10, 100, 400},
		Modes:    []string{"close", "keep"},
		Handlers: []string{"/yo", "/sleep/1"},

		Few:    append(slices.Clone(peers), "fixed", "nginx"),
		Short:  2 * time.Second,
		Busy:   []int{0, 1, 4, 16},
		Light:  10,
		Idle:   []int{1_000, 5_000, 10_000},
		Settle: time.Second,
		Growth: []int{10, 100, 1_000, 10_000},
	}
}
