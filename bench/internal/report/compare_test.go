package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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

// Of figures that did not change, at most as many are called changed as the level allows.
func TestSameCommitHasFewChanges(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine machine
	}{
		{"200 rows", machine{noise: tenPercent, baseline: true, scenarios: 25, servers: 9, rounds: 5}},
		{"200 rows with bursts", machine{noise: bursts, baseline: true, scenarios: 25, servers: 9, rounds: 5}},
		{"200 rows without a baseline", machine{noise: tenPercent, scenarios: 25, servers: 8, rounds: 5}},
		{"few rows", machine{noise: tenPercent, baseline: true, scenarios: 2, servers: 3, rounds: 5}},
		{"ten rounds", machine{noise: tenPercent, baseline: true, scenarios: 12, servers: 4, rounds: 10}},
		{"four rounds", machine{noise: tenPercent, baseline: true, scenarios: 12, servers: 4, rounds: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			alarms, cells := 0, 0
			for seed := range uint64(50) {
				c.machine.rnd = rand.New(rand.NewPCG(seed, 0))
				old, now := c.machine.run(), c.machine.run()
				changed, err := Compare(new(bytes.Buffer), old, now)
				if err != nil {
					t.Fatal(err)
				}
				alarms += changed
				cells += newTableChanges(old.Tables[0], now.Tables[0]).cells()
			}
			t.Logf("%d of %d figures are called changed", alarms, cells)
			if float64(alarms) > 0.01*float64(cells) {
				t.Errorf("%d of %d figures of the same commit are called changed, want at most 1 %%", alarms, cells)
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
	}{{1.5, 4, 0, "worse"}, {1.5, 5, 97, "worse: 0, server 8: CPU"}, {1 / 1.5, 5, 97, "better: 0, server 8: CPU"}} {
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
		if found < c.want || c.want == 0 && found > 0 {
			t.Errorf("%d of 100 comparisons find a factor of %.2f with %d rounds, want %d", found, c.factor, c.rounds, c.want)
		}
	}
}

// The constant enoughRounds is what benchmath needs for each of the two verdicts.
func TestEnoughRoundsIsWhatBenchmathNeeds(t *testing.T) {
	for n := 2; n < 10; n++ {
		var low, high []float64
		for i := range n {
			low, high = append(low, 1+float64(i)/100), append(high, 2+float64(i)/100)
		}
		if got := len(interval(low).Warnings) == 0; got != (n >= enoughRounds) {
			t.Errorf("%d rounds of a run: a verdict is possible: %v", n, got)
		}
		if got := uTest(low, high).P <= alpha; got != (n >= enoughRounds) {
			t.Errorf("%d rounds of two runs: a verdict is possible: %v", n, got)
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
	ten, twenty, five := []float64{10, 10.1, 10.2, 10.3, 10.4}, []float64{20, 20.2, 20.4, 20.6, 20.8}, []float64{5, 5.1, 5.2, 5.3, 5.4}
	forty, zeros, ones := slices.Repeat([]float64{40}, 5), make([]float64, 5), slices.Repeat([]float64{1}, 5)
	for _, c := range []struct {
		name     string
		baseline string
		old, new rows
		changed  int
		say      string
	}{
		{"the same", "", rows{"a": ten}, rows{"a": ten}, 0, "No change"},
		{"nothing", "", rows{}, rows{}, 0, "of 0 figures"},
		{"twice as much", "", rows{"a": ten}, rows{"a": twenty}, 1, "worse: a: CPU 10.2, now 20.4 µs (p=0.008 n=5)"},
		{"half as much", "", rows{"a": ten}, rows{"a": five}, 1, "0.51 better"},
		{"a slower machine", "base", rows{"a": ten, "base": twenty}, rows{"a": twenty, "base": forty}, 0, "1.96"},
		{"a slower machine, and a row of zeros", "base", rows{"a": ten, "z": zeros, "base": ten}, rows{"a": twenty, "z": zeros, "base": twenty}, 0, "No change: of 2"},
		{"a slower machine without a baseline", "", rows{"a": ten, "b": twenty, "c": ten}, rows{"a": twenty, "b": forty, "c": twenty}, 0, "all, taken out"},
		{"less than 10 %", "", rows{"a": slices.Repeat([]float64{100}, 5)}, rows{"a": slices.Repeat([]float64{109}, 5)}, 0, "1.09"},
		{"ranges that overlap", "", rows{"a": {1, 1, 1, 1, 5}}, rows{"a": {4, 20, 20, 20, 20}}, 0, "No change"},
		{"four rounds", "", rows{"a": ten[:4]}, rows{"a": twenty[:4]}, 0, "No verdict: 1 figures of fewer than 5 rounds"},
		{"one sample", "", rows{"a": {1}}, rows{"a": {100}}, 0, "No verdict: 1 figures"},
		{"none any more", "", rows{"a": ones, "b": ones}, rows{"a": {}, "b": ones}, 0, "Not compared: 1 figures"},
		{"errors where there were none", "", rows{"a": zeros, "b": zeros}, rows{"a": {4, 5, 4, 4, 5}, "b": zeros}, 1, "0.0 to 4.0 worse"},
		{"an error now and then", "", rows{"a": zeros, "b": {0, 0, 1, 0, 0}}, rows{"a": {0, 1, 0, 0, 0}, "b": zeros}, 0, "No change"},
		{"numbers that are none", "", rows{"a": {math.NaN(), math.Inf(1)}}, rows{"a": {1, 2}}, 0, "No change"},
		{"no baseline in one run", "base", rows{"a": ones, "base": ones}, rows{"a": ones}, 0, "Only in the old run: base"},
		{"a new row", "", rows{"a": ones}, rows{"a": ones, "b": ones}, 0, "Only in the new run: b"},
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
