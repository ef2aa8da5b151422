package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// duelRun returns a run with server a as its subject, and with as many rounds as there are samples.
func duelRun(better record.Better, rows map[string][]float64) *record.Run {
	r := tableOf("base", rows)
	t := r.Tables[0]
	t.Title, t.Subject, t.References = "Load", "a", []string{"floor"}
	t.Columns[0].Label, t.Columns[0].Better = "CPU per request", better
	return r
}

// five returns the samples of as many rounds as a verdict takes.
func five(v float64) []float64 { return slices.Repeat([]float64{v}, enoughRounds) }

func TestJudge(t *testing.T) {
	type rows = map[string][]float64
	for _, c := range []struct {
		name   string
		better record.Better
		base   []float64
		a      []float64
		want   string
	}{
		{"half the cost", record.Lower, []float64{10, 10.1, 9.9, 10, 10}, []float64{5, 5.1, 4.9, 5, 5}, "better"},
		{"half the rate", record.Higher, []float64{10, 10.1, 9.9, 10, 10}, []float64{5, 5.1, 4.9, 5, 5}, "worse"},
		{"rounds that disagree", record.Lower, five(10), []float64{5, 5, 11, 5, 5}, ""},
		{"one round of eight that disagrees", record.Lower, slices.Repeat([]float64{10}, 8), []float64{5, 5, 11, 5, 5, 5, 5, 5}, "better"},
		{"4 % less", record.Lower, five(10), five(9.6), ""},
		{"6 % less", record.Lower, five(10), five(9.4), "better"},
		{"4 % more", record.Lower, five(10), five(10.4), ""},
		{"6 % more", record.Lower, five(10), five(10.6), "worse"},
		{"four rounds", record.Lower, five(10)[:4], five(5)[:4], ""},
		{"a machine that drifts", record.Lower, []float64{10, 100, 1000, 10, 100}, []float64{5, 50.5, 501, 5, 50}, "better"},
		{"nobody knows what is better", "", five(10), five(5), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := duels(duelRun(c.better, rows{"base": c.base, "a": c.a}).Tables[0])
			if c.better == "" {
				if len(all) != 0 {
					t.Errorf("%d comparisons, want none", len(all))
				}
				return
			}
			if len(all) != 1 || all[0].verdict != c.want {
				t.Errorf("%+v, want one that is %q", all, c.want)
			}
		})
	}
}

func TestVerdictSaysHowMuch(t *testing.T) {
	for ratio, want := range map[float64]string{
		0.5: "CPU per request 50 % lower (x).", 0.03: "CPU per request 97 % lower (x).",
		1.25: "CPU per request 25 % higher (x).", 8.9: "CPU per request 8.9 times as high (x).",
	} {
		r := duelRun(record.Lower, map[string][]float64{"base": five(10), "a": five(10 * ratio)})
		table := r.Tables[0]
		table.Keys = []string{"load", "server"}
		for _, row := range table.Rows {
			row.Key = []string{"x", row.Key[0]}
		}
		v := newVerdict(r)
		better, worse := []claim{{"Load", want}}, []claim(nil)
		if ratio > 1 {
			better, worse = worse, better
		}
		if !slices.Equal(v.Better, better) || !slices.Equal(v.Worse, worse) || v.Title != "a measured against base" {
			t.Errorf("%v: %+v, want %q", ratio, v, want)
		}
	}
	for _, c := range []struct {
		low, high float64
		want      string
	}{{0.5, 0.7, "30 to 50 % lower"}, {1.12, 1.4, "12 to 40 % higher"}, {1.5, 3, "50 to 200 % higher"}, {2, 89.4, "2.0 to 89 times as high"}} {
		if got := amount(c.low, c.high); got != c.want {
			t.Errorf("from %v to %v is %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestVerdictOfSeveralSituations(t *testing.T) {
	table := &record.Table{
		Name: "t", Title: "Load", Keys: []string{"mode", "n", "router", "server"}, Baseline: "base", Subject: "a",
		Columns: []record.Column{{Name: "CPU", Format: "%.0f", Better: record.Lower}, {Name: "rate", Format: "%.0f", Better: record.Higher}},
	}
	for i, n := range []string{"1", "2", "3"} {
		for range enoughRounds {
			table.Row("keep", n, "mux", "base").Add("CPU", 100)
			table.Row("keep", n, "mux", "a").Add("CPU", []float64{40, 50, 60}[i])
			table.Row("keep", n, "mux", "base").Add("rate", 100)
			table.Row("keep", n, "mux", "a").Add("rate", []float64{50, 100, 150}[i])
		}
	}
	v := newVerdict(&record.Run{Tables: []*record.Table{table}})
	if want := []claim{{"Load", "CPU 40 to 60 % lower in every situation; rate 50 % higher (3 n)."}}; !slices.Equal(v.Better, want) {
		t.Errorf("better is %q, want %q", v.Better, want)
	}
	if want := []claim{{"Load", "rate 50 % lower (1 n)."}}; !slices.Equal(v.Worse, want) {
		t.Errorf("worse is %q, want %q", v.Worse, want)
	}
	if want := "Better in 4 of 6 figures, worse in 1. The other 1 "; !strings.HasPrefix(v.Even, want) {
		t.Errorf("the rest is %q, want %q", v.Even, want)
	}
}

func TestCostsAreLossesOnly(t *testing.T) {
	r := duelRun(record.Lower, map[string][]float64{"base": five(10), "a": five(8), "fast": {5, 4, 7, 5, 5}, "near": {8, 4, 9, 4, 4}, "slow": five(9), "floor": five(1), "even": five(7.9)})
	c := newCosts(r)
	if c.Subject != "a" || !slices.Equal(c.Rivals, []string{"fast"}) || len(c.Groups) != 1 || len(c.Groups[0].Lines) != 1 {
		t.Fatalf("the costs are %+v, want one line, against fast", c)
	}
	if got := c.Groups[0].Lines[0].Cells[0]; got != (ratioCell{"1.60", "1.14–2.00", "worse"}) {
		t.Errorf("the cell is %+v", got)
	}
}

func TestCostsOfFewRoundsAreNotTold(t *testing.T) {
	few := newCosts(duelRun(record.Lower, map[string][]float64{"base": {10, 10}, "a": {20, 20}}))
	if len(few.Groups) != 0 || !strings.Contains(few.Intro(), "cannot tell") {
		t.Errorf("of two rounds: %+v, %q", few, few.Intro())
	}
	none := newCosts(duelRun(record.Lower, map[string][]float64{"base": five(10), "a": five(5)}))
	if len(none.Groups) != 0 || !strings.Contains(none.Intro(), "nowhere worse") {
		t.Errorf("of nothing lost: %+v, %q", none, none.Intro())
	}
	if v := newVerdict(duelRun(record.Lower, map[string][]float64{"base": {10, 10}, "a": {20, 20}})); !strings.Contains(v.Even, "too few rounds for a verdict, which takes 5: 1.") || v.Worse != nil {
		t.Errorf("the verdict of two rounds is %+v", v)
	}
}

func TestRunWithoutSubjectHasNoVerdict(t *testing.T) {
	r := tableOf("base", map[string][]float64{"base": five(1), "a": five(2)})
	r.Tables[0].Title = "Pools"
	if v := newVerdict(r); v.Title != "Pools" || v.Subject != "" || v.Worse != nil {
		t.Errorf("the verdict is %+v", v)
	}
	page := html(t, r)
	if len(page.find("div", "verdict")) != 0 || len(page.find("table", "costs")) != 0 || len(page.find("table", "ratios")) != 1 {
		t.Error("the page has a verdict, or no ratios")
	}
}

func TestPageSaysVerdictCostsAndTerms(t *testing.T) {
	r := sampleRun()
	page := html(t, r)
	if got := texts(page.find("h1", "")); !slices.Equal(got, []string{"recycling measured against net/http, fasthttp, hertz and nginx"}) {
		t.Errorf("the title is %q", got)
	}
	lines := strings.Join(texts(page.find("div", "verdict")), " ")
	for _, want := range []string{"Better than net/http", "CPU per request 5", "% lower", "Against nginx: better in"} {
		if !strings.Contains(lines, want) {
			t.Errorf("there is no %q in %q", want, lines)
		}
	}
	if n := len(page.find("table", "costs")); n != 1 {
		t.Errorf("%d tables of costs", n)
	}
	if got := texts(page.find("dt", "")); !slices.Equal(got, []string{"fasthttp", "the floor"}) {
		t.Errorf("explained is %q", got)
	}
}

// A separate picture explains the names in it, and no other names.
func TestPictureExplainsItsNames(t *testing.T) {
	table := sampleRun().Tables[0]
	for _, c := range []struct {
		where map[string]string
		want  int
	}{{nil, 2}, {map[string]string{"server": "the floor"}, 1}, {map[string]string{"server": "nginx"}, 0}} {
		svg := picture(t, table, record.Chart{Name: "c", Title: "CPU", Column: "CPU per request", X: "scenario", Series: "server", Where: c.where})
		n := 0
		for _, term := range table.Terms {
			if says(svg, term.Name+": "+term.Meaning) {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%v: %d names are explained, want %d", c.where, n, c.want)
		}
	}
}
