// Package connections measures what connections cost a server: under load, idle, beside others that compute, and many
// of which few are active.
//
// Every server is a process of its own, started anew for each measurement and warmed up for a tenth of its time.
// In a round each contestant is measured once in each situation, next to the others in the same situation, and the order is
// another in each round. CPU is the user and system time of the server process from the begin of the measured time
// until the last answer, by all requests answered in it. The load is package load's.
package connections

import (
	"strings"
	"time"
)

// A Config says what to measure. The functions of this package take from it what they need.
type Config struct {
	Rounds int
	Procs  int  // GOMAXPROCS of the servers; zero means as many as there are processors
	Wrk    bool // the command wrk, if it is installed, has its say in Run

	// Of Run: all combinations. Servers without routers are measured once, beside the first router.
	Duration time.Duration // of one measurement, without the warm-up
	Servers  []string      // of package server; the first is the baseline of the others
	Routers  []string      // mux, chi, echo, gin
	Conns    []int
	Modes    []string // close: a new connection for each request; keep: connections that stay
	Handlers []string // their paths

	// Of Light, Idle and Growth.
	Few    []string      // servers; the first is the baseline of the others
	Short  time.Duration // of one measurement of Light or Growth, without the warm-up
	Busy   []int         // numbers of connections that request computing
	Light  int           // connections beside them
	Idle   []int         // numbers of connections that are idle
	Settle time.Duration // how long these are left alone before memory is read
	Growth []int         // numbers of connections of which 5 % are active
}

// Quick is what says most: Run takes 40 seconds, Light, Idle and Growth 10 each.
func Quick() Config {
	return Config{
		Rounds:   2,
		Duration: time.Second,
		Servers:  []string{"net/http", "recycling", "fasthttp", "floor"},
		Routers:  []string{"mux"},
		Conns:    []int{100},
		Modes:    []string{"close", "keep"},
		Handlers: []string{"/yo", "/sleep/1"},

		Few:    []string{"net/http", "recycling", "fasthttp"},
		Short:  500 * time.Millisecond,
		Busy:   []int{0, 4},
		Light:  10,
		Idle:   []int{1_000, 5_000},
		Settle: 300 * time.Millisecond,
		Growth: []int{100, 1_000},
	}
}

// Full is everything: half an hour for Run, ten minutes for Light, Idle and Growth together.
func Full() Config {
	return Config{
		Rounds:   3,
		Duration: 2 * time.Second,
		Servers:  []string{"net/http", "recycling", "pool", "fasthttp", "hertz", "floor", "nginx", "hunchentoot", "tornado"},
		Routers:  []string{"mux", "chi", "echo", "gin"},
		Conns:    []int{10, 100, 400},
		Modes:    []string{"close", "keep"},
		Handlers: []string{"/yo", "/sleep/1"},

		Few:    []string{"net/http", "recycling", "pool", "fasthttp", "hertz", "nginx"},
		Short:  2 * time.Second,
		Busy:   []int{0, 1, 4, 16},
		Light:  10,
		Idle:   []int{1_000, 5_000, 10_000},
		Settle: time.Second,
		Growth: []int{10, 100, 1_000, 10_000},
	}
}

// handlerName is what a handler costs, of its path.
func handlerName(path string) string {
	if ms, ok := strings.CutPrefix(path, "/sleep/"); ok {
		return ms + " ms"
	}
	return "0 ms"
}
