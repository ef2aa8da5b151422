package engine

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Config is what an Engine gets from the Server that it belongs to. New copies it. Zero means no
// limit, unless the field says otherwise.
type Config struct {
	// HTTP is the application's http.Server. The engine replaces its hooks when it begins to serve:
	// see takeHooks. Until then it changes nothing.
	HTTP *http.Server

	// Host is set if the application calls the methods of HTTP itself. See also MakeHost.
	Host *Host

	// Observer is told about requests and connections; nil: nobody is.
	Observer observe.Observer

	// Proxy says which peers are proxies that send a header, for listeners that do not say so
	// themselves. Nil means none.
	Proxy *proxyproto.Policy

	// Context returns the context of all requests, derived from that of their listener.
	Context func(context.Context) context.Context

	// Serving is called when the engine begins to serve a listener. It must not block for long.
	Serving func(net.Listener)

	// Log writes a line about what happens to the engine, such as overload, where args are keys and
	// values as in package slog. It may block, panic or end its goroutine. Nil means that nothing
	// is logged. Errors go to HTTP.ErrorLog.
	Log func(level slog.Level, msg string, args ...any)

	// Draining is called once, when the engine begins to stop. It must not wait. It may be nil.
	Draining func()

	// KeepWorkers makes each worker keep its connection until that ends: see fixedPool. Otherwise
	// workers are recycled: see shard.
	KeepWorkers bool

	// Standby is the number of idle workers to keep. It must not exceed Workers. Negative means
	// none, zero the default of package pool.
	Standby int

	Workers    int           // at work at the same time
	Waiting    int           // handlers that wait, beside those workers; without KeepWorkers only
	Queue      int           // connections that wait for a worker; further ones are refused
	QueueWait  time.Duration // how long they wait; without KeepWorkers only
	Conns      int           // open connections
	ConnsPerIP int           // open connections of one address

	Descriptors int // of the process, for the log; zero: unknown

	RequestsPerConn int
	ConnAge         time.Duration
	BodyTimeout     time.Duration // without progress in reading a body
	AnswerTimeout   time.Duration // without progress in writing a response

	// RefuseConns makes the engine refuse connections beyond Conns. Otherwise it stops accepting.
	RefuseConns bool

	// StrictThreads makes workers check after every turn whether they are locked to their thread.
	StrictThreads bool

	// HealthPath is served while other requests are refused. Empty means none. It has no effect
	// with KeepWorkers.
	HealthPath string

	// Refuse writes the response to refused connections, in the context that it is given. Nil means
	// a line of text.
	Refuse http.Handler

	// DrainTimeout is how long a listener waits for requests in flight if it cannot know the
	// context of Shutdown: see Engine.Listener.
	DrainTimeout time.Duration
}

// unlimited stands for Config.Workers if that is zero. Package pool adds one for the leader.
const unlimited = math.MaxInt - 1

func (c *Config) workers() int { return min(cmp.Or(c.Workers, unlimited), unlimited) }

func (c *Config) waiting() int { return min(cmp.Or(c.Waiting, unlimited), unlimited) }

// Stats is a snapshot of an Engine's counters. The Stats of package recycling describe them.
type Stats struct {
	Workers, Standby, Busy, Waiting          int
	Handshakes                               int
	Open, Parked, Queued                     int64
	Accepted, Closed, Hijacked, HijackedBusy int64
	Shed, ShedConns, ShedPerIP, ShedQueue    int64
	ShedWait                                 int64 // of ShedQueue
	Evicted, Held, Retired, Requests, Stayed int64
	AcceptErrors, PollErrors                 int64
}
