package status

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// TestJSONHasWhatStatsAndTheRecorderSay compares every figure in a situation in which none changes.
func TestJSONHasWhatStatsAndTheRecorderSay(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	rec := observe.NewRecorder()
	a := startApp(t, func(s *recycling.Server) {
		s.Observer = rec
		s.Limits = recycling.Limits{MaxWorkers: 2, MaxQueue: 1, MaxConns: 50, MaxConnsPerIP: 40, MaxRequestsPerConn: 9, MaxConnAge: time.Hour}
	}, p.Server("api"))
	if a.server.Observer != observe.Observer(rec) {
		t.Error("the Recorder that was there has been replaced")
	}

	first := fresh(t, p)
	if s := first.Servers[0]; !s.SinceStart || s.State != serving || s.Level != fine || s.Requests.Total != 0 || len(s.Routes) != 0 {
		t.Errorf("at first: %+v", s)
	}
	for range 7 {
		a.ask("GET", "/users/1")
	}
	a.ask("GET", "/nowhere")
	a.ask("POST", "/orders")
	a.hold(2, 2, "/hold/x")
	a.begin("GET", "/users/2")
	eventually(t, "a connection waits", func() bool { return a.server.Stats().Queued == 1 })
	if status := a.ask("GET", "/users/3"); status != http.StatusServiceUnavailable {
		t.Fatalf("the status is %d when the queue is full", status)
	}
	eventually(t, "the connections are closed", func() bool { return a.server.Stats().Open == 3 && rec.Refused()[observe.MaxQueue] == 1 })
	eventually(t, "the requests have ended", func() bool { return rec.Ended()[observe.Completed] == 9 })

	r := fresh(t, p)
	s := r.Servers[0]
	stats := a.server.Stats()
	if s.Stats != stats {
		t.Errorf("stats is %+v, want %+v", s.Stats, stats)
	}
	if s.Name != "api" || s.State != serving || s.Level != bad || s.SinceStart || s.Unobserved {
		t.Errorf("name %q, state %q, level %q, since start %t, unobserved %t", s.Name, s.State, s.Level, s.SinceStart, s.Unobserved)
	}
	if s.Window <= 0 || s.Window != r.Time.Sub(first.Time) {
		t.Errorf("the window is %v, want %v", s.Window, r.Time.Sub(first.Time))
	}
	per := func(n uint64) float64 { return float64(n) / s.Window.Seconds() }
	if want := (recent{9, 9, per(9)}); s.Requests != want {
		t.Errorf("requests are %v, want %v", s.Requests, want)
	}
	if n := uint64(stats.Accepted); s.Connections != (recent{n, n, per(n)}) || n != 13 {
		t.Errorf("connections are %v, want %d", s.Connections, n)
	}
	if d := rec.Queued(); s.QueueDelay != (quantiles{d.Count, d.Quantile(0.5), d.Quantile(0.99)}) {
		t.Errorf("the queueing delay is %v, want %v, %v, %v", s.QueueDelay, d.Count, d.Quantile(0.5), d.Quantile(0.99))
	}
	var all observe.Distribution
	var routes []routeReport
	for _, x := range rec.Routes() {
		d := x.Duration
		all = all.Plus(d)
		y := routeReport{Method: x.Method, Route: x.Route, recent: recent{d.Count, d.Count, per(d.Count)}, quantiles: quantiles{d.Count, d.Quantile(0.5), d.Quantile(0.99)}}
		switch x.Class {
		case 4:
			y.ClientErrors = d.Count
		case 5:
			y.ServerErrors = d.Count
		}
		routes = append(routes, y)
	}
	if !slices.Equal(s.Routes, routes) || len(routes) != 3 {
		t.Errorf("routes are\n%+v, want\n%+v", s.Routes, routes)
	}
	if want := (quantiles{all.Count, all.Quantile(0.5), all.Quantile(0.99)}); s.Durations != want {
		t.Errorf("durations are %v, want %v", s.Durations, want)
	}
	for _, x := range s.Refused {
		if n := rec.Refused()[x.Reason]; x.Total != n || x.Recent != n || x.Meaning == "" || x.Advice == "" {
			t.Errorf("refused is %+v, want %d", x, n)
		}
	}
	for _, x := range s.Evicted {
		if n := rec.Evicted()[x.Reason]; x.Total != n || x.Recent != n || x.Meaning == "" || x.Advice == "" {
			t.Errorf("evicted is %+v, want %d", x, n)
		}
	}
	if len(s.Refused) != len(rec.Refused()) || len(s.Evicted) != 2 {
		t.Errorf("%d reasons to refuse and %d to evict, want %d and 2", len(s.Refused), len(s.Evicted), len(rec.Refused()))
	}
	longest, n := rec.Active(maxActive)
	if s.InFlight != n || len(s.Active) != 2 || len(longest) != 2 {
		t.Fatalf("%d in flight, of which %d are shown; want %d", s.InFlight, len(s.Active), n)
	}
	for i, x := range longest {
		if want := (active{x.Method, x.Path, x.RemoteAddr, r.Time.Sub(x.Start)}); s.Active[i] != want {
			t.Errorf("in flight is %+v, want %+v", s.Active[i], want)
		}
	}
	for outcome, n := range rec.Ended() {
		if s.Ended[outcome.String()] != int64(n) {
			t.Errorf("%v ended as %v, want %d", s.Ended, outcome, n)
		}
	}
	limits := map[string][3]int64{ // limit, used, hits
		"MaxWorkers":         {2, int64(stats.Busy), -1},
		"MaxWaiting":         {65536, 0, -1},
		"MaxQueue":           {1, stats.Queued, 1},
		"QueueWait":          {int64(10 * time.Second), int64(rec.Queued().Quantile(0.99)), 0},
		"MaxConns":           {50, stats.Open, 0},
		"MaxConnsPerIP":      {40, -1, 0},
		"MaxRequestsPerConn": {9, -1, -1},
		"MaxConnAge":         {int64(time.Hour), -1, -1},
		"BodyTimeout":        {int64(time.Minute), -1, -1},
		"AnswerTimeout":      {int64(time.Minute), -1, -1},
	}
	value := func(p *int64) int64 {
		if p == nil {
			return -1
		}
		return *p
	}
	for _, l := range s.Limits {
		if got := [3]int64{l.Limit, value(l.Used), value(l.Hits)}; got != limits[l.Name] {
			t.Errorf("%s is %v, want %v", l.Name, got, limits[l.Name])
		}
	}
	if fields := reflect.TypeFor[recycling.Limits]().NumField(); len(s.Limits) != len(limits) || len(limits) != fields {
		t.Errorf("%d limits are shown, Limits has %d", len(s.Limits), fields)
	}
}

func TestProcessAndBuild(t *testing.T) {
	t.Parallel()
	r := fresh(t, new(Page))
	p := r.Process
	if p.Host == "" || p.PID <= 0 || p.Uptime <= 0 || p.Processors != runtime.GOMAXPROCS(0) || p.Goroutines < 2 || p.Memory <= 0 {
		t.Errorf("process is %+v", p)
	}
	if p.Descriptors == 0 || p.Descriptors > 0 && p.MaxDescriptors > 0 && p.Descriptors > p.MaxDescriptors {
		t.Errorf("%d descriptors of %d", p.Descriptors, p.MaxDescriptors)
	}
	if b := r.Build; b.Go != runtime.Version() {
		t.Errorf("build is %+v", b)
	}
	if r.Servers == nil {
		t.Error("servers is null in JSON")
	}
}

// TestWindowSlides looks at what is compared with what, for looks at given times.
func TestWindowSlides(t *testing.T) {
	t.Parallel()
	rec := observe.NewRecorder()
	w := &watched{server: new(recycling.Server), rec: rec}
	const s = time.Second
	for _, look := range []struct{ at, since time.Duration }{
		{20 * s, 0}, {21 * s, 20 * s}, {21*s + s/4, 20 * s}, {25 * s, 20 * s}, {29 * s, 20 * s}, {30 * s, 20 * s},
		{31 * s, 21 * s}, {34 * s, 21 * s}, {35 * s, 25 * s}, {100 * s, 35 * s}, {101 * s, 100 * s},
	} {
		rec.RequestEnd(&observe.Request{Method: "GET", Route: "/", Status: 200, Duration: s})
		last, first := w.take(look.at)
		if last.at != look.at || first.at != look.since {
			t.Errorf("at %v the comparison is of %v with %v, want %v", look.at, last.at, first.at, look.since)
		}
		if last.requests <= first.requests {
			t.Errorf("at %v there are %d requests, and %d before", look.at, last.requests, first.requests)
		}
	}
	for i := range 20_000 { // whatever the rate of looks, few samples are kept
		w.take(200*s + time.Duration(i)*5*time.Millisecond)
	}
	if n := len(w.samples); n > 25 {
		t.Errorf("%d samples are kept", n)
	}
}

func TestSamplesShareWhatHasNotChanged(t *testing.T) {
	t.Parallel()
	rec := observe.NewRecorder()
	end := func(route string) {
		rec.RequestEnd(&observe.Request{Method: "GET", Route: route, Status: 200, Duration: time.Second})
	}
	end("/quiet")
	end("/busy")
	earlier := newSample(1, recycling.Stats{}, rec)
	end("/busy")
	later := newSample(2, recycling.Stats{}, rec)
	later.share(earlier)
	same := func(route string) bool {
		k := routeKey{"GET", route}
		return reflect.DeepEqual(later.routes[k], earlier.routes[k])
	}
	if !same("/quiet") || same("/busy") || later.routes[routeKey{"GET", "/busy"}].duration.Count != 2 {
		t.Error("the samples are wrong")
	}
}

func TestSamplesAreForgotten(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	startApp(t, p.Server(""))
	fresh(t, p)
	if p.servers[0].samples == nil {
		t.Fatal("there are no samples")
	}
	p.forgetSamples()
	if p.servers[0].samples != nil || p.latest != nil {
		t.Error("samples are kept")
	}
	if !fresh(t, p).Servers[0].SinceStart {
		t.Error("the figures are not since the program began")
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			p := &Page{Log: quiet()}
			s := recycling.New(nil)
			p.Server("")(s)
			p.Server("again")(s)
			if r := fresh(t, p); len(r.Servers) != 1 || r.Servers[0].State != starting || r.Servers[0].Level != fine {
				t.Errorf("before it serves: %+v", r.Servers)
			}
			a := startApp(t, p.Server("real"), func(s *recycling.Server) { s.Strategy = strategy })
			a.ask("GET", "/users/1")
			eventually(t, "the request has ended", func() bool { return fresh(t, p).Servers[1].Requests.Total == 1 })
			if r := fresh(t, p).Servers[1]; r.State != serving || r.Level != fine || r.Stats.Strategy != strategy || r.Name != "real" {
				t.Errorf("while it serves: %+v", r)
			}
			if err := a.server.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			if r := fresh(t, p).Servers[1]; r.State != draining || r.Level != warning || !strings.Contains(r.Summary, "No connection is open") {
				t.Errorf("after Shutdown: %+v", r)
			}
		})
	}
}

func TestServerOfAnotherHostDrains(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	srv := &http.Server{Addr: "127.0.0.1:0", ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	recycling.Use(srv, p.Server("hosted"), func(s *recycling.Server) { s.Log = quiet() })
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	eventually(t, "it serves", func() bool { return fresh(t, p).Servers[0].State == serving })
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
	eventually(t, "it drains", func() bool { return fresh(t, p).Servers[0].State == draining })
}

// An other is an Observer that is no Recorder.
type other struct{ observe.Observer }

func (other) RequestStart(*observe.Request) {}
func (other) RequestEnd(*observe.Request)   {}
func (other) Conn(observe.ConnEvent)        {}

func TestObserversAreKept(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	s := &recycling.Server{Observer: other{}}
	p.Server("")(s)
	if observe.RecorderIn(s.Observer) == nil {
		t.Error("there is no Recorder")
	}
	if !strings.Contains(fmt.Sprintf("%#v", s.Observer), "status.other{") {
		t.Errorf("the other Observer is gone: %#v", s.Observer)
	}
	a := startApp(t, p.Server("replaced"), func(s *recycling.Server) { s.Observer = nil })
	a.ask("GET", "/users/1")
	if r := fresh(t, p).Servers[1]; !r.Unobserved || r.Level != warning || !strings.Contains(r.Summary, "not recorded") {
		t.Errorf("the report does not say that nothing is recorded: %+v", r)
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	ok := recycling.Stats{Version: "v1", Busy: 1, Open: 3, Limits: recycling.Limits{MaxWorkers: 2, MaxQueue: 5, MaxConns: 10}}
	with := func(change func(*serverReport)) serverReport {
		s := serverReport{State: serving, Stats: ok, period: period{Window: window}}
		change(&s)
		s.Limits = limitsOf(&s, new(sample))
		s.judge(nil)
		return s
	}
	evicted := refusal{Reason: observe.MaxConns, recent: recent{Total: 1, Recent: 1}}
	for want, s := range map[string]serverReport{
		"ok It serves, and no limit is near.":                           with(func(s *serverReport) {}),
		"bad All workers are busy.":                                     with(func(s *serverReport) { s.Stats.Busy = 2 }),
		"bad All workers are busy, and connections wait.":               with(func(s *serverReport) { s.Stats.Busy, s.Stats.Queued = 2, 1 }),
		"warning It is near a limit: MaxQueue, MaxConns.":               with(func(s *serverReport) { s.Stats.Queued, s.Stats.Open = 4, 8 }),
		"warning It closes idle connections to make room: MaxConns.":    with(func(s *serverReport) { s.Evicted = []refusal{evicted} }),
		"bad It refuses connections: MaxConns.":                         with(func(s *serverReport) { s.Refused = []refusal{evicted} }),
		"warning It has been told to stop. 1,234 connections are open.": with(func(s *serverReport) { s.State, s.Stats.Open = draining, 1234 }),
		"ok It serves, and no limit is near. ": with(func(s *serverReport) { // it may have been long ago
			s.Refused, s.SinceStart, s.Window = []refusal{evicted}, true, time.Hour
			s.Stats.Limits.QueueWait, s.QueueDelay.P99 = time.Second, time.Second
		}),
		"warning It is near a limit: QueueWait.": with(func(s *serverReport) {
			s.Stats.Limits.QueueWait, s.QueueDelay.P99 = time.Second, time.Second
		}),
	} {
		if got := string(s.Level) + " " + s.Summary; got != strings.TrimSuffix(want, " ") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
