package recycling

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/core/internal/engine"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// settings are a Server's fields with environment variables and defaults applied.
type settings struct {
	strategy Strategy
	standby  int                // negative: none
	Limits                      // -1: no limit
	proxy    *proxyproto.Policy // nil: no peer is a proxy
}

// Defaults, if neither a field nor the environment sets a value.
const (
	defaultMaxWorkers   = 1 << 16 // Recycling: handlers beyond that wait
	defaultFixedWorkers = 256     // Fixed: one for each connection, so there must be enough
	defaultMaxWaiting   = 1 << 16 // Recycling: handlers beyond that count as workers
	defaultMaxQueue     = 1 << 16 // Recycling: they hold no worker, and QueueWait bounds the wait
	defaultQueueWait    = 10 * time.Second
	defaultStall        = time.Minute // BodyTimeout, AnswerTimeout
)

// noLimit is a limit in effect that means none.
const noLimit = -1

// resolve validates s's fields and applies environment variables and defaults. Every error names
// the field or variable and its value.
func (s *Server) resolve() (settings, error) {
	set := settings{strategy: s.Strategy, standby: s.Standby, Limits: s.Limits}
	from := "Server.Strategy"
	if set.strategy == "" {
		from = EnvStrategy
		set.strategy = Strategy(os.Getenv(EnvStrategy))
	}
	switch set.strategy {
	case "":
		set.strategy = Recycling
	case "pool": // its name before v0.1.0
		set.strategy = Fixed
	case Recycling, Goroutine, Fixed:
	default:
		return set, fmt.Errorf("recycling: %s is %q, want %q, %q or %q", from, set.strategy, Recycling, Goroutine, Fixed)
	}
	standbyFrom, err := fromEnv(&set.standby, "Server.Standby", EnvStandby)
	if err != nil {
		return set, err
	}
	workersFrom, err := fromEnv(&set.MaxWorkers, "Server.MaxWorkers", EnvMaxWorkers)
	if err != nil {
		return set, err
	}
	if s.HealthPath != "" && s.HealthPath[0] != '/' {
		return set, fmt.Errorf("recycling: Server.HealthPath is %q, want a path that begins with a slash", s.HealthPath)
	}
	if s.ProxyProtocol != nil {
		if set.proxy, err = s.ProxyProtocol.Policy(); err != nil {
			return set, fmt.Errorf("recycling: Server.ProxyProtocol: %w", err)
		}
	}
	if set.MaxWorkers == 0 {
		set.MaxWorkers = defaultMaxWorkers
		if set.strategy == Fixed {
			set.MaxWorkers = defaultFixedWorkers
		}
		set.MaxWorkers = max(set.MaxWorkers, set.standby)
	}
	if set.MaxWorkers > 0 && set.standby > set.MaxWorkers {
		return set, fmt.Errorf("recycling: %s is %d, more than %s, which is %d", standbyFrom, set.standby, workersFrom, set.MaxWorkers)
	}
	if set.standby == 0 {
		set.standby = 2 * runtime.GOMAXPROCS(0)
		if set.MaxWorkers > 0 {
			set.standby = min(set.standby, set.MaxWorkers)
		}
	}
	set.setDefaults(set.strategy)
	return set, nil
}

// setDefaults replaces zeros in l by the defaults, and negative limits by noLimit. MaxWorkers is
// set already.
func (l *Limits) setDefaults(strategy Strategy) {
	queue := defaultMaxQueue
	if strategy == Fixed {
		queue = l.MaxWorkers
	}
	conns := noLimit
	if n := maxDescriptors(); n > 0 {
		conns = n - keptDescriptors(n)
	}
	for _, n := range []struct {
		limit *int
		value int
	}{
		{&l.MaxWorkers, noLimit}, {&l.MaxWaiting, defaultMaxWaiting}, {&l.MaxQueue, queue}, {&l.MaxConns, conns}, {&l.MaxConnsPerIP, noLimit}, {&l.MaxRequestsPerConn, noLimit},
	} {
		*n.limit = max(cmp.Or(*n.limit, n.value), noLimit)
	}
	for _, d := range []struct {
		limit *time.Duration
		value time.Duration
	}{
		{&l.QueueWait, defaultQueueWait}, {&l.MaxConnAge, noLimit}, {&l.BodyTimeout, defaultStall}, {&l.AnswerTimeout, defaultStall},
	} {
		*d.limit = max(cmp.Or(*d.limit, d.value), noLimit)
	}
}

// engineConfig returns the configuration of s's engine, where a limit of zero means none.
func (s *Server) engineConfig(set settings) engine.Config {
	return engine.Config{
		HTTP:     s.HTTP,
		Host:     s.host,
		Observer: s.Observer,
		Context: func(ctx context.Context) context.Context {
			return context.WithValue(ctx, serverKey{}, s)
		},
		Proxy:           set.proxy,
		Serving:         s.beginServe,
		Log:             s.logEvent,
		Descriptors:     maxDescriptors(),
		Draining:        s.beginDraining,
		KeepWorkers:     set.strategy == Fixed,
		Standby:         set.standby,
		Workers:         max(set.MaxWorkers, 0),
		Waiting:         max(set.MaxWaiting, 0),
		Queue:           max(set.MaxQueue, 0),
		QueueWait:       max(set.QueueWait, 0),
		Conns:           max(set.MaxConns, 0),
		ConnsPerIP:      max(set.MaxConnsPerIP, 0),
		RequestsPerConn: max(set.MaxRequestsPerConn, 0),
		ConnAge:         max(set.MaxConnAge, 0),
		BodyTimeout:     max(set.BodyTimeout, 0),
		AnswerTimeout:   max(set.AnswerTimeout, 0),
		RefuseConns:     s.RefuseConns,
		StrictThreads:   s.StrictThreads,
		HealthPath:      s.HealthPath,
		Refuse:          s.Shed,
		DrainTimeout:    max(s.drainTimeout(), 0),
	}
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

// fromEnv sets *v, the value of a field, to that of an environment variable if it is zero and the
// variable is set. It returns the name of the one that *v is from.
func fromEnv(v *int, field, env string) (from string, err error) {
	text := os.Getenv(env)
	if *v != 0 || text == "" {
		return field, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return env, fmt.Errorf("recycling: %s is %q, want a positive integer", env, text)
	}
	*v = n
	return env, nil
}
