package observe

import (
	"cmp"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"
)

// MaxSeries is how many combinations of method, route and class of status a [Recorder] tells apart.
// Requests with further combinations are counted for the route [OtherRoutes], without a method.
const MaxSeries = 2048

// OtherRoutes stands for all routes beyond MaxSeries.
const OtherRoutes = "(other routes)"

// A Recorder is an [Observer] that keeps histograms of times by route, counts what happens to
// connections, and knows the requests in flight. Create it with [NewRecorder]. All methods may be
// called concurrently.
//
// For every four processors, it takes about 5 kilobytes for each combination of method, route and
// class of status.
type Recorder struct {
	stripes int
	queued  *histogram
	flights []flight
	series  table[seriesKey, series]

	refused, evicted [len(reasons)]atomic.Uint64
	incomplete       [Hijacked + 1]atomic.Uint64 // by Outcome, other than Completed
}

type seriesKey struct {
	method, route string
	class         uint8
}

type series struct{ firstByte, duration *histogram }

// reasons are all values of Reason.
var reasons = [...]Reason{MaxConns, MaxConnsPerIP, MaxQueue, QueueWait, Descriptors}

// Reasons returns all values of Reason.
func Reasons() []Reason { return slices.Clone(reasons[:]) }

// NewRecorder returns a Recorder that has recorded nothing.
func NewRecorder() *Recorder {
	n := numStripes()
	return &Recorder{stripes: n, queued: newHistogram(n), flights: make([]flight, 4*runtime.GOMAXPROCS(0))}
}

// hint returns a number that differs between workers, because a worker reuses its Request.
func hint(r *Request) uintptr { return uintptr(unsafe.Pointer(r)) / unsafe.Sizeof(*r) }

// RequestStart implements [Observer].
func (rec *Recorder) RequestStart(r *Request) {
	rec.flights[hint(r)%uintptr(len(rec.flights))].add(r)
}

// RequestEnd implements [Observer].
func (rec *Recorder) RequestEnd(r *Request) {
	h := hint(r)
	rec.flights[h%uintptr(len(rec.flights))].remove(r)
	if r.Outcome != Completed {
		rec.incomplete[min(r.Outcome, Hijacked)].Add(1)
	}
	if r.Queued > 0 {
		rec.queued.add(r.Queued, h)
	}
	s := rec.of(seriesKey{knownMethod(r.Method), r.Route, class(r.Status)})
	s.duration.add(r.Duration, h)
	if r.FirstByte > 0 {
		s.firstByte.add(r.FirstByte, h)
	}
}

// Conn implements [Observer].
func (rec *Recorder) Conn(e ConnEvent) {
	counts := &rec.refused
	switch e.Kind {
	case Refused:
	case Evicted:
		counts = &rec.evicted
	default:
		return
	}
	if i := slices.Index(reasons[:], e.Reason); i >= 0 {
		counts[i].Add(1)
	}
}

// of returns the series for k, and adds it if necessary.
func (rec *Recorder) of(k seriesKey) *series {
	if s := rec.series.get(k); s != nil {
		return s
	}
	return rec.series.add(k, MaxSeries, seriesKey{"", OtherRoutes, k.class}, func() *series {
		return &series{newHistogram(rec.stripes), newHistogram(rec.stripes)}
	})
}

// class returns the first digit of a status, or zero if there is none.
func class(status int) uint8 {
	if status < 100 || status > 999 {
		return 0
	}
	return uint8(status / 100)
}

// knownMethod returns method if a standard says what it means, and "other" if not, because clients
// may use any number of methods.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return method
	}
	return "other"
}

// A RouteStats holds the times of requests with the same method, route and class of status.
type RouteStats struct {
	Method string // "other" for any that is not standard; empty for OtherRoutes
	Route  string // a pattern; empty if no route was set
	Class  int    // the first digit of the status; zero if there is none

	FirstByte Distribution // see Request.FirstByte
	Duration  Distribution // see Request.Duration
}

// Routes returns the times of all requests that have ended, ordered by route, method and class.
func (rec *Recorder) Routes() []RouteStats {
	all := rec.series.read()
	list := make([]RouteStats, 0, len(all))
	for k, s := range all {
		list = append(list, RouteStats{k.method, k.route, int(k.class), s.firstByte.read(), s.duration.read()})
	}
	slices.SortFunc(list, func(a, b RouteStats) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Class, b.Class))
	})
	return list
}

// Queued returns how long requests have waited for a worker: see Request.Queued. Requests that did
// not wait are left out.
func (rec *Recorder) Queued() Distribution { return rec.queued.read() }

// Ended returns how many requests have ended with each outcome.
func (rec *Recorder) Ended() map[Outcome]uint64 {
	m := make(map[Outcome]uint64, len(rec.incomplete))
	for i := range rec.incomplete {
		m[Outcome(i)] = rec.incomplete[i].Load()
	}
	for _, s := range rec.series.read() {
		m[Completed] += s.duration.count()
	}
	m[Completed] -= min(m[Completed], m[Aborted]+m[Hijacked])
	return m
}

// Refused returns how many connections were refused for each reason. It has all reasons.
func (rec *Recorder) Refused() map[Reason]uint64 { return counts(&rec.refused) }

// Evicted returns how many connections were closed to make room for others, for each reason. It has
// all reasons.
func (rec *Recorder) Evicted() map[Reason]uint64 { return counts(&rec.evicted) }

func counts(by *[len(reasons)]atomic.Uint64) map[Reason]uint64 {
	m := make(map[Reason]uint64, len(reasons))
	for i, r := range reasons {
		m[r] = by[i].Load()
	}
	return m
}

// An ActiveRequest is a request in flight.
type ActiveRequest struct {
	Method, Path, RemoteAddr string
	Start                    time.Time
}

// Active returns the n requests that have been in flight for the longest time, the oldest first,
// and how many are in flight. With several Recorders in [Observers], only the first one knows.
func (rec *Recorder) Active(n int) (longest []ActiveRequest, total int) {
	var all []ActiveRequest
	for i := range rec.flights {
		f := &rec.flights[i]
		f.mu.Lock()
		total += len(f.slots) - len(f.free)
		for _, r := range f.slots {
			if r != nil && n > 0 {
				all = append(all, ActiveRequest{r.Method, r.Path, r.RemoteAddr, Time(r.Start)})
			}
		}
		f.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b ActiveRequest) int { return a.Start.Compare(b.Start) })
	return all[:min(max(n, 0), len(all))], total
}
