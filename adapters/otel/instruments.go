package recyclingotel

import (
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// An instrument describes a metric. The instruments and docs/metrics.md are made from the list of
// instruments.
type instrument struct {
	name, unit string
	kind       kind
	help       string // what it means
	do         string // what to do about it
	attributes []string

	value  func(*recycling.Stats) int64              // of those that are read from Stats; otherwise nil
	ratios func(*recycling.Stats) map[string]float64 // of a gauge: by limit
	places func(observe.PlaceStats) int              // of those that are read from a place; otherwise nil

	backlog func(observe.Backlog) float64 // of those that are read from a backlog; otherwise nil
}

type kind string

const (
	histogram kind = "histogram"
	counter   kind = "counter"
	upDown    kind = "up-down counter"
	gauge     kind = "gauge"
)

// Names of instruments that are not read from Stats.
const (
	nameDuration     = "http.server.request.duration"
	nameActive       = "http.server.active_requests"
	nameRequestBody  = "http.server.request.body.size"
	nameResponseBody = "http.server.response.body.size"
	nameFirstByte    = "recycling.request.first_byte.duration"
	nameQueue        = "recycling.request.queue.duration"
	nameRefused      = "recycling.connections.refused"
	nameEvicted      = "recycling.connections.evicted"
)

// Attributes of this package; the others are those of the semantic conventions.
const (
	limitKey  = "recycling.limit"
	reasonKey = "recycling.reason"
)

var requestAttributes = []string{"http.request.method", "url.scheme", "http.response.status_code", "http.route", "network.protocol.version", "error.type"}

func stat[N int | int64](f func(*recycling.Stats) N) func(*recycling.Stats) int64 {
	return func(s *recycling.Stats) int64 { return int64(f(s)) }
}

// instruments are all instruments, in the order of docs/metrics.md.
var instruments = []instrument{
	{
		name: nameDuration, kind: histogram, unit: "s", attributes: requestAttributes,
		help: "Time from the call of the handler until the response was passed to the kernel.",
		do:   "Find the route that has become slow, or that fails. error.type is aborted if the handler panicked or the client did not get the whole response.",
	},
	{
		name: nameActive, kind: upDown, unit: "{request}", attributes: requestAttributes[:2],
		help: "Requests whose handler has been called and whose response is not complete.",
		do:   "If it grows while the rate of requests does not, handlers wait for something.",
	},
	{
		name: nameRequestBody, kind: histogram, unit: "By", attributes: requestAttributes,
		help: "Content-Length of requests that have one or no body.",
		do:   "Large uploads hold a worker: bound them with http.MaxBytesReader.",
	},
	{
		name: nameResponseBody, kind: histogram, unit: "By", attributes: requestAttributes,
		help: "Bytes of the response's body that were sent.",
		do:   "Large responses to slow clients hold a worker: see AnswerTimeout.",
	},
	{
		name: nameFirstByte, kind: histogram, unit: "s", attributes: requestAttributes,
		help: "Time from the call of the handler until the first byte of the response was passed to the kernel.",
		do:   "Most of it is the handler's own time: profile the handler, and look at what it calls.",
	},
	{
		name: nameQueue, kind: histogram, unit: "s",
		help: "Time that requests have waited for a worker after they had arrived. Requests that did not wait, and those of HTTP/2, are left out.",
		do:   "If it grows, the processors are busy or all workers are: compare recycling.utilization for MaxWorkers.",
	},

	{
		name: "recycling.connections.open", kind: upDown, unit: "{connection}",
		help: "Open connections, including parked ones and those that are being refused. Hijacked ones do not count.",
		do:   "Compare it with MaxConns. If it grows without end, set IdleTimeout.", value: stat(func(s *recycling.Stats) int64 { return s.Open }),
	},
	{
		name: "recycling.connections.parked", kind: upDown, unit: "{connection}",
		help: "Open connections that wait for bytes and hold no worker.",
		do:   "Nothing: parked connections take a few hundred bytes each.", value: stat(func(s *recycling.Stats) int64 { return s.Parked }),
	},
	{
		name: "recycling.connections.queued", kind: upDown, unit: "{connection}",
		help: "Open connections that can make progress and wait for a worker.",
		do:   "If it is not close to zero most of the time, see recycling.request.queue.duration.", value: stat(func(s *recycling.Stats) int64 { return s.Queued }),
	},
	{
		name: "recycling.connections.handshaking", kind: upDown, unit: "{connection}",
		help: "Open connections in a TLS handshake. They hold a goroutine, but no worker.",
		do:   "If it is high, let clients reuse connections, and set ReadHeaderTimeout.", value: stat(func(s *recycling.Stats) int { return s.Handshakes }),
	},
	{
		name: "recycling.connections.accepted", kind: counter, unit: "{connection}",
		help: "Connections that were accepted, including those that were then refused.",
		do:   "If the rate is close to that of requests, clients do not reuse connections.", value: stat(func(s *recycling.Stats) int64 { return s.Accepted }),
	},
	{
		name: "recycling.connections.closed", kind: counter, unit: "{connection}",
		help: "Accepted connections that were closed.",
		do:   "Nothing: the difference from accepted ones is those that are open or hijacked.", value: stat(func(s *recycling.Stats) int64 { return s.Closed }),
	},
	{
		name: "recycling.connections.hijacked", kind: counter, unit: "{connection}",
		help: "Accepted connections that a handler took over, such as WebSockets.",
		do:   "Nothing: limits do not apply to these connections, so the application must bound them.", value: stat(func(s *recycling.Stats) int64 { return s.Hijacked }),
	},
	{
		name: "recycling.handlers.hijacked", kind: upDown, unit: "{handler}",
		help: "Handlers that have hijacked their connection and have not returned.",
		do:   "Run waits for them when it drains, for up to DrainTimeout: let them end when Server.Draining says so.", value: stat(func(s *recycling.Stats) int64 { return s.HijackedBusy }),
	},
	{
		name: nameRefused, kind: counter, unit: "{connection}", attributes: []string{reasonKey},
		help: "Accepted connections that were refused with a 503 response, by the limit that was reached.",
		do:   "MaxQueue, QueueWait: the server is overloaded. MaxConns, MaxConnsPerIP: raise the limit, or look for a client that misbehaves. descriptors: raise ulimit -n.",
	},
	{
		name: nameEvicted, kind: counter, unit: "{connection}", attributes: []string{reasonKey},
		help: "Connections without a request in flight that were closed to make room for others, by the limit that was reached.",
		do:   "Raise MaxConns or ulimit -n, shorten IdleTimeout, or add machines.",
	},
	{
		name: "recycling.connections.retired", kind: counter, unit: "{connection}",
		help: "Connections whose last response said \"Connection: close\" because of MaxRequestsPerConn or MaxConnAge.",
		do:   "Nothing: if the rate is high, these limits are too low.", value: stat(func(s *recycling.Stats) int64 { return s.Retired }),
	},
	{
		name: "recycling.accept.held", kind: counter, unit: "{pause}",
		help: "How often accepting paused because MaxConns was reached and no connection could be closed.",
		do:   "Raise MaxConns, set RefuseConns, or add machines.", value: stat(func(s *recycling.Stats) int64 { return s.Held }),
	},
	{
		name: "recycling.accept.errors", kind: counter, unit: "{error}",
		help: "Errors of accept(2): no descriptor, no memory, or a connection that was reset before it was accepted.",
		do:   "A few are normal. Otherwise the log says which error it is.", value: stat(func(s *recycling.Stats) int64 { return s.AcceptErrors }),
	},
	{
		name: "recycling.poll.errors", kind: counter, unit: "{error}",
		help: "Errors of epoll_ctl(2) and epoll_pwait(2).",
		do:   "There should be none. The system lacks memory or epoll watches.", value: stat(func(s *recycling.Stats) int64 { return s.PollErrors }),
	},

	{
		name: "recycling.workers.all", kind: upDown, unit: "{worker}",
		help: "Workers: goroutines that serve connections.",
		do:   "Nothing: workers are added when needed, and end when more than Standby are idle.", value: stat(func(s *recycling.Stats) int { return s.Workers }),
	},
	{
		name: "recycling.workers.busy", kind: upDown, unit: "{worker}",
		help: "Workers that serve a connection.",
		do:   "Compare it with the limit MaxWorkers.", value: stat(func(s *recycling.Stats) int { return s.Busy }),
	},
	{
		name: "recycling.handlers.waiting", kind: upDown, unit: "{handler}",
		help: "Handlers that wait in package offload, and so do not count as busy workers.",
		do:   "Compare it with MaxWaiting. If it grows while the rate of requests does not, what they wait for has become slow.", value: stat(func(s *recycling.Stats) int { return s.Waiting }),
	},
	{
		name: "recycling.workers.standby", kind: upDown, unit: "{worker}",
		help: "Workers that are idle, being woken or leading.",
		do:   "Nothing: see Server.Standby.", value: stat(func(s *recycling.Stats) int { return s.Standby }),
	},
	{
		name: "recycling.utilization", kind: gauge, unit: "1", attributes: []string{limitKey},
		help:   "How close the server is to a limit, from 0 to 1: busy workers of MaxWorkers, waiting handlers of MaxWaiting, queued connections of MaxQueue, open connections of MaxConns. 0 if there is no limit.",
		do:     "From about 0.8 on, prepare for more load: raise the limit if the machine has capacity left, or add machines.",
		ratios: utilization,
	},
}

func utilization(s *recycling.Stats) map[string]float64 {
	ratio := func(n int64, of int) float64 {
		if of <= 0 {
			return 0
		}
		return min(max(float64(n)/float64(of), 0), 1)
	}
	return map[string]float64{
		"MaxWorkers": ratio(int64(s.Busy), s.Limits.MaxWorkers),
		"MaxWaiting": ratio(int64(s.Waiting), s.Limits.MaxWaiting),
		"MaxQueue":   ratio(s.Queued, s.Limits.MaxQueue),
		"MaxConns":   ratio(s.Open, s.Limits.MaxConns),
	}
}
