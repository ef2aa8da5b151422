package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Config says how much to do. The zero value means the defaults, which the comments of the fields
// name.
type Config struct {
	// Server is "recycling", "fixed" or "net/http"; the default is recycling. Overload and Crowd
	// also measure net/http, for comparison.
	Server string

	// Duration is how long Soak runs (2 minutes), how long the overload of Overload lasts (1
	// minute), and how long Crowd measures each of its figures (10 seconds).
	Duration time.Duration

	// Clients is how many clients Soak (64) and Churn (64) run at the same time.
	Clients int

	// Connections is how many connections Churn opens: 1,000,000.
	Connections int

	// Seed is the seed of Soak's random numbers; zero means a random seed. It is printed.
	Seed uint64

	// SlowHeaders, SlowBodies and NeverReading are how many clients of each kind Crowd has: 20,000,
	// 5,000 and 5,000, or as many as descriptors allow. Negative means none.
	SlowHeaders, SlowBodies, NeverReading int

	// patience is how long a response may take before it counts as a hang: 20 seconds.
	patience time.Duration
}

// servers are the servers that a Config may name.
var servers = []string{"recycling", "fixed", "net/http"}

// filled returns c with the defaults filled in; d is the default of Duration.
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

// beside returns the servers to compare.
func (c Config) beside() []string {
	if c.Server == "net/http" {
		return []string{c.Server}
	}
	return []string{c.Server, "net/http"}
}

// errBalance is wrapped by all errors that say that the balance does not hold.
var errBalance = errors.New("soak: the balance does not hold")
