package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A machine generates runs: samples scatter, and the machine drifts from run to run, from round to
// round, and from one situation to the next.
type machine struct {
	rnd       *rand.Rand
	noise     func(*rand.Rand) float64 // a factor for each sample
	baseline  bool                     // server 0 is the baseline
	scenarios int
	servers   int
	rounds    int
	changed   float64 // cost factor of the last server in scenario 0; zero means no change
}

// drift returns a random factor.
func (m machine) drift() float64 { return math.Exp(0.2 * (2*m.rnd.Float64() - 1)) }

func (m machine) run() *record.Run {
	t := &record.Table{
		Name: "t", Title: "A table", Keys: []string{"scenario", "server"},
		Columns: []record.Column{{Name: "CPU", Unit: "µs", Format: "%.1f", Better: record.Lower}},
	}
	if m.baseline {
		t.Baseline = "server 0"
	}
	for scenario := range m.scenarios {
		for server := range m.servers {
			key := []string{fmt.Sprint(scenario), fmt.Sprint("server ", server)}
			t.Rows = append(t.Rows, &record.Row{Key: key, Samples: map[string][]float64{}})
		}
	}
	today := m.drift()
	for range m.rounds {
		for scenario := range m.scenarios {
			now := today
			if m.baseline {
				now *= m.drift() // without a baseline, nothing can tell
			}
			for server := range m.servers {
				v := float64(10+scenario) * float64(1+server) * now * m.noise(m.rnd)
				if scenario == 0 && server == m.servers-1 && m.changed != 0 {
					v *= m.changed
				}
				t.Rows[scenario*m.servers+server].Add("CPU", v)
			}
		}
	}
	return &record.Run{Tables: []*record.Table{t}}
}

func tenPercent(r *rand.Rand) float64 { return 0.9 + 0.2*r.Float64() }

// bursts returns the noise of a machine on which other work runs from time to time.
func bursts(r *rand.Rand) float64 {
	v := math.Exp(0.05 * r.NormFloat64())
	if r.Float64() < 0.05 {
		v *= 1 + r.Float64()
	}
	return v
}

func TestSameCommitHasNoChange(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine machine
	}{
		{"200 rows", machine{noise: tenPercent, baseline: true, scenarios: 25, servers: 9, rounds: 3}},
		{"200 rows with bursts", machine{noise: bursts, baseline: true, scenarios: 25, servers: 9, rounds: 3}},
		{"200 rows without a baseline", machine{noise: tenPercent, scenarios: 25, servers: 8, rounds: 3}},
		{"few rows", machine{noise: tenPercent, baseline: true, scenarios: 2, servers: 3, rounds: 3}},
		{"two rounds", machine{noise: tenPercent, baseline: true, scenarios: 12, servers: 4, rounds: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			alarms := 0
			for seed := range uint64(100) {
				c.machine.rnd = rand.New(rand.NewPCG(seed, 0))
				changed, err := Compare(new(bytes.Buffer), c.machine.run(), c.machine.run())
				if err != nil {
					t.Fatal(err)
				}
				if changed > 0 {
					alarms++
				}
			}
			t.Logf("%d of 100 comparisons report a change", alarms)
			if alarms > 3 {
				t.Errorf("%d of 100 comparisons of the same commit report a change, want at most 3", alarms)
			}
		})
	}
}

func TestTrueChangeIsFound(t *testing.T) {
	for _, c := range []struct {
		factor float64
		rounds int
		want   int
		word   string
	}{{1.5, 3, 85, "worse: 0, server 8: CPU"}, {1 / 1.5, 5, 97, "better: 0, server 8: CPU"}} {
		m := machine{noise: tenPercent, baseline: true, scenarios: 25, servers: 9, rounds: c.rounds}
		found := 0
		for seed := range uint64(100) {
			m.rnd = rand.New(rand.NewPCG(seed, 1))
			m.changed = 0
			old := m.run()
			m.changed = c.factor
			var b bytes.Buffer
			if _, err := Compare(&b, old, m.run()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), c.word) {
				found++
			}
		}
		t.Logf("%d of 100 comparisons find a factor of %.2f with %d rounds", found, c.factor, c.rounds)
		if found < c.want {
			t.Errorf("%d of 100 comparisons find a factor of %.2f with %d rounds, want %d", found, c.factor, c.rounds, c.want)
		}
	}
}

// tableOf returns a run of one table with one column, and a row for each name.
func tableOf(baseline string, rows map[string][]float64) *record.Run {
	t := &record.Table{
		Name: "t", Title: "A table", Keys: []string{"server"}, Baseline: baseline,
		Columns: []record.Column{{Name: "CPU", Unit: "µs", Format: "%.1f", Better: record.Lower}},
	}
	for name, v := range rows {
		t.Row(name).Samples["CPU"] = v
	}
	return &record.Run{Tables: []*record.Table{t}}
}

func TestCompare(t *testing.T) {
	type rows = map[string][]float64
	for _, c := range []struct {
		name     string
		baseline string
		old, new rows
		changed  int
		say      string
	}{
		{"the same", "", rows{"a": {1, 2, 3}}, rows{"a": {1, 2, 3}}, 0, "No change"},
		{"nothing", "", rows{}, rows{}, 0, "of 0 figures"},
		{"twice as much", "", rows{"a": {10, 10.1, 10.2}}, rows{"a": {20, 20.1, 20.2}}, 1, "worse: a: CPU 10.1, now 20.1 µs"},
		{"half as much", "", rows{"a": {10, 10.1, 10.2}}, rows{"a": {5, 5.1, 5.2}}, 1, "0.50 better"},
		{"a slower machine", "base", rows{"a": {10, 10.1}, "base": {20, 20.2}}, rows{"a": {20, 20.2}, "base": {40, 40.4}}, 0, "2.00"},
		{"a slower machine, and a row of zeros", "base", rows{"a": {10, 10.1}, "z": {0, 0}, "base": {20, 20.2}}, rows{"a": {20, 20.2}, "z": {0, 0}, "base": {40, 40.4}}, 0, "No change: of 2"},
		{"a slower machine without a baseline", "", rows{"a": {10, 10}, "b": {20, 20}, "c": {1, 1}}, rows{"a": {20, 20}, "b": {40, 40}, "c": {2, 2}}, 0, "all, taken out"},
		{"less than 10 %", "", rows{"a": {100, 100, 100}}, rows{"a": {109, 109, 109}}, 0, "1.09"},
		{"ranges that overlap", "", rows{"a": {1, 1, 5}}, rows{"a": {4, 20, 20}}, 0, "No change"},
		{"one sample", "", rows{"a": {1}}, rows{"a": {100}}, 0, "Not compared: 1 figures"},
		{"none any more", "", rows{"a": {1, 1}, "b": {1, 1}}, rows{"a": {}, "b": {1, 1}}, 0, "Not compared: 1 figures"},
		{"errors where there were none", "", rows{"a": {0, 0, 0}, "b": {0, 0, 0}}, rows{"a": {4, 5, 4}, "b": {0, 0, 0}}, 1, "0.0 to 4.0 worse"},
		{"an error now and then", "", rows{"a": {0, 0, 0}, "b": {0, 0, 1}}, rows{"a": {0, 1, 0}, "b": {0, 0, 0}}, 0, "No change"},
		{"numbers that are none", "", rows{"a": {math.NaN(), math.Inf(1)}}, rows{"a": {1, 2}}, 0, "No change"},
		{"no baseline in one run", "base", rows{"a": {1, 1}, "base": {1, 1}}, rows{"a": {1, 1}}, 0, "Only in the old run: base"},
		{"a new row", "", rows{"a": {1, 1}}, rows{"a": {1, 1}, "b": {1, 1}}, 0, "Only in the new run: b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			changed, err := Compare(&b, tableOf(c.baseline, c.old), tableOf(c.baseline, c.new))
			if changed != c.changed || err != nil {
				t.Errorf("%d changes, error %v, want %d:\n%s", changed, err, c.changed, &b)
			}
			if !strings.Contains(b.String(), c.say) || strings.Contains(b.String(), "NaN") {
				t.Errorf("want %q, and no NaN, in:\n%s", c.say, &b)
			}
		})
	}
}

func TestCompareSaysWhatDiffersFirst(t *testing.T) {
	old, now := sampleRun(), sampleRun()
	now.Machine.Go = "go9.9"
	now.Machine.Model = "Another CPU"
	now.Modules["github.com/valyala/fasthttp"] = "v9.9.9"
	delete(now.Modules, "github.com/cloudwego/hertz")
	now.Args = []string{"idle"}
	now.Tables[3].Name = "renamed"
	now.Tables[2].Columns[0].Unit = "µs"
	now.Tables[1].Baseline = "nginx"
	now.Tables[0].Row("close, 0 ms", "nginx").Failed = "1 error: refused"
	var b bytes.Buffer
	changed, err := Compare(&b, old, now)
	if changed != 1 || err != nil { // a row failed
		t.Errorf("%d changes, error %v, want 1", changed, err)
	}
	out := b.String()
	if !strings.HasPrefix(out, "Different Go versions: go1.26.8, now go9.9.\nDifferent machines: ") {
		t.Error("machines are not said first")
	}
	for _, want := range []string{
		"fasthttp: v1.70.0, now v9.9.9", "hertz: v0.10.4, now none", "arguments: all -full, now idle",
		"Only in the new run: table renamed", "Only in the old run: table tasks",
		"column time per task is in µs, was in ns", "its baseline is nginx, was net/http",
		"Failed in the new run only: close, 0 ms, nginx: 1 error: refused", "Failed in both runs: close, 1 ms, hertz",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWritersReturnTheError(t *testing.T) {
	r := sampleRun()
	_, err := Compare(brokenWriter{}, r, r)
	for name, err := range map[string]error{
		"Compare": err, "WriteHTML": WriteHTML(brokenWriter{}, r), "WriteMarkdown": WriteMarkdown(brokenWriter{}, r),
		"WriteSVG": WriteSVG(brokenWriter{}, r.Tables[0], r.Tables[0].Charts[0]),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s returns %v", name, err)
		}
	}
}
