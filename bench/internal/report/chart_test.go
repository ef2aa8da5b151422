package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// picture draws a chart and parses it.
func picture(t *testing.T, table *record.Table, c record.Chart) *node {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSVG(&b, table, c); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "NaN") && !strings.Contains(s, ">NaN") || strings.Contains(s, "Inf") {
		t.Errorf("chart %s has places that are no numbers:\n%s", c.Name, s)
	}
	n := parse(t, b.Bytes(), false)
	noLoads(t, n)
	return n.children[0]
}

// says reports whether a picture has the text, which may be wrapped.
func says(svg *node, text string) bool {
	clean := func(s string) string { return strings.Join(strings.Fields(s), "") }
	var all string
	for _, n := range svg.find("text", "") {
		all += clean(n.text)
	}
	return strings.Contains(all, clean(text))
}

func TestChartHasAxisUnitsLegendAndEachRow(t *testing.T) {
	for _, table := range sampleRun().Tables {
		for _, c := range table.Charts {
			svg := picture(t, table, c)
			if svg.attr["role"] != "img" || svg.children[0].name != "title" || svg.children[0].text != c.Title || svg.children[1].name != "desc" {
				t.Errorf("chart %s: a screen reader does not find its title", c.Name)
			}
			f, err := newFigure(table, c)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{c.Title, f.measure(), "is the median of the rounds", "from the lowest to the highest round"}
			for _, s := range f.series {
				want = append(want, s.name)
			}
			if table.Baseline != "" {
				want = append(want, "is the ratio to "+table.Baseline, "are those of "+table.Baseline+", the baseline")
			}
			if c.Lines {
				want = append(want, c.X)
			}
			for _, p := range f.points {
				value, ratio := f.label(p)
				if c.Lines && p.group != f.points[len(f.points)-1].group {
					continue // only the last figures of lines are printed
				}
				want = append(want, value, ratio, failed(p))
			}
			for _, s := range want {
				if !says(svg, s) {
					t.Errorf("chart %s does not say %q", c.Name, s)
				}
			}
		}
	}
}

// fill returns the style of an area.
func fill(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("fill:#%02X%02X%02X", r>>8, g>>8, b>>8)
}

// bars returns the lengths of the bars with that style, from top to bottom.
func bars(svg *node, style string) (lengths []float64) {
	for _, n := range svg.find("path", "") {
		if strings.Contains(n.attr["style"], style) {
			var x1, y1, x2, y2, x3, y3 float64
			fmt.Sscanf(n.attr["d"], "M%f,%fL%f,%fL%f,%f", &x1, &y1, &x2, &y2, &x3, &y3)
			lengths = append(lengths, x3-x1)
		}
	}
	return lengths
}

func TestBarsAreAsLongAsTheirFigures(t *testing.T) {
	table := &record.Table{
		Name: "t", Keys: []string{"server"}, Baseline: "a",
		Columns: []record.Column{{Name: "CPU", Format: "%.0f", Better: record.Lower}},
	}
	for _, row := range []struct {
		name string
		v    float64
	}{{"a", 100}, {"b", 50}, {"c", 25}} {
		table.Row(row.name).Add("CPU", row.v)
	}
	svg := picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "server", Series: "server"})
	a, b, c := bars(svg, "fill-opacity"), bars(svg, fill(colours[0])), bars(svg, fill(colours[1]))
	if len(a) != 1 || len(b) != 1 || len(c) != 1 || math.Abs(a[0]-2*b[0]) > 0.2 || math.Abs(b[0]-2*c[0]) > 0.2 {
		t.Errorf("bars of 100, 50 and 25 are %v, %v and %v wide", a, b, c)
	}
	if !says(svg, "0.50×") || !says(svg, "0.25×") {
		t.Error("ratios are missing")
	}
	if says(svg, "whisker") {
		t.Error("one sample has a spread")
	}
}

// hardTable returns a table with every difficult case for a chart.
func hardTable() *record.Table {
	t := &record.Table{
		Name: "hard", Title: `<script>alert("&")</script>`, Note: "a <b>note</b>", Keys: []string{"n", "route", "server"}, Baseline: "base",
		Columns: []record.Column{
			{Name: "cost & <more>", Unit: "<µs>", Format: "%.1f", Better: record.Lower},
			{Name: "never", Unit: "s", Format: "%.1f"},
		},
	}
	long := "a server whose name goes on and on, with_one_word_in_it_that_is_longer_than_any_column_could_ever_be_wide_or_so"
	servers := []string{"base", long, "<i>&amp;", "zero", "one", "none", "failed", "not numbers", "huge", "negative", "wild", "same"}
	for _, n := range []string{"0", "1", "1,000", "10000"} {
		for i, server := range servers {
			row := t.Row(n, "r", server)
			row.Samples["cost & <more>"] = [][]float64{
				{10, 11}, {5, 6, 7}, {7, 8}, {0, 0}, {3}, nil, nil, {math.NaN(), math.Inf(1)}, {1e7, 1.1e7}, {-5, -4}, {0.001, 1, 1000}, {10, 11},
			}[i]
			if server == "failed" || server == "one" && n == "1" {
				row.Failed = "3 errors: <refused>\x00"
			}
		}
	}
	chart := func(name string, c record.Chart) {
		c.Name, c.Title, c.Column, c.X, c.Series = name, "A title that is <long> & goes on, so that it does not fit into one line of a picture that is narrow", "cost & <more>", "n", "server"
		t.Charts = append(t.Charts, c)
	}
	chart("hard-bars", record.Chart{})
	chart("hard-bars-log", record.Chart{Log: true})
	chart("hard-lines", record.Chart{Lines: true})
	chart("hard-lines-log", record.Chart{Lines: true, Log: true})
	chart("hard-one", record.Chart{Lines: true, Where: map[string]string{"n": "1", "server": "one"}})
	chart("hard-nothing", record.Chart{Where: map[string]string{"server": "none"}})
	t.Charts = append(t.Charts, record.Chart{Name: "hard-never", Title: "Never measured", Column: "never", X: "server", Series: "n", Lines: false})
	return t
}

func TestHardCharts(t *testing.T) {
	table := hardTable()
	for _, c := range table.Charts {
		svg := picture(t, table, c)
		if c.Column == "never" || c.Where["server"] == "none" {
			if !says(svg, "no figures") && !says(svg, "failed") {
				t.Errorf("chart %s does not say that there are no figures", c.Name)
			}
			continue
		}
		if c.Where == nil && !says(svg, "no number") {
			t.Errorf("chart %s hides that a figure is no number", c.Name)
		}
		if c.Where == nil && (!strings.Contains(svg.all(), "3 errors: <refused>") || !says(svg, "failed")) {
			t.Errorf("chart %s does not mark what failed", c.Name)
		}
	}
}

func TestRowsDoNotHideEachOther(t *testing.T) {
	table := &record.Table{Name: "t", Keys: []string{"n", "route", "server"}, Columns: []record.Column{{Name: "CPU", Format: "%.0f"}}}
	for _, route := range []string{"light", "heavy"} {
		for _, n := range []string{"1", "2"} {
			table.Row(n, route, "a").Add("CPU", 1)
		}
	}
	svg := picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "n", Series: "server"})
	for _, group := range []string{"n 1, light", "n 2, light", "n 1, heavy", "n 2, heavy"} {
		if !says(svg, group) {
			t.Errorf("there is no group %s", group)
		}
	}
	svg = picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "n", Series: "server", Lines: true})
	for _, name := range []string{"a, light:", "a, heavy:"} {
		if !says(svg, name) {
			t.Errorf("there is no line %s", name)
		}
	}
}

func TestColoursStayThroughATable(t *testing.T) {
	table := sampleRun().Tables[0]
	colour := func(where map[string]string) color.Color {
		f, err := newFigure(table, record.Chart{Column: "p99", X: "scenario", Series: "server", Where: where})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(f.series, func(s series) bool { return s.name == "nginx" })
		return f.series[i].colour()
	}
	if a, b := colour(nil), colour(map[string]string{"server": "nginx"}); a != b {
		t.Errorf("nginx is %v with others, and %v alone", a, b)
	}
}

func TestChartThatDoesNotFitItsTable(t *testing.T) {
	table := sampleRun().Tables[0]
	for _, c := range []record.Chart{
		{Column: "no such", X: "scenario", Series: "server"},
		{Column: "p99", X: "no such", Series: "server"},
		{Column: "p99", X: "scenario", Series: ""},
		{Column: "p99", X: "scenario", Series: "server", Where: map[string]string{"no such": "x"}},
		{Column: "p99", X: "scenario", Series: "server", Lines: true}, // scenario is not a number
	} {
		var b bytes.Buffer
		if err := WriteSVG(&b, table, c); err == nil || b.Len() > 0 {
			t.Errorf("chart %+v: error %v after %d bytes", c, err, b.Len())
		}
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		values []float64
		log    bool
		lo, hi float64
		want   []string
	}{
		{[]float64{66}, false, 0, 66, []string{"0", "30", "60"}},
		{[]float64{-5, 5}, false, -5, 5, []string{"-5", "0", "5"}},
		{[]float64{0, 0}, false, 0, 1, []string{"0", "0.5", "1"}},
		{nil, false, 0, 1, []string{"0", "0.5", "1"}},
		{[]float64{3, 300}, true, 2, 300, []string{"10", "100"}},
		{[]float64{3, 30}, true, 2, 30, []string{"2", "5", "10", "20"}},
		{[]float64{0.03, 0.04}, true, 0.02, 0.04, []string{"0.02", "0.03", "0.04"}},
		{[]float64{0.14, 7}, true, 0.1, 7, []string{"0.1", "0.2", "0.5", "1", "2", "5"}},
		{[]float64{1, 1e9}, true, 0.5, 1e9, []string{"100", "100,000", "100M"}},
		{[]float64{0, 10, 100, math.Inf(1)}, true, 5, 100, []string{"5", "10", "20", "50", "100"}},
	} {
		a := newPlot().X
		show(&a, c.values, c.log)
		var got []string
		for _, tick := range a.Tick.Marker.Ticks(a.Min, a.Max) {
			if !tick.IsMinor() {
				got = append(got, tick.Label)
			}
		}
		if a.Min != c.lo || a.Max != c.hi || !slices.Equal(got, c.want) {
			t.Errorf("%v: from %v to %v, ticks %q, want %v to %v, %q", c.values, a.Min, a.Max, got, c.lo, c.hi, c.want)
		}
	}
}

// Any numbers can be drawn.
func FuzzChart(f *testing.F) {
	f.Add(1.0, 2.0, true, true)
	f.Add(-1e300, 1e300, false, true)
	f.Add(5e-324, 1e-310, true, false)
	f.Add(1e15, 1e15+1, false, false)
	f.Add(0.0, 0.0, true, true)
	f.Fuzz(func(t *testing.T, v, w float64, log, lines bool) {
		table := &record.Table{Name: "t", Keys: []string{"n", "server"}, Columns: []record.Column{{Name: "CPU", Format: "%.3g"}}}
		for i, n := range []string{"1", "2", fmt.Sprint(v)} {
			table.Row(n, "a").Samples["CPU"] = [][]float64{{v, w}, {w}, {v}}[i]
		}
		if _, ok := number(fmt.Sprint(v)); ok || !lines {
			picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "n", Series: "server", Log: log, Lines: lines})
		}
	})
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{"1": "1", "123": "123", "1234": "1,234", "-1234567.89": "-1,234,567.89", "x": "x", "": ""} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%q) is %q, want %q", in, got, want)
		}
	}
	for in, want := range map[float64]string{0: "0", 0.30000000000000004: "0.3", 20000: "20,000", 2.5e6: "2.5M", 3e9: "3G", -2e6: "-2M", 1e-7: "1e-07", 1e20: "1e+20"} {
		if got := tickText(in); got != want {
			t.Errorf("tickText(%v) is %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("word ", 30) + strings.Repeat("x", 100)
	style := sans(textSize, ink)
	lines := wrap(long, 100, style)
	for _, l := range lines {
		if style.Width(l) > 100 {
			t.Errorf("line %q is too wide", l)
		}
	}
	if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(long, " ", "") {
		t.Errorf("wrap loses text: %q", got)
	}
	if got := wrap("", 100, style); len(got) != 1 {
		t.Errorf("an empty text has %d lines", len(got))
	}
}
