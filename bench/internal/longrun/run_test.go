package longrun_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/longrun"
	"github.com/recycling-go/recycling/bench/internal/record"
)

// oneMachine are the servers that need no network namespaces.
var oneMachine = longrun.Servers()[:len(longrun.Servers())-1]

// tiny returns a Config that takes only a moment to measure everything.
func tiny() longrun.Config {
	return longrun.Config{
		Servers: oneMachine,
		Rounds:  1, Duration: time.Millisecond, Clients: 3, Workers: 2,
		Sleep: 5 * time.Millisecond, Latency: 5 * time.Millisecond, Parses: 1, FileSize: 100_001,
	}
}

func measure(t *testing.T, ctx context.Context, c longrun.Config, p *record.Progress) (*record.Table, error) {
	t.Helper()
	r := record.New(nil)
	err := longrun.Run(ctx, c, p, r)
	if len(r.Tables) != 1 {
		t.Fatalf("there are %d tables, want 1; the error is %v", len(r.Tables), err)
	}
	return r.Tables[0], err
}

func TestEveryTaskIsDoneUnderEveryServer(t *testing.T) {
	c := tiny()
	// This is not t.Context(), whose end would also end what Run leaves behind.
	table, err := measure(t, context.Background(), c, record.NewProgress(watcher(func(line string) {
		if copies, _ := filepath.Glob(filepath.Join(os.TempDir(), "*", "copy-*")); copies != nil {
			t.Errorf("before %q there are %q", line, copies)
		}
	})))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, task := range []string{"sleep", "split", "fetch", "https", "xml", "copy"} {
		for _, server := range oneMachine {
			row := table.Rows[rows]
			rows++
			if !slices.Equal(row.Key, []string{task, server}) {
				t.Fatalf("row %d is %q, want %q under %q", rows, row.Key, task, server)
			}
			if row.Failed != "" {
				t.Errorf("%q: %s", row.Key, row.Failed)
			}
			if got := row.Samples["availability"]; !slices.Equal(got, []float64{100}) {
				t.Errorf("%q: availability is %v, want 100", row.Key, got)
			}
			if got := row.Samples["failed transactions"]; !slices.Equal(got, []float64{0}) {
				t.Errorf("%q: failed are %v, want none", row.Key, got)
			}
			addUp(t, row, c)
		}
	}
	if len(table.Rows) != rows {
		t.Errorf("there are %d rows, want %d", len(table.Rows), rows)
	}
	for _, row := range table.Rows {
		for column := range row.Samples {
			if _, ok := table.Column(column); !ok {
				t.Errorf("there is no column %q, which %q has", column, row.Key)
			}
		}
	}
	for _, chart := range table.Charts {
		if _, ok := table.Column(chart.Column); !ok {
			t.Errorf("there is no column %q, which chart %q shows", chart.Column, chart.Name)
		}
	}
}

// addUp checks that the figures of a row with one sample are consistent.
func addUp(t *testing.T, row *record.Row, c longrun.Config) {
	t.Helper()
	figure := func(column string) float64 {
		if s := row.Samples[column]; len(s) == 1 {
			return s[0]
		}
		t.Errorf("%q: column %s has %v, want one sample", row.Key, column, row.Samples[column])
		return math.NaN()
	}
	n := figure("transactions")
	if n < float64(c.Clients) {
		t.Errorf("%q: %v transactions, want one of each of %d clients at least", row.Key, n, c.Clients)
	}
	mean, p99, longest := figure("response time"), figure("p99"), figure("longest transaction")
	if !(0 < mean && mean <= longest && p99 <= longest) {
		t.Errorf("%q: response time is %v, p99 %v, longest %v", row.Key, mean, p99, longest)
	}
	if got, want := figure("concurrency"), figure("transaction rate")*mean; math.Abs(got-want) > want*1e-6 {
		t.Errorf("%q: concurrency is %v, want rate × response time, %v", row.Key, got, want)
	}
	if got := figure("concurrency"); got > float64(c.Clients)*(1+1e-6) {
		t.Errorf("%q: concurrency is %v with %d clients", row.Key, got, c.Clients)
	}
}

// A sleep is never too short, so the rate shows how many sleeps ran at the same time at most. There
// are more clients than may run, and none is refused.
func TestBoundsOfServers(t *testing.T) {
	c := tiny()
	c.Clients, c.Tasks = 12, []string{"sleep", "split"}
	bounds := map[string]int{"one": 1, "recycling": 12, "goroutine": 12, "fixed": 12, "waiting": 12, "offload": 2, "process": 2,
		"in process": 2, "child processes": 2, "NATS": 2}
	table, err := measure(t, t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		if row.Failed != "" {
			t.Errorf("%q: %s", row.Key, row.Failed)
		}
		// Split may take less than Sleep by the remainder of its divisions.
		bound := bounds[row.Key[1]]
		most := float64(bound) / (c.Sleep - time.Microsecond).Seconds()
		if got, ok := row.Median("transaction rate"); !ok || got > most {
			t.Errorf("%q: %v/s, want no more than %v/s, %d at a time", row.Key, got, most, bound)
		}
	}
}

// TestWaitingTasksDoNotCount has more tasks wait than may run: they are done faster than the
// workers could do them one after the other.
func TestWaitingTasksDoNotCount(t *testing.T) {
	c := tiny()
	c.Clients, c.Duration, c.Sleep = 12, 200*time.Millisecond, 50*time.Millisecond
	c.Tasks, c.Servers = []string{"sleep", "split"}, []string{"waiting"}
	table, err := measure(t, t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		least := float64(c.Workers) / c.Sleep.Seconds()
		if got, ok := row.Median("transaction rate"); row.Failed != "" || !ok || got <= least {
			t.Errorf("%q: %v/s, %s, want more than %v/s, what %d workers can do", row.Key, got, row.Failed, least, c.Workers)
		}
	}
}

// On three hosts, the simulated servers are beside the workers.
func TestTasksAreDoneOnThreeHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	c := tiny()
	c.Servers, c.Tasks = longrun.Servers()[len(oneMachine):], []string{"https", "copy"}
	table, err := measure(t, t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) == 0 {
		t.Skip("this machine cannot have hosts")
	}
	for _, row := range table.Rows {
		if got := row.Samples["availability"]; !slices.Equal(got, []float64{100}) || row.Failed != "" {
			t.Errorf("%q: availability is %v, and failed is %q", row.Key, got, row.Failed)
		}
	}
}

// A watcher receives the lines about what is being measured.
type watcher func(line string)

func (w watcher) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

func TestRoundsAreInterleaved(t *testing.T) {
	c := tiny()
	c.Rounds, c.Tasks, c.Servers = 2, []string{"sleep", "split"}, []string{"recycling", "goroutine", "fixed"}
	var said strings.Builder
	table, err := measure(t, t.Context(), c, record.NewProgress(&said))
	if err != nil {
		t.Fatal(err)
	}
	const want = `longrun, round 1 of 2: sleep, recycling
longrun, round 1 of 2: sleep, goroutine
longrun, round 1 of 2: sleep, fixed
longrun, round 1 of 2: split, recycling
longrun, round 1 of 2: split, goroutine
longrun, round 1 of 2: split, fixed
longrun, round 2 of 2: sleep, goroutine
longrun, round 2 of 2: sleep, fixed
longrun, round 2 of 2: sleep, recycling
longrun, round 2 of 2: split, goroutine
longrun, round 2 of 2: split, fixed
longrun, round 2 of 2: split, recycling
`
	if got := said.String(); got != want {
		t.Errorf("measured were\n%s, want\n%s", got, want)
	}
	for _, row := range table.Rows {
		for column, samples := range row.Samples {
			if len(samples) != c.Rounds {
				t.Errorf("%q: column %s has %v, want a sample for each of %d rounds", row.Key, column, samples, c.Rounds)
			}
		}
		if len(row.Detail) != c.Rounds {
			t.Errorf("%q: details of %d rounds, want %d", row.Key, len(row.Detail), c.Rounds)
		}
	}
}

func TestFailuresAreCountedAndTold(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			io.WriteString(w, longrun.Done)
		case 2:
			http.Error(w, "no room", http.StatusServiceUnavailable)
		case 3:
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, "something else")
		}
	}))
	defer s.Close()
	// It ends before that: a client gives up after 3 failures.
	row := longrun.Load(t.Context(), s.URL, time.Hour)
	for column, want := range map[string]float64{"transactions": 1, "failed transactions": 3, "availability": 25} {
		if got := row.Samples[column]; !slices.Equal(got, []float64{want}) {
			t.Errorf("%s is %v, want %v", column, got, want)
		}
	}
	if want := `3 errors: 503 Service Unavailable: "no room\n"`; row.Failed != want {
		t.Errorf("failed is %q, want %q", row.Failed, want)
	}
}

func TestEndOfContextKeepsWhatWasMeasured(t *testing.T) {
	for _, server := range oneMachine {
		t.Run(server, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := tiny()
			c.Servers, c.Tasks = []string{server}, []string{"copy", "https"}
			c.Latency = time.Hour // so that https does not end by itself
			p := record.NewProgress(watcher(func(line string) {
				if strings.Contains(line, "https") {
					time.AfterFunc(50*time.Millisecond, cancel)
				}
			}))
			table, err := measure(t, ctx, c, p)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want context.Canceled", err)
			}
			if len(table.Rows) != 1 {
				t.Fatalf("there are %d rows, want one", len(table.Rows))
			}
			row := table.Rows[0]
			if got := row.Samples["availability"]; row.Key[0] != "copy" || !slices.Equal(got, []float64{100}) || row.Failed != "" {
				t.Errorf("%q has the availability %v, and failed is %q; want copy alone, measured once", row.Key, got, row.Failed)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*longrun.Config){
		"Rounds":   func(c *longrun.Config) { c.Rounds = 0 },
		"Duration": func(c *longrun.Config) { c.Duration = 0 },
		"Clients":  func(c *longrun.Config) { c.Clients = -1 },
		"Workers":  func(c *longrun.Config) { c.Workers = 0 },
		"Parses":   func(c *longrun.Config) { c.Parses = 0 },
		"Sleep":    func(c *longrun.Config) { c.Sleep = -1 },
		"task":     func(c *longrun.Config) { c.Tasks = []string{"knit"} },
		"server":   func(c *longrun.Config) { c.Servers = []string{"apache"} },
	} {
		c := longrun.Quick()
		change(&c)
		r := record.New(nil)
		if err := longrun.Run(t.Context(), c, nil, r); err == nil || len(r.Tables) != 0 {
			t.Errorf("%s: error is %v, %d tables", name, err, len(r.Tables))
		}
	}
}

func TestChildMainSaysWhatIsWrong(t *testing.T) {
	for _, args := range [][]string{nil, {"worker"}, {"cook", "{}"}, {"worker", "{"}, {"worker", "{}"}, {"site", "soon"}} {
		if err := longrun.ChildMain(args); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}
