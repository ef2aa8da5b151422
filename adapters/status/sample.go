package status

import (
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// window is the time that rates and quantiles are about.
const window = 10 * time.Second

// A watched is a server on a Page, whose mutex guards it. Samples are taken when somebody looks,
// rather than by a goroutine, which would have to be stopped.
type watched struct {
	name    string
	server  *recycling.Server
	rec     *observe.Recorder
	samples []*sample // oldest first; at most one is older than window
}

// A sample holds the totals since the program began, as of one moment. It does not change.
type sample struct {
	at       time.Duration // see observe.Now
	stats    recycling.Stats
	queued   observe.Distribution
	routes   map[routeKey]routeTotals
	refused  map[observe.Reason]uint64
	evicted  map[observe.Reason]uint64
	requests uint64 // that have ended
}

type routeKey struct{ method, route string }

type routeTotals struct {
	duration observe.Distribution
	class    [10]uint64 // how many, by the first digit of the status; 0: none
}

// take returns the present totals, and those that they are to be compared with. It keeps the former
// for later, unless there are newer ones than a moment ago.
func (w *watched) take(now time.Duration) (last, first *sample) {
	last = newSample(now, w.server.Stats(), w.rec)
	w.samples, first = slide(w.samples, last, (*sample).taken, (*sample).share)
	if first == nil {
		first = new(sample) // since the program began
	}
	return last, first
}

// slide adds last to samples, unless it is only a moment younger than the newest one, and drops
// those that are too old. It also returns the sample that last is to be compared with, which is
// zero if there is none before last.
//
// at is when a sample was taken, and share makes one use the distributions of an earlier one where
// nothing has been added, since each takes several kilobytes.
func slide[S any](samples []*S, last *S, at func(*S) time.Duration, share func(s, earlier *S)) (kept []*S, first *S) {
	now := at(last)
	// Drop samples while the next one is old enough too, and those from before a pause.
	for len(samples) > 1 && (now-at(samples[1]) >= window || now-at(samples[0]) > 2*window) {
		samples = samples[1:]
	}
	if n := len(samples); n > 0 {
		first = samples[0]
		share(last, samples[n-1])
		if now-at(samples[n-1]) < window/20 {
			return samples, first
		}
	}
	return append(samples, last), first
}

func (s *sample) taken() time.Duration { return s.at }

func newSample(now time.Duration, stats recycling.Stats, rec *observe.Recorder) *sample {
	s := &sample{at: now, stats: stats, queued: rec.Queued(), refused: rec.Refused(), evicted: rec.Evicted(), routes: map[routeKey]routeTotals{}}
	for _, r := range rec.Routes() {
		k := routeKey{r.Method, r.Route}
		t := s.routes[k]
		t.duration = t.duration.Plus(r.Duration)
		t.class[min(max(r.Class, 0), 9)] += r.Duration.Count
		s.routes[k] = t
		s.requests += r.Duration.Count
	}
	return s
}

func (s *sample) share(earlier *sample) {
	if s.queued.Count == earlier.queued.Count {
		s.queued = earlier.queued
	}
	for k, t := range s.routes {
		if e := earlier.routes[k]; e.duration.Count == t.duration.Count {
			t.duration = e.duration
			s.routes[k] = t
		}
	}
}

// state returns how far the server is in its life, given its Stats.
func (w *watched) state(stats recycling.Stats) state {
	select {
	case <-w.server.Draining():
		return draining
	default:
	}
	if stats.Version == "" {
		return starting
	}
	return serving
}
