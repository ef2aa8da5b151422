package connections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// TestMain makes the test binary the server process when it is started as one, like bench.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := server.Main(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny returns a Config that measures everything, but for a very short time.
func tiny() Config {
	return Config{
		Rounds: 1, Duration: time.Millisecond,
		Servers: []string{"net/http", "recycling", "fasthttp", "no such server"}, Routers: []string{"mux", "chi"},
		Conns: []int{3}, Modes: []string{"close", "keep"}, Handlers: []string{"/yo"},
		Few: []string{"net/http", "recycling"}, Idle: []int{5, 10}, Growth: []int{5, 40},
		Main: []string{"net/http", "recycling", "fasthttp"}, Long: time.Millisecond, Short: time.Millisecond,
		Busy: []int{0, 1}, Light: 2, Loads: []int{1, 9}, Active: []int{1, 3, 20}, Turn: time.Millisecond, Turns: 2,
		Transfers: 2, Secure: 3, Shared: 2, Streams: 4,
	}
}

// scenarioFunc is a function that measures a table.
type scenarioFunc func(context.Context, Config, *record.Progress, *record.Run) error

func run(t *testing.T, f scenarioFunc, c Config) *record.Table {
	r := record.New(nil)
	if err := f(t.Context(), c, nil, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if len(r.Tables) != 1 {
		t.Fatalf("%d tables", len(r.Tables))
	}
	return r.Tables[0]
}

// keys returns the keys of all rows, joined by spaces.
func keys(t *record.Table) (all []string) {
	for _, r := range t.Rows {
		all = append(all, strings.Join(r.Key, " "))
	}
	return all
}

// complete checks that all rows have n samples of each of the columns, and that the charts show
// figures.
func complete(t *testing.T, table *record.Table, n int, columns ...string) {
	for _, row := range table.Rows {
		for _, c := range columns {
			if got := len(row.Samples[c]); got != n {
				t.Errorf("%q: %d samples of %s, want %d", row.Key, got, c, n)
			}
			if _, ok := table.Column(c); !ok {
				t.Errorf("there is no column %s", c)
			}
		}
	}
	for _, c := range table.Charts {
		if !slices.Contains(table.Keys, c.X) || !slices.Contains(table.Keys, c.Series) {
			t.Errorf("chart %s is of %s and %s, the keys are %q", c.Name, c.X, c.Series, table.Keys)
		}
		if !slices.ContainsFunc(table.Rows, func(r *record.Row) bool { return shows(table, c, r) }) {
			t.Errorf("chart %s shows nothing", c.Name)
		}
	}
}

func shows(t *record.Table, c record.Chart, r *record.Row) bool {
	for key, value := range c.Where {
		if i := slices.Index(t.Keys, key); i < 0 || r.Key[i] != value {
			return false
		}
	}
	return len(r.Samples[c.Column]) > 0
}

func TestRun(t *testing.T) {
	got := run(t, Run, tiny())
	var want []string
	for _, mode := range []string{"new connection", "keep-alive"} {
		for _, server := range []string{"mux net/http", "mux recycling", "mux fasthttp", "chi net/http", "chi recycling"} {
			want = append(want, mode+" answers at once 3 "+server)
		}
	}
	if k := keys(got); !slices.Equal(k, want) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(k, "\n"), strings.Join(want, "\n"))
	}
	columns := []string{"rate", "p50", "p99", "max", "errors"}
	if knowsUsage(t) {
		columns = append(columns, "CPU", "peak")
	}
	complete(t, got, 1, columns...)
	for _, r := range got.Rows {
		if got.Base(r) == nil && r.Key[4] != "net/http" {
			t.Errorf("%q has no baseline", r.Key)
		}
	}
	if !strings.Contains(got.Note, "no such server") {
		t.Errorf("the note does not say that a server is left out: %q", got.Note)
	}
}

// knowsUsage reports whether this system reports the resources that a process uses.
func knowsUsage(t *testing.T) bool {
	p, err := server.Start(t.Context(), server.Spec{Server: "net/http"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, err = p.RSS()
	return !errors.Is(err, server.ErrUnknown)
}

func TestLight(t *testing.T) {
	c := tiny()
	c.Rounds = 2
	got := run(t, Light, c)
	if want := []string{"0 net/http", "0 recycling", "0 fasthttp", "1 net/http", "1 recycling", "1 fasthttp"}; !slices.Equal(keys(got), want) {
		t.Errorf("rows are %q, want %q", keys(got), want)
	}
	complete(t, got, 2, "p50", "p99", "max", "rate", "errors")
}

func TestIdle(t *testing.T) {
	if !knowsUsage(t) {
		t.Skip("the memory of a process is not known")
	}
	got := run(t, Idle, tiny())
	if want := []string{"5 net/http", "5 recycling", "10 net/http", "10 recycling"}; !slices.Equal(keys(got), want) {
		t.Errorf("rows are %q, want %q", keys(got), want)
	}
	complete(t, got, 1, "memory", "errors")
	for _, r := range got.Rows {
		want := 0
		if r.Key[0] == "10" {
			want = 1
		}
		if n := len(r.Samples["slope"]); n != want {
			t.Errorf("%q: %d slopes, want %d", r.Key, n, want)
		}
	}
}

func TestGrowth(t *testing.T) {
	got := run(t, Growth, tiny())
	if want := []string{"5 net/http", "5 recycling", "40 net/http", "40 recycling"}; !slices.Equal(keys(got), want) {
		t.Errorf("rows are %q, want %q", keys(got), want)
	}
	columns := []string{"rate", "p50", "p99", "errors"}
	if knowsUsage(t) {
		columns = append(columns, "CPU", "memory")
	}
	complete(t, got, 1, columns...)
}

// TestInterruptedRunKeepsWhatItHas ends the context after the first measurement of a million
// rounds.
func TestInterruptedRunKeepsWhatItHas(t *testing.T) {
	for name, f := range map[string]scenarioFunc{
		"connections": Run, "light": Light, "idle": Idle, "growth": Growth,
		"loads": Loads, "alternating": Alternating, "tls": TLS, "bodies": Bodies,
	} {
		t.Run(name, func(t *testing.T) {
			c := tiny()
			c.Rounds = 1e6
			ctx, cancel := context.WithCancel(t.Context())
			r := record.New(nil)
			p := record.NewProgress(writer(func(line []byte) {
				if len(r.Tables[0].Rows) == 1 { // the second measurement is about to begin
					cancel()
				}
			}))
			if err := f(ctx, c, p, r); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
			for _, row := range r.Tables[0].Rows[:1] {
				if len(row.Samples["errors"]) != 1 || row.Failed != "" {
					t.Errorf("%q: %v %s", row.Key, row.Samples, row.Failed)
				}
			}
			for _, row := range r.Tables[0].Rows[1:] {
				if len(row.Samples) != 0 || row.Failed != "" {
					t.Errorf("%q, which was interrupted: %v %s", row.Key, row.Samples, row.Failed)
				}
			}
		})
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func TestFailureIsToldWithItsNumber(t *testing.T) {
	table := &record.Table{Keys: []string{"server"}}
	row := table.Row("x")
	for _, s := range []*sample{
		{errors: 2, first: errors.New("refused")},
		{figures: map[string]float64{"CPU": 3}},
		{errors: 1, first: errors.New("something else")},
	} {
		s.keep(row)
	}
	if want := "errors: 3, the first: refused"; row.Failed != want {
		t.Errorf("failed is %q, want %q", row.Failed, want)
	}
	if !slices.Equal(row.Samples["errors"], []float64{2, 0, 1}) || len(row.Samples["CPU"]) != 1 || len(row.Detail) != 3 {
		t.Errorf("%v, %v", row.Samples, row.Detail)
	}
	err := measure(t.Context(), table.Row("y"), server.Spec{Server: "no such server"}, nil)
	if err != nil || !strings.Contains(table.Row("y").Failed, "no such server") {
		t.Errorf("%v, failed is %q", err, table.Row("y").Failed)
	}
}

func TestScenarios(t *testing.T) {
	c := Full()
	all := c.scenarios()
	if want := 2 * 2 * 3 * 4; len(all) != want {
		t.Errorf("%d scenarios, want %d", len(all), want)
	}
	for _, s := range all {
		servers := s.servers(c.Servers)
		if !slices.Contains(servers, "recycling") || slices.Contains(servers, "fasthttp") != (s.router == "mux") {
			t.Errorf("%+v is for %q", s, servers)
		}
		if slices.Contains(servers, "nginx") && s.handler != "/yo" {
			t.Errorf("%+v is for nginx, which does not serve that", s)
		}
		if got, want := s.spec("fasthttp", 3), (server.Spec{Server: "fasthttp", Conns: s.conns, Procs: 3}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := s.spec("fixed", 0).Router; got != s.router {
			t.Errorf("router %q, want %q", got, s.router)
		}
		if handlerName(s.handler) != map[string]string{"/yo": "answers at once", "/sleep/1": "sleeps 1 ms"}[s.handler] {
			t.Errorf("%s is called %s", s.handler, handlerName(s.handler))
		}
	}
}

func TestChartsAreOfRowsThatThereAre(t *testing.T) {
	for _, c := range []Config{Quick(), Full()} {
		names := map[string]bool{}
		for _, chart := range c.charts() {
			if names[chart.Name] {
				t.Errorf("two charts are called %s", chart.Name)
			}
			names[chart.Name] = true
			if n, ok := chart.Where["connections"]; ok && n != "100" {
				t.Errorf("chart %s is of %s connections, want 100", chart.Name, n)
			}
			if router, ok := chart.Where["router"]; ok && router != "mux" {
				t.Errorf("chart %s is of router %s, beside which not all servers stand", chart.Name, router)
			}
		}
		for _, mode := range c.Modes {
			for _, figure := range []string{"", "-rate", "-p50", "-p99"} {
				if !names[mode+figure] {
					t.Errorf("there is no chart %s, but %v", mode+figure, names)
				}
			}
		}
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		points []point
		want   float64
		ok     bool
	}{
		{},
		{points: []point{{1, 2}}},
		{points: []point{{1, 2}, {1, 3}}},
		{points: []point{{1, 2}, {3, 8}}, want: 3, ok: true},
		{points: []point{{0, 1}, {1, 1}, {2, 4}}, want: 1.5, ok: true},
	} {
		if got, ok := slope(c.points); math.Abs(got-c.want) > 1e-9 || ok != c.ok {
			t.Errorf("slope of %v is %v, %v, want %v, %v", c.points, got, ok, c.want, c.ok)
		}
	}
}

func TestOrderIsAnotherInEachRound(t *testing.T) {
	var got []string
	for round := range 4 {
		got = append(got, strings.Join(rotated([]string{"a", "b", "c"}, round), ""))
	}
	if want := []string{"abc", "bca", "cab", "abc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTooManyConnectionsAreLeftOut(t *testing.T) {
	limit, ok := load.Descriptors()
	if !ok {
		t.Skip("no limit is known")
	}
	table := new(record.Table)
	n := int(min(limit, math.MaxInt32))
	if got := affordable(table, []int{1, n}); !slices.Equal(got, []int{1}) || !strings.Contains(table.Note, fmt.Sprint(n)) {
		t.Errorf("%v are left, and the note is %q", got, table.Note)
	}
}

// Names that need it have an explanation: each handler, and each server that is not a net/http
// server.
func TestTermsExplainNames(t *testing.T) {
	got := run(t, Run, tiny())
	for _, name := range []string{"new connection", "keep-alive", "answers at once", "p50", "p99"} {
		if !slices.ContainsFunc(got.Terms, func(term record.Term) bool { return term.Name == name && term.Meaning != "" }) {
			t.Errorf("%s is not explained by %v", name, got.Terms)
		}
	}
	table := new(record.Table)
	compare(table, []string{"net/http", "recycling", "gnet", "floor"})
	if len(table.Terms) != 2 || table.Terms[0].Name != "gnet" || table.Terms[1].Name != "floor" || table.Subject != "recycling" || table.Baseline != "net/http" {
		t.Errorf("the table is %+v", table)
	}
}

// TestConfigsNameWhatThereIs checks names, because a server with a wrong name would be left out
// silently.
func TestConfigsNameWhatThereIs(t *testing.T) {
	for _, c := range []Config{Quick(), Full()} {
		for _, s := range slices.Concat(c.Servers, c.Few, c.Main) {
			if !server.Serves(s, lightPath) {
				t.Errorf("%s does not serve %s", s, lightPath)
			}
		}
		for _, b := range bodies {
			if got := serving(c.Main, b.request.Path); !slices.Contains(got, "recycling") {
				t.Errorf("%s is served by %q", b.request.Path, got)
			}
		}
		if !slices.IsSorted(c.Active) {
			t.Errorf("Active is %d, want ascending numbers", c.Active)
		}
	}
}
