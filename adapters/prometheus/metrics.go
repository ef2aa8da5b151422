package recyclingprometheus

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A metric is one that the package exports. The collector, docs/metrics.md and the descriptions in
// dashboard.json are made from the list of metrics, and alerts.yml is compared with it.
type metric struct {
	name   string
	kind   prometheus.ValueType // or histogram
	help   string               // what it means
	do     string               // what to do about it
	labels []string

	values func(*snapshot, func(v float64, labels ...string))              // of all kinds but histogram
	times  func(*snapshot, func(d observe.Distribution, labels ...string)) // of histogram
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// stat returns the function for a metric without labels.
func stat[N int | int64](f func(*recycling.Stats) N) func(*snapshot, func(float64, ...string)) {
	return func(s *snapshot, emit func(float64, ...string)) { emit(float64(f(&s.Stats))) }
}

// by returns the function for a metric with one label, whose values are the keys of a map.
func by[K ~string](f func(*snapshot) map[K]uint64) func(*snapshot, func(float64, ...string)) {
	return func(s *snapshot, emit func(float64, ...string)) {
		for k, n := range f(s) {
			emit(float64(n), string(k))
		}
	}
}

var routeLabelNames = []string{"method", "route", "status"}

// metrics are all metrics, in the order of docs/metrics.md.
var metrics = []metric{
	// Requests.
	{
		name: "recycling_requests_total", kind: counter, labels: []string{"outcome"},
		help: "Requests that have ended, by outcome: completed, aborted (the handler panicked, or the client did not get the whole response), or hijacked (the handler took over the connection).",
		do:   "If many are aborted, look for panics in the log, and for clients and proxies whose timeouts are shorter than the response takes.",
		values: func(s *snapshot, emit func(float64, ...string)) {
			for o, n := range s.ended {
				emit(float64(n), o.String())
			}
		},
	},
	{
		name: "recycling_requests_in_flight", kind: gauge,
		help:   "Requests whose handler has been called and whose response is not complete.",
		do:     "If it grows while the rate of requests does not, handlers wait for something: look at the time that they take, and at what they call.",
		values: func(s *snapshot, emit func(float64, ...string)) { emit(float64(s.active)) },
	},
	{
		name: "recycling_request_duration_seconds", kind: histogram, labels: routeLabelNames,
		help: "Time from the call of the handler until the response was passed to the kernel, by method, route and class of status (none: the request ended without one).",
		do:   "Find the route that has become slow. A time much longer than the time to the first byte means a large response or a slow client.",
		times: func(s *snapshot, emit func(observe.Distribution, ...string)) {
			for l, t := range s.routes {
				emit(t.duration, l.values()...)
			}
		},
	},
	{
		name: "recycling_request_first_byte_seconds", kind: histogram, labels: routeLabelNames,
		help: "Time from the call of the handler until the first byte of the response was passed to the kernel, by method, route and class of status.",
		do:   "Most of it is the handler's own time: profile the handler, and look at what it calls.",
		times: func(s *snapshot, emit func(observe.Distribution, ...string)) {
			for l, t := range s.routes {
				emit(t.firstByte, l.values()...)
			}
		},
	},
	{
		name: "recycling_request_queue_seconds", kind: histogram,
		help:  "Time that requests have waited for a worker after they had arrived. Requests that did not wait, and those of HTTP/2, are left out.",
		do:    "If it grows, the processors are busy or all workers are: compare recycling_utilization_ratio for MaxWorkers. Raise MaxWorkers, make handlers faster, or add machines.",
		times: func(s *snapshot, emit func(observe.Distribution, ...string)) { emit(s.queued) },
	},
	{
		name: "recycling_http1_requests_total", kind: counter,
		help:   "Requests of HTTP/1 that have begun. Zero under the strategy goroutine.",
		do:     "Nothing: the difference from recycling_requests_total is HTTP/2 and requests in flight.",
		values: stat(func(s *recycling.Stats) int64 { return s.Requests }),
	},
	{
		name: "recycling_http1_requests_stayed_total", kind: counter,
		help:   "Requests of HTTP/1 for which a worker stayed with its connection after the response before.",
		do:     "Nothing: at light load most requests are of this kind, and at heavy load few.",
		values: stat(func(s *recycling.Stats) int64 { return s.Stayed }),
	},

	// Connections.
	{
		name: "recycling_connections_open", kind: gauge,
		help:   "Open connections, including parked ones and those that are being refused. Hijacked ones do not count.",
		do:     "Compare it with the limit MaxConns. If it grows without end, clients do not close connections: set IdleTimeout.",
		values: stat(func(s *recycling.Stats) int64 { return s.Open }),
	},
	{
		name: "recycling_connections_parked", kind: gauge,
		help:   "Open connections that wait for bytes and hold no worker.",
		do:     "Nothing: parked connections take a few hundred bytes each.",
		values: stat(func(s *recycling.Stats) int64 { return s.Parked }),
	},
	{
		name: "recycling_connections_queued", kind: gauge,
		help:   "Open connections that can make progress and wait for a worker.",
		do:     "If it is not close to zero most of the time, see recycling_request_queue_seconds.",
		values: stat(func(s *recycling.Stats) int64 { return s.Queued }),
	},
	{
		name: "recycling_connections_handshaking", kind: gauge,
		help:   "Open connections in a TLS handshake. They hold a goroutine, but no worker.",
		do:     "If it is high, clients connect faster than the processors can do handshakes, or clients stop in the middle: let clients reuse connections, and set ReadHeaderTimeout.",
		values: stat(func(s *recycling.Stats) int { return s.Handshakes }),
	},
	{
		name: "recycling_connections_accepted_total", kind: counter,
		help:   "Connections that were accepted, including those that were then refused.",
		do:     "If the rate is close to that of requests, clients do not reuse connections: look at proxies and at clients without keep-alive.",
		values: stat(func(s *recycling.Stats) int64 { return s.Accepted }),
	},
	{
		name: "recycling_connections_closed_total", kind: counter,
		help:   "Accepted connections that were closed.",
		do:     "Nothing: the difference from accepted ones is those that are open or hijacked.",
		values: stat(func(s *recycling.Stats) int64 { return s.Closed }),
	},
	{
		name: "recycling_connections_hijacked_total", kind: counter,
		help:   "Accepted connections that a handler took over, such as WebSockets.",
		do:     "Nothing: limits do not apply to these connections, so the application must bound them.",
		values: stat(func(s *recycling.Stats) int64 { return s.Hijacked }),
	},
	{
		name: "recycling_handlers_hijacked", kind: gauge,
		help:   "Handlers that have hijacked their connection and have not returned.",
		do:     "Run waits for them when it drains, for up to DrainTimeout: let them end when Server.Draining says so.",
		values: stat(func(s *recycling.Stats) int64 { return s.HijackedBusy }),
	},
	{
		name: "recycling_connections_refused_total", kind: counter, labels: []string{"reason"},
		help:   "Accepted connections that were refused with a 503 response, by the limit that was reached.",
		do:     "MaxQueue, QueueWait: the server is overloaded; add machines or make handlers faster. MaxConns, MaxConnsPerIP: raise the limit, or look for a client that misbehaves. descriptors: raise the limit of the process (ulimit -n).",
		values: by(func(s *snapshot) map[observe.Reason]uint64 { return s.refused }),
	},
	{
		name: "recycling_connections_evicted_total", kind: counter, labels: []string{"reason"},
		help:   "Connections without a request in flight that were closed to make room for others, by the limit that was reached.",
		do:     "Raise MaxConns or the descriptors of the process (ulimit -n), shorten IdleTimeout, or add machines.",
		values: by(func(s *snapshot) map[observe.Reason]uint64 { return s.evicted }),
	},
	{
		name: "recycling_connections_retired_total", kind: counter,
		help:   "Connections whose last response said \"Connection: close\" because of MaxRequestsPerConn or MaxConnAge.",
		do:     "Nothing: if the rate is high, these limits are too low.",
		values: stat(func(s *recycling.Stats) int64 { return s.Retired }),
	},
	{
		name: "recycling_accept_held_total", kind: counter,
		help:   "How often accepting paused because MaxConns was reached and no connection could be closed.",
		do:     "New clients wait in the queue of the kernel. Raise MaxConns, set RefuseConns, or add machines.",
		values: stat(func(s *recycling.Stats) int64 { return s.Held }),
	},
	{
		name: "recycling_accept_errors_total", kind: counter,
		help:   "Errors of accept(2): no descriptor, no memory, or a connection that was reset before it was accepted.",
		do:     "A few are normal. Otherwise the log says which error it is; the usual cause is too few descriptors (ulimit -n).",
		values: stat(func(s *recycling.Stats) int64 { return s.AcceptErrors }),
	},
	{
		name: "recycling_poll_errors_total", kind: counter,
		help:   "Errors of epoll_ctl(2) and epoll_pwait(2).",
		do:     "There should be none. The system lacks memory or epoll watches (fs.epoll.max_user_watches).",
		values: stat(func(s *recycling.Stats) int64 { return s.PollErrors }),
	},

	// Workers.
	{
		name: "recycling_workers", kind: gauge,
		help:   "Workers: goroutines that serve connections.",
		do:     "Nothing: workers are added when needed, and end when more than Standby are idle.",
		values: stat(func(s *recycling.Stats) int { return s.Workers }),
	},
	{
		name: "recycling_workers_busy", kind: gauge,
		help:   "Workers that serve a connection.",
		do:     "Compare it with the limit MaxWorkers.",
		values: stat(func(s *recycling.Stats) int { return s.Busy }),
	},
	{
		name: "recycling_handlers_waiting", kind: gauge,
		help:   "Handlers that wait in package offload, and so do not count as busy workers.",
		do:     "Compare it with the limit MaxWaiting. If it grows while the rate of requests does not, what they wait for has become slow.",
		values: stat(func(s *recycling.Stats) int { return s.Waiting }),
	},
	{
		name: "recycling_workers_standby", kind: gauge,
		help:   "Workers that are idle, being woken or leading.",
		do:     "Nothing: see Server.Standby.",
		values: stat(func(s *recycling.Stats) int { return s.Standby }),
	},

	// Limits.
	{
		name: "recycling_utilization_ratio", kind: gauge, labels: []string{"limit"},
		help:   "How close the server is to a limit, from 0 to 1: busy workers of MaxWorkers, waiting handlers of MaxWaiting, queued connections of MaxQueue, open connections of MaxConns. 0 if there is no limit.",
		do:     "From about 0.8 on, prepare for more load: raise the limit if the machine has capacity left, or add machines.",
		values: utilization,
	},
	{
		name: "recycling_limit", kind: gauge, labels: []string{"limit"},
		help:   "The limits in effect that are numbers, by the name of the field. Infinite if there is no limit.",
		do:     "Nothing: it is for comparison with other metrics.",
		values: limits,
	},
	{
		name: "recycling_limit_seconds", kind: gauge, labels: []string{"limit"},
		help:   "The limits in effect that are times, by the name of the field. Infinite if there is no limit.",
		do:     "Nothing: it is for comparison with other metrics.",
		values: timeLimits,
	},
	{
		name: "recycling_build_info", kind: gauge, labels: []string{"version", "strategy"},
		help: "Always 1. The labels are the version of package recycling and the strategy.",
		do:   "Nothing: it shows which instances run which version.",
		values: func(s *snapshot, emit func(float64, ...string)) {
			if s.Version != "" { // it serves
				emit(1, s.Version, string(s.Strategy))
			}
		},
	},
}

func utilization(s *snapshot, emit func(float64, ...string)) {
	ratio := func(limit string, n int64, of int) {
		v := 0.0
		if of > 0 {
			v = min(max(float64(n)/float64(of), 0), 1)
		}
		emit(v, limit)
	}
	ratio("MaxWorkers", int64(s.Busy), s.Limits.MaxWorkers)
	ratio("MaxWaiting", int64(s.Waiting), s.Limits.MaxWaiting)
	ratio("MaxQueue", s.Queued, s.Limits.MaxQueue)
	ratio("MaxConns", s.Open, s.Limits.MaxConns)
}

func limits(s *snapshot, emit func(float64, ...string)) {
	l := &s.Limits
	emit(limited(float64(l.MaxWorkers)), "MaxWorkers")
	emit(limited(float64(l.MaxWaiting)), "MaxWaiting")
	emit(limited(float64(l.MaxQueue)), "MaxQueue")
	emit(limited(float64(l.MaxConns)), "MaxConns")
	emit(limited(float64(l.MaxConnsPerIP)), "MaxConnsPerIP")
	emit(limited(float64(l.MaxRequestsPerConn)), "MaxRequestsPerConn")
}

func timeLimits(s *snapshot, emit func(float64, ...string)) {
	seconds := func(limit string, d time.Duration) { emit(limited(d.Seconds()), limit) }
	l := &s.Limits
	seconds("QueueWait", l.QueueWait)
	seconds("MaxConnAge", l.MaxConnAge)
	seconds("BodyTimeout", l.BodyTimeout)
	seconds("AnswerTimeout", l.AnswerTimeout)
}

// limited returns the value for a limit of [recycling.Stats], where zero and -1 mean none.
func limited(v float64) float64 {
	if v <= 0 {
		return math.Inf(1)
	}
	return v
}
