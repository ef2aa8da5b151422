// Package connections measures what connections cost a server: under load of several sizes and of
// one that changes, over TLS, with large bodies, while idle, beside other connections that compute,
// and when only a few of many are active.
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

	// For Idle and Growth.
	Few    []string      // servers; the first is the baseline
	Idle   []int         // numbers of idle connections
	Settle time.Duration // how long to wait before memory is read
	Growth []int         // numbers of connections, of which 5 % are active

	// For Light, Loads, Alternating, Bodies and TLS.
	Main []string // servers; the first is the baseline

	// For Light.
	Long  time.Duration // of one measurement, without the warm-up
	Busy  []int         // numbers of connections whose requests compute
	Light int           // the number of connections beside them

	// For Growth, Loads, Bodies and TLS.
	Short time.Duration // of one measurement, without the warm-up

	// For Loads and Alternating.
	Loads  []int         // numbers of connections, all of which are active
	Active []int         // numbers of connections that are active in turn, in ascending order
	Turn   time.Duration // how long each is
	Turns  int           // how often all of Active are measured in a round

	// For Bodies and TLS.
	Transfers int // connections that send or receive large bodies
	Secure    int // connections with TLS and HTTP/1.1
	Shared    int // connections with HTTP/2
	Streams   int // requests at a time on each of these
}

// peers are the servers that quick runs compare. The first is the baseline.
var peers = []string{"net/http", "recycling", "fasthttp", "hertz", "nbio", "gnet"}

// nearest are the servers that quick runs compare in the other situations: net/http and its best
// known rival.
var nearest = []string{"net/http", "recycling", "fasthttp"}

// Quick returns a Config with the most informative measurements. Run takes about 100 seconds;
// Light, Loads, Idle and Growth take 30 seconds each, and the others 10 to 20 seconds each.
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
		Idle:   []int{1_000, 5_000},
		Settle: 200 * time.Millisecond,
		Growth: []int{100, 1_000},

		Main:  nearest,
		Long:  time.Second,
		Busy:  []int{0, 4},
		Light: 10,
		Short: 300 * time.Millisecond,

		Loads:  []int{1, 2, 8, 100, 1_000},
		Active: []int{1, 100, 1_000},
		Turn:   100 * time.Millisecond,
		Turns:  3,

		Transfers: 8, Secure: 32, Shared: 4, Streams: 25,
	}
}

// Full returns a Config with all measurements: Run takes an hour, and the others together take
// another hour.
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
		Idle:   []int{1_000, 5_000, 10_000},
		Settle: time.Second,
		Growth: []int{10, 100, 1_000, 10_000},

		Main:  append(slices.Clone(peers), "fixed", "nginx"),
		Long:  2 * time.Second,
		Busy:  []int{0, 1, 4, 16},
		Light: 10,
		Short: 2 * time.Second,

		Loads:  []int{1, 2, 8, 32, 100, 400, 1_000},
		Active: []int{1, 100, 1_000},
		Turn:   time.Second,
		Turns:  2,

		Transfers: 8, Secure: 32, Shared: 4, Streams: 25,
	}
}
