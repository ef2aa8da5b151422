package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Config says how much is done. The zero value means the defaults, which follow each field's meaning.
type Config struct {
	// Server is "recycling", "pool" or "net/http". Soak and Churn try this one: recycling. Overload and
	// Crowd try it as well, and net/http beside it.
	Server string

	// Duration is for how long Soak goes on (2 minutes), how long the overload of Overload lasts (a
	// minute), and how long Crowd asks for each of its figures (10 seconds).
	Duration time.Duration

	// Clients is how many clients Soak (64) and Churn (64) have at the same time.
	Clients int

	// Connections is how many Churn makes: 1,000,000.
	Connections int

	// Seed is of the random numbers of Soak; zero means any. It is printed.
	Seed uint64

	// SlowHeaders, SlowBodies and NeverReading are how many clients of each kind Crowd has: 20,000, 5,000 and 5,000, or as
	// many as descriptors allow. Negative means none.
	SlowHeaders, SlowBodies, NeverReading int

	// patience is how long an answer may take before it counts as a hang: 20 seconds.
	patience time.Duration
}

// servers are what a Config may name.
var servers = []string{"recycling", "pool", "net/http"}

// filled returns c with the defaults filled in, of which those for duration and clients differ.
func (c Config) filled(d time.Duration) (Config, error) {
	set := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	if c.Server == "" {
		c.Server = "recycling"
	}
	if c.Duration == 0 {
		c.Duration = d
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	set(&c.Clients, 64)
	set(&c.Connections, 1_000_000)
	set(&c.SlowHeaders, 20_000)
	set(&c.SlowBodies, 5_000)
	set(&c.NeverReading, 5_000)
	if c.patience == 0 {
		c.patience = 20 * time.Second
	}
	switch {
	case !slices.Contains(servers, c.Server):
		return c, fmt.Errorf("soak: Config.Server is %q, want one of %q", c.Server, servers)
	case c.Duration < 0:
		return c, fmt.Errorf("soak: Config.Duration is %v, want zero (the default) or more", c.Duration)
	case c.Clients < 0:
		return c, fmt.Errorf("soak: Config.Clients is %d, want zero (the default) or more", c.Clients)
	case c.Connections < 0:
		return c, fmt.Errorf("soak: Config.Connections is %d, want zero (the default) or more", c.Connections)
	}
	return c, nil
}

// beside returns the servers of a comparison.
func (c Config) beside() []string {
	if c.Server == "net/http" {
		return []string{c.Server}
	}
	return []string{c.Server, "net/http"}
}

// errBalance is in all errors that say that something does not come out even.
var errBalance = errors.New("soak: the balance does not hold")
