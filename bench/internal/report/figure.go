package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A figure is the data of one chart.
type figure struct {
	table  *record.Table
	chart  record.Chart
	column record.Column
	series []series // of which there is a point, in the order of the table
	points []point  // in the order of the table
}

// A series is what has one colour.
type series struct {
	name     string
	style    int // which colour and marker: the same in all charts of the table; -1 is the baseline's
	baseline bool
}

// A point is a row in a figure.
type point struct {
	row      *record.Row
	series   int       // index into figure.series
	group    string    // where along the chart
	baseline bool      // it is what others are compared with
	values   []float64 // those that can be drawn
	median   float64   // of values; meaningless without
	ratio    float64   // to the baseline; zero if there is none
}

// newFigure collects what c shows of t. Rows with neither a figure nor a failure have not been measured, and are left out.
func newFigure(t *record.Table, c record.Chart) (*figure, error) {
	f := &figure{table: t, chart: c}
	var ok bool
	if f.column, ok = t.Column(c.Column); !ok {
		return nil, fmt.Errorf("chart %s: table %s has no column %q", c.Name, t.Name, c.Column)
	}
	for _, key := range append(where(c), c.X, c.Series) {
		if !slices.Contains(t.Keys, key) {
			return nil, fmt.Errorf("chart %s: table %s has no key %q", c.Name, t.Name, key)
		}
	}
	x, s, rest := slices.Index(t.Keys, c.X), slices.Index(t.Keys, c.Series), f.otherKeys()
	styles, colours := map[string]int{}, 0
	for _, row := range t.Rows {
		name, group := row.Key[s], row.Key[x]
		for _, k := range rest {
			if c.Lines {
				name += ", " + row.Key[k]
			} else {
				group += ", " + row.Key[k]
			}
		}
		baseline := t.Baseline != "" && row.Key[len(row.Key)-1] == t.Baseline
		if _, ok := styles[name]; !ok {
			styles[name] = -1
			if !baseline || s != len(t.Keys)-1 {
				styles[name] = colours
				colours++
			}
		}
		values := numbers(row.Samples[c.Column])
		if !f.has(row) || len(row.Samples[c.Column]) == 0 && row.Failed == "" {
			continue
		}
		i := slices.IndexFunc(f.series, func(s series) bool { return s.name == name })
		if i < 0 {
			i = len(f.series)
			f.series = append(f.series, series{name, styles[name], styles[name] < 0})
		}
		p := point{row: row, series: i, group: group, baseline: baseline, values: values, median: record.Median(values)}
		if f.column.Better != "" {
			p.ratio, _ = row.Ratio(t.Base(row), c.Column)
		}
		if !drawable(p.ratio) {
			p.ratio = 0
		}
		f.points = append(f.points, p)
	}
	return f, nil
}

// where returns the keys that c chooses rows by.
func where(c record.Chart) (keys []string) {
	for k := range c.Where {
		keys = append(keys, k)
	}
	return keys
}

// has reports whether row is one that the chart asks for.
func (f *figure) has(row *record.Row) bool {
	for i, k := range f.table.Keys {
		if want, ok := f.chart.Where[k]; ok && row.Key[i] != want {
			return false
		}
	}
	return true
}

// otherKeys returns the places of keys that the chart neither shows nor chooses by, and that differ between its rows.
// Their values become part of names, because otherwise rows would hide each other.
func (f *figure) otherKeys() (places []int) {
	for i, k := range f.table.Keys {
		if _, ok := f.chart.Where[k]; ok || k == f.chart.X || k == f.chart.Series {
			continue
		}
		values := map[string]bool{}
		for _, row := range f.table.Rows {
			if f.has(row) {
				values[row.Key[i]] = true
			}
		}
		if len(values) > 1 {
			places = append(places, i)
		}
	}
	return places
}

// groups returns the names along the chart, in the order of the table.
func (f *figure) groups() (names []string) {
	for _, p := range f.points {
		if !slices.Contains(names, p.group) {
			names = append(names, p.group)
		}
	}
	return names
}

// values returns all samples.
func (f *figure) values() (v []float64) {
	for _, p := range f.points {
		v = append(v, p.values...)
	}
	return v
}

// measure says what the axis of figures shows.
func (f *figure) measure() string {
	s := f.column.Name
	switch {
	case strings.HasPrefix(f.column.Unit, "/"):
		s += f.column.Unit // requests/s
	case f.column.Unit != "":
		s += ", " + f.column.Unit
	}
	if f.column.Better != "" {
		s += " (" + string(f.column.Better) + " is better)"
	}
	if f.chart.Log {
		s += ", logarithmic"
	}
	return s
}

// print prints a figure of the column.
func (f *figure) print(v float64) string { return thousands(fmt.Sprintf(f.column.Format, v)) }

// label says what stands at a point.
func (f *figure) label(p point) (value, ratio string) {
	switch {
	case len(p.values) > 0:
		value = f.print(p.median)
	case len(p.row.Samples[f.column.Name]) > 0:
		value = "no number"
	}
	if p.ratio != 0 {
		ratio = fmt.Sprintf("%.2f×", p.ratio)
	}
	return value, ratio
}

// tell says all about a point.
func (f *figure) tell(p point) string {
	s := f.series[p.series].name + ":"
	value, ratio := f.label(p)
	if value != "" {
		s += " " + value
	}
	if len(p.values) > 0 {
		s += space(f.column.Unit)
	}
	if ratio != "" {
		s += ", " + ratio + " " + f.table.Baseline
	}
	if len(p.values) > 1 {
		s += fmt.Sprintf(", %d rounds from %s to %s", len(p.values), f.print(slices.Min(p.values)), f.print(slices.Max(p.values)))
	}
	if p.row.Failed != "" {
		s += " failed: " + p.row.Failed
	}
	return s
}

// describe says in words what the picture shows.
func (f *figure) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, by %s.", f.measure(), f.chart.X)
	for _, g := range f.groups() {
		fmt.Fprintf(&b, " %s %s:", f.chart.X, g)
		for _, p := range f.points {
			if p.group == g {
				fmt.Fprintf(&b, " %s;", f.tell(p))
			}
		}
	}
	return b.String()
}
