package recycling

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// settings are a Server's fields with environment and defaults filled in.
type settings struct {
	strategy Strategy
	standby  int
	Limits
}

// Defaults, where neither a field nor the environment says otherwise.
const (
	defaultMaxWorkers  = 1 << 16 // Recycling: more than that many handlers at work at once wait
	defaultPoolWorkers = 256     // Pool: each keeps a connection, so there must be some
	defaultMaxQueue    = 1 << 16 // Recycling: what waits there has no worker, and QueueWait bounds it
	defaultQueueWait   = 10 * time.Second
	unlimited          = 1 << 29 // two of them make no overflow
)

// resolve validates s's fields and fills in environment and defaults.
// Every error names the field or variable, and the value.
func (s *Server) resolve() (settings, error) {
	set := settings{strategy: s.Strategy, Limits: s.limits()}
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
	if set.Workers = unlimited; s.MaxWorkers >= 0 {
		if set.Workers, err = count("Server.MaxWorkers", s.MaxWorkers, EnvMaxWorkers); err != nil {
			return set, err
		}
	}
	if s.HealthPath != "" && s.HealthPath[0] != '/' {
		return set, fmt.Errorf("recycling: Server.HealthPath is %q, want a path that begins with a slash", s.HealthPath)
	}
	if set.Workers == 0 {
		set.Workers = defaultMaxWorkers
		if set.strategy == Pool {
			set.Workers = defaultPoolWorkers
		}
		set.Workers = max(set.Workers, set.standby)
	}
	if set.standby == 0 {
		set.standby = min(2*runtime.GOMAXPROCS(0), set.Workers)
	}
	if set.standby > set.Workers {
		return set, fmt.Errorf("recycling: Standby is %d, more than MaxWorkers, which is %d", set.standby, set.Workers)
	}
	if s.MaxQueue == 0 {
		set.Queue = defaultMaxQueue
		if set.strategy == Pool {
			set.Queue = set.Workers
		}
	}
	set.Workers, set.Queue = min(set.Workers, unlimited), min(set.Queue, unlimited)
	return set, nil
}

// limits are s's limits, except for those that depend on each other.
func (s *Server) limits() Limits {
	l := Limits{
		Queue:           max(s.MaxQueue, 0),
		QueueWait:       max(s.QueueWait, 0),
		Conns:           max(s.MaxConns, 0),
		ConnsPerIP:      max(s.MaxConnsPerIP, 0),
		RequestsPerConn: max(s.MaxRequestsPerConn, 0),
		ConnAge:         max(s.MaxConnAge, 0),
		BodyTimeout:     max(s.BodyTimeout, 0),
	}
	if s.QueueWait == 0 {
		l.QueueWait = defaultQueueWait
	}
	if n := maxDescriptors(); s.MaxConns == 0 && n > 0 {
		l.Conns = n - n/16
	}
	return l
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
