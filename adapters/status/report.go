package status

import (
	"cmp"
	"slices"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A report is what a Page shows at one moment, in every format. Durations are in nanoseconds, text
// that clients have chosen is as printable returns it, and -1 means no limit.
type report struct {
	Time    time.Time      `json:"time"`
	Process process        `json:"process"`
	Build   build          `json:"build"`
	Servers []serverReport `json:"servers"`
	Tasks   []tasksReport  `json:"tasks"`

	at time.Duration // Time, as by observe.Now
}

// A state is how far a server is in its life. After draining there is nothing to be told.
type state string

const (
	starting state = "starting" // it does not serve yet
	serving  state = "serving"
	draining state = "draining" // it has been told to stop, or has stopped
)

// A level says how worrying something is.
type level string

const (
	fine    level = "ok"
	warning level = "warning"
	bad     level = "bad"
)

type serverReport struct {
	Name  string `json:"name"`
	State state  `json:"state"`

	// Level and Summary say how the server is, in words.
	Level   level  `json:"level"`
	Summary string `json:"summary"`

	Stats recycling.Stats `json:"stats"`

	period

	Unobserved  bool             `json:"unobserved"` // the Observer has been replaced
	InFlight    int              `json:"in_flight"`  // requests
	Requests    recent           `json:"requests"`   // that have ended
	Connections recent           `json:"connections"`
	Durations   quantiles        `json:"durations"`      // of recent requests
	QueueDelay  quantiles        `json:"queueing_delay"` // of recent requests that waited for a worker
	Limits      []limit          `json:"limits"`
	Refused     []refusal        `json:"refused"` // connections that got a 503 response
	Evicted     []refusal        `json:"evicted"` // connections that were closed to make room
	Active      []active         `json:"oldest_in_flight"`
	Routes      []routeReport    `json:"routes"`
	Ended       map[string]int64 `json:"ended"` // requests, by outcome, in all
}

// A period is what "recent" refers to.
type period struct {
	Window     time.Duration `json:"window_ns"`
	SinceStart bool          `json:"since_start"` // Window is all the time that the program has run
}

// periodBetween returns the period from first, which is zero if there was no sample, to last.
func periodBetween(first, last time.Duration) period { return period{last - first, first == 0} }

// A recent is a total, and what has been added to it recently.
type recent struct {
	Total     uint64  `json:"total"`
	Recent    uint64  `json:"recent"`
	PerSecond float64 `json:"per_second"`
}

// quantiles are those of recent durations. They are zero if there are none.
type quantiles struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
}

type routeReport struct {
	Method string `json:"method"`
	Route  string `json:"route"` // a pattern; empty if the router has set none
	recent
	quantiles `json:"durations"`

	// Recent responses with a status of 400 to 499, and with one of 500 or more.
	ClientErrors uint64 `json:"recent_4xx"`
	ServerErrors uint64 `json:"recent_5xx"`
}

// An active is a request in flight.
type active struct {
	Method string        `json:"method"`
	Path   string        `json:"path"`
	Peer   string        `json:"peer"`
	Age    time.Duration `json:"age_ns"`
}

// maxActive is how many requests in flight a report has.
const maxActive = 10

func newReport(now time.Duration, servers []*watched) *report {
	r := &report{Time: observe.Time(now).UTC(), Process: thisProcess(now), Build: thisBuild(), at: now}
	r.Servers, r.Tasks = make([]serverReport, len(servers)), []tasksReport{}
	for i, w := range servers {
		last, first := w.take(now)
		s := &r.Servers[i]
		s.Name, s.State = w.name, w.state(last.stats)
		s.Unobserved = s.State != starting && observe.RecorderIn(w.server.Observer) != w.rec
		s.compare(last, first)
		s.active(w.rec, now)
		s.Ended = map[string]int64{}
		for outcome, n := range w.rec.Ended() {
			s.Ended[outcome.String()] = int64(n)
		}
		s.Limits = limitsOf(s, last)
		s.judge(r.Process.Limits())
	}
	return r
}

// compare sets what depends on two samples.
func (s *serverReport) compare(last, first *sample) {
	s.Stats = last.stats
	s.period = periodBetween(first.at, last.at)
	s.Requests = s.recent(last.requests, first.requests)
	s.Connections = s.recent(uint64(last.stats.Accepted), uint64(first.stats.Accepted))
	s.QueueDelay = quantilesOf(last.queued.Minus(first.queued))
	s.Refused = s.refusals(last.refused, first.refused, refusedAdvice)
	s.Evicted = s.refusals(last.evicted, first.evicted, evictedAdvice)

	var all observe.Distribution
	s.Routes = make([]routeReport, 0, len(last.routes))
	for k, t := range last.routes {
		before := first.routes[k]
		d := t.duration.Minus(before.duration)
		all = all.Plus(d)
		r := routeReport{Method: printable(k.method), Route: printable(k.route), quantiles: quantilesOf(d)}
		r.recent = s.recent(t.duration.Count, before.duration.Count)
		for class := range t.class {
			switch n := t.class[class] - min(before.class[class], t.class[class]); {
			case class >= 5:
				r.ServerErrors += n
			case class == 4:
				r.ClientErrors += n
			}
		}
		s.Routes = append(s.Routes, r)
	}
	slices.SortFunc(s.Routes, func(a, b routeReport) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method))
	})
	s.Durations = quantilesOf(all)
}

// recent compares totals at the end and at the beginning of p.
func (p period) recent(last, first uint64) recent {
	r := recent{Total: last, Recent: last - min(first, last)}
	if p.Window > 0 {
		r.PerSecond = float64(r.Recent) / p.Window.Seconds()
	}
	return r
}

func quantilesOf(d observe.Distribution) quantiles {
	return quantiles{d.Count, d.Quantile(0.5), d.Quantile(0.99)}
}

// active sets the requests in flight.
func (s *serverReport) active(rec *observe.Recorder, now time.Duration) {
	longest, n := rec.Active(maxActive)
	s.InFlight = n
	s.Active = make([]active, len(longest))
	for i, a := range longest {
		age := max(observe.Time(now).Sub(a.Start), 0)
		s.Active[i] = active{printable(a.Method), printable(a.Path), printable(a.RemoteAddr), age}
	}
}
