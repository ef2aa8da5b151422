package recycling

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// settings are a Server's fields with environment variables and defaults applied.
type settings struct {
	strategy Strategy
	standby  int
	Limits
}

// Defaults, if neither a field nor the environment sets a value.
const (
	defaultMaxWorkers  = 1 << 16 // Recycling: handlers beyond that wait
	defaultPoolWorkers = 256     // Pool: each worker keeps its connection, so there must be enough
	defaultMaxQueue    = 1 << 16 // Recycling: waiting connections hold no worker, and QueueWait bounds the wait
	defaultQueueWait   = 10 * time.Second
	defaultStall       = time.Minute // BodyTimeout, AnswerTimeout: TCP waits no longer between retransmissions
	unlimited          = 1 << 29     // small enough that the sum of two does not overflow
)

// resolve validates s's fields and applies environment variables and defaults. Every error names
// the field or variable and its value.
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
	standby, standbyFrom, err := count("Server.Standby", s.Standby, EnvStandby)
	if err != nil {
		return set, err
	}
	workers, workersFrom := unlimited, "Server.MaxWorkers"
	if s.MaxWorkers >= 0 {
		if workers, workersFrom, err = count(workersFrom, s.MaxWorkers, EnvMaxWorkers); err != nil {
			return set, err
		}
	}
	set.standby, set.Workers = standby, workers
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
		return set, fmt.Errorf("recycling: %s is %d, more than %s, which is %d", standbyFrom, set.standby, workersFrom, set.Workers)
	}
	if s.MaxQueue == 0 {
		set.Queue = defaultMaxQueue
		if set.strategy == Pool {
			set.Queue = set.Workers
		}
	}
	set.standby, set.Workers, set.Queue = min(set.standby, unlimited), min(set.Workers, unlimited), min(set.Queue, unlimited)
	return set, nil
}

// limits returns s's limits, except for those that depend on each other.
func (s *Server) limits() Limits {
	l := Limits{
		Queue:           max(s.MaxQueue, 0),
		QueueWait:       max(s.QueueWait, 0),
		Conns:           max(s.MaxConns, 0),
		ConnsPerIP:      max(s.MaxConnsPerIP, 0),
		RequestsPerConn: max(s.MaxRequestsPerConn, 0),
		ConnAge:         max(s.MaxConnAge, 0),
		BodyTimeout:     max(cmp.Or(s.BodyTimeout, defaultStall), 0),
		AnswerTimeout:   max(cmp.Or(s.AnswerTimeout, defaultStall), 0),
	}
	if s.QueueWait == 0 {
		l.QueueWait = defaultQueueWait
	}
	if n := maxDescriptors(); s.MaxConns == 0 && n > 0 {
		l.Conns = n - keptDescriptors(n)
	}
	return l
}

// keptDescriptors returns how many of n descriptors are kept for the application's files and
// connections, and for the few of the server itself, when MaxConns is zero.
func keptDescriptors(n int) int {
	return min(max(min(n/4, 1024), n/16, 32), n/2)
}

// addrOfEnv returns the address that the environment variable PORT asks for, ":8080" without one.
func addrOfEnv() (string, error) {
	text := os.Getenv("PORT")
	if text == "" {
		return ":8080", nil
	}
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return "", fmt.Errorf("recycling: PORT is %q, want a number from 0 to 65535", text)
	}
	return ":" + text, nil
}

// count returns the value of a field, or of an environment variable if the field is zero, and the
// name of the one that it used.
func count(field string, v int, env string) (n int, from string, err error) {
	if v < 0 {
		return 0, field, fmt.Errorf("recycling: %s is %d, want zero (the default) or more", field, v)
	}
	text := os.Getenv(env)
	if v > 0 || text == "" {
		return v, field, nil
	}
	n, err = strconv.Atoi(text)
	if err != nil || n <= 0 {
		return 0, env, fmt.Errorf("recycling: %s is %q, want a positive integer", env, text)
	}
	return n, env, nil
}
