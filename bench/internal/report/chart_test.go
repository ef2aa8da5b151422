package report

import (
	"bytes"
	"fmt"
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

func TestChartHasAxisUnitsLegendAndEachRow(t *testing.T) {
	for _, table := range sampleRun().Tables {
		for _, c := range table.Charts {
			svg := picture(t, table, c)
			if svg.attr["role"] != "img" || svg.children[0].name != "title" || svg.children[0].text != c.Title || svg.children[1].name != "desc" {
				t.Errorf("chart %s: a screen reader does not find its title", c.Name)
			}
			column, _ := table.Column(c.Column)
			names := strings.Join(texts(svg.find("text", "axis-name")), " ")
			if !strings.Contains(names, column.Name) || !strings.Contains(names, column.Unit) || c.Lines && !strings.Contains(names, c.X) {
				t.Errorf("chart %s: its axes are named %q", c.Name, names)
			}
			if n := len(svg.find("text", "tick")); n < 2 {
				t.Errorf("chart %s has %d ticks", c.Name, n)
			}
			f, err := newFigure(table, c)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, s := range f.series {
				if s.baseline {
					s.name += " (baseline)"
				}
				want = append(want, s.name)
			}
			got := texts(svg.find("g", "entry"))
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], " ", "")
			}
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], " ", "") // joins the lines of a long name
			}
			if !slices.Equal(got, want) {
				t.Errorf("chart %s: the legend has %q, want %q", c.Name, got, want)
			}
			rows := svg.find("g", "row")
			if len(rows) != len(f.points) {
				t.Errorf("chart %s has %d rows, want %d", c.Name, len(rows), len(f.points))
			}
			for i, r := range rows {
				p := f.points[i]
				if !c.Lines && len(p.values) > 0 && len(r.find("rect", "bar")) != 1 {
					t.Errorf("chart %s: row %q has no bar", c.Name, p.row.Key)
				}
			}
			for _, p := range f.points {
				if value, _ := f.label(p); !c.Lines && !slices.ContainsFunc(svg.find("text", "value"), func(n *node) bool { return n.text == value }) {
					t.Errorf("chart %s does not print %s", c.Name, value)
				}
			}
		}
	}
}

func TestBarsAreAsLongAsTheirFigures(t *testing.T) {
	table := &record.Table{
		Name: "t", Keys: []string{"server"}, Baseline: "a",
		Columns: []record.Column{{Name: "CPU", Format: "%.0f", Better: record.Lower}},
	}
	for name, v := range map[string]float64{"a": 100, "b": 50, "c": 25} {
		table.Row(name).Add("CPU", v)
	}
	svg := picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "server", Series: "server"})
	width := map[string]float64{}
	for _, r := range svg.find("g", "row") {
		var w float64
		fmt.Sscan(r.find("rect", "bar")[0].attr["width"], &w)
		width[r.find("text", "name")[0].text] = w
	}
	if math.Abs(width["a"]-2*width["b"]) > 0.2 || math.Abs(width["b"]-2*width["c"]) > 0.2 {
		t.Errorf("bars of 100, 50 and 25 are %v wide", width)
	}
	if n := len(svg.find("rect", "hollow")); n != 1 {
		t.Errorf("%d bars look like the baseline's, want 1", n)
	}
	if got := texts(svg.find("tspan", "ratio")); !slices.Contains(got, "0.50×") || !slices.Contains(got, "0.25×") {
		t.Errorf("ratios are %q", got)
	}
	if svg.find("path", "whisker") != nil {
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
		text := svg.all()
		if c.Column == "never" || c.Where["server"] == "none" {
			if !strings.Contains(text, "no figures") && !strings.Contains(text, "failed") {
				t.Errorf("chart %s does not say that there are no figures", c.Name)
			}
			continue
		}
		if c.Where == nil && !strings.Contains(text, "no number") {
			t.Errorf("chart %s hides that a figure is no number", c.Name)
		}
		if c.Where == nil && (!strings.Contains(text, "3 errors: <refused>") || len(svg.find("tspan", "failed")) == 0) {
			t.Errorf("chart %s does not mark what failed", c.Name)
		}
		for _, n := range svg.find("", "") {
			for _, k := range []string{"width", "height", "r"} {
				if strings.HasPrefix(n.attr[k], "-") {
					t.Errorf("chart %s: %s has %s=%s", c.Name, n.name, k, n.attr[k])
				}
			}
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
	if got := texts(svg.find("text", "group")); !slices.Equal(got, []string{"n 1, light", "n 2, light", "n 1, heavy", "n 2, heavy"}) {
		t.Errorf("groups are %q", got)
	}
	svg = picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "n", Series: "server", Lines: true})
	if got := texts(svg.find("g", "entry")); !slices.Equal(got, []string{"a, light", "a, heavy"}) {
		t.Errorf("lines are %q", got)
	}
}

func TestColoursStayThroughATable(t *testing.T) {
	table := sampleRun().Tables[0]
	class := func(where map[string]string) string {
		svg := picture(t, table, record.Chart{Column: "p99", X: "scenario", Series: "server", Where: where})
		for _, e := range svg.find("g", "entry") {
			if strings.TrimSpace(e.all()) == "nginx" {
				return e.find("rect", "")[0].attr["class"]
			}
		}
		return "none"
	}
	if a, b := class(nil), class(map[string]string{"server": "nginx"}); a != b || a == "none" {
		t.Errorf("nginx is %q with others, and %q alone", a, b)
	}
	seen := map[string]bool{}
	for i := range 2 * colours {
		seen[series{style: i}.class()] = true
	}
	if len(seen) != 2*colours {
		t.Errorf("%d series have %d looks", 2*colours, len(seen))
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

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		values         []float64
		log, fromZero  bool
		n              int
		want           []float64
		first, atFirst float64
	}{
		{[]float64{66}, false, true, 5, []float64{0, 20, 40, 60}, 66, 1},
		{[]float64{-5, 5}, false, true, 5, []float64{-4, -2, 0, 2, 4}, -5, 0},
		{[]float64{0, 0}, false, true, 5, []float64{0, 0.5, 1}, 0, 0},
		{nil, false, true, 3, []float64{0, 0.5, 1}, 0, 0},
		{[]float64{3, 300}, true, false, 9, []float64{2, 5, 10, 20, 50, 100, 200}, 300, 1},
		{[]float64{1, 1e9}, true, false, 4, []float64{1, 1e3, 1e6, 1e9}, 1e9, 1},
		{[]float64{0, 10, 100, math.Inf(1)}, true, false, 5, []float64{5, 10, 20, 50, 100}, 100, 1},
	} {
		a := newAxis(c.values, c.log, c.fromZero)
		got := a.ticks(c.n)
		if len(got) > c.n {
			t.Errorf("%v: %d ticks, want at most %d", c.values, len(got), c.n)
		}
		if at := a.at(c.first); math.Abs(at-c.atFirst) > 1e-9 {
			t.Errorf("%v: %v is at %v, want %v", c.values, c.first, at, c.atFirst)
		}
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }) {
			t.Errorf("%v: ticks are %v, want %v", c.values, got, c.want)
		}
	}
}

// For any numbers, an axis has ticks, and the ticks are on the axis.
func FuzzAxis(f *testing.F) {
	f.Add(1.0, 2.0, true, true)
	f.Add(-1e300, 1e300, false, true)
	f.Add(5e-324, 1e-310, true, false)
	f.Add(1e15, 1e15+1, false, false)
	f.Fuzz(func(t *testing.T, v, w float64, log, fromZero bool) {
		a := newAxis([]float64{v, w}, log, fromZero)
		ticks := a.ticks(6)
		if len(ticks) > 6 {
			t.Errorf("%v, %v: %d ticks", v, w, len(ticks))
		}
		for _, x := range append(ticks, v, w) {
			if !a.shown(x) {
				continue
			}
			if at := a.at(x); !(at > -0.01 && at < 1.01) {
				t.Errorf("%v, %v: %v is at %v", v, w, x, at)
			}
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
	lines := wrap(long, 100, 12)
	for _, l := range lines {
		if textWidth(l, 12) > 100 {
			t.Errorf("line %q is too wide", l)
		}
	}
	if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(long, " ", "") {
		t.Errorf("wrap loses text: %q", got)
	}
	if got := wrap("", 100, 12); len(got) != 1 {
		t.Errorf("an empty text has %d lines", len(got))
	}
}

func TestLabelsOfLinesThatMeetStandApart(t *testing.T) {
	table := &record.Table{Name: "t", Keys: []string{"n", "server"}, Columns: []record.Column{{Name: "CPU", Format: "%.0f"}}}
	for i := range 12 {
		table.Row("1", fmt.Sprint(i)).Add("CPU", 100)
		table.Row("2", fmt.Sprint(i)).Add("CPU", 100)
	}
	svg := picture(t, table, record.Chart{Name: "c", Column: "CPU", X: "n", Series: "server", Lines: true})
	var last float64 // starts with the name of the axis, which is above the labels
	fmt.Sscan(svg.find("text", "axis-name")[0].attr["y"], &last)
	labels := svg.find("text", "value")
	if len(labels) != 12 {
		t.Errorf("%d labels for 12 lines", len(labels))
	}
	for _, n := range labels {
		var y float64
		fmt.Sscan(n.attr["y"], &y)
		if y < last+14 {
			t.Errorf("a label at %v follows text at %v", y, last)
		}
		last = y
	}
}
