package recycling

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// A Strategy is how accepted connections get a goroutine.
// The zero value means the one named by the environment variable
// RECYCLING_STRATEGY, or [Recycling] if that is unset or empty.
type Strategy string

const (
	// Recycling serves connections on workers that are kept and recycled;
	// a connection that waits for its next request holds none.
	Recycling Strategy = "recycling"
	// Goroutine is net/http's own server: a new goroutine per connection.
	Goroutine Strategy = "goroutine"
	// Pool serves connections on a fixed number of workers, each of which
	// keeps its connection until that ends. Connections beyond the queue
	// are answered with 503.
	Pool Strategy = "pool"
)

// The environment variables that fill in what a [Server] leaves zero.
const (
	EnvStrategy   = "RECYCLING_STRATEGY"    // recycling, goroutine or pool
	EnvStandby    = "RECYCLING_STANDBY"     // a positive integer
	EnvMaxWorkers = "RECYCLING_MAX_WORKERS" // a positive integer
)

// settings are a Server's fields with environment and defaults filled in.
type settings struct {
	strategy   Strategy
	standby    int
	maxWorkers int
	maxQueue   int
}

// Defaults, where neither a field nor the environment says otherwise.
const (
	defaultMaxWorkers  = 1 << 16 // Recycling: more than that many handlers at work at once wait
	defaultPoolWorkers = 256     // Pool: each keeps a connection, so there must be some
)

// resolve validates s's fields and fills in environment and defaults.
// Every error names the field or variable, and the value.
func (s *Server) resolve() (settings, error) {
	set := settings{strategy: s.Strategy, maxQueue: s.MaxQueue}
	from := "Server.Strategy"
	if set.strategy == "" {
		from = EnvStrategy
		set.strategy = Strategy(os.Getenv(EnvStrategy))
	}
	switch set.strategy {
	case "":
		set.strategy = Recycling
	case Recycling, Goroutine, Pool:
	default:
		return set, fmt.Errorf("recycling: %s is %q, want %q, %q or %q", from, set.strategy, Recycling, Goroutine, Pool)
	}
	var err error
	if set.standby, err = count("Server.Standby", s.Standby, EnvStandby); err != nil {
		return set, err
	}
	if set.maxWorkers, err = count("Server.MaxWorkers", s.MaxWorkers, EnvMaxWorkers); err != nil {
		return set, err
	}
	if s.MaxQueue < 0 {
		return set, fmt.Errorf("recycling: Server.MaxQueue is %d, want zero (the default) or more", s.MaxQueue)
	}
	if set.maxWorkers == 0 {
		set.maxWorkers = defaultMaxWorkers
		if set.strategy == Pool {
			set.maxWorkers = defaultPoolWorkers
		}
		set.maxWorkers = max(set.maxWorkers, set.standby)
	}
	if set.standby == 0 {
		set.standby = min(2*runtime.GOMAXPROCS(0), set.maxWorkers)
	}
	if set.standby > set.maxWorkers {
		return set, fmt.Errorf("recycling: Standby is %d, more than MaxWorkers, which is %d", set.standby, set.maxWorkers)
	}
	if set.maxQueue == 0 {
		set.maxQueue = set.maxWorkers
	}
	return set, nil
}

// count returns the value of a field, or of an environment variable if the field is zero.
func count(field string, v int, env string) (int, error) {
	if v < 0 {
		return 0, fmt.Errorf("recycling: %s is %d, want zero (the default) or more", field, v)
	}
	text := os.Getenv(env)
	if v > 0 || text == "" {
		return v, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("recycling: %s is %q, want a positive integer", env, text)
	}
	return n, nil
}
