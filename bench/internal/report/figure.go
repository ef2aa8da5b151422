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
	series []series // those with a point, in the order of the table
	points []point  // in the order of the table
}

// A series is a set of points with the same colour.
type series struct {
	name     string
	style    int // colour and marker, the same in all charts of the table; -1: baseline
	baseline bool
}

// A point is a row in a figure.
type point struct {
	row      *record.Row
	series   int       // index into figure.series
	group    string    // the position along the chart
	baseline bool      // the others are compared with it
	values   []float64 // the values that can be drawn
	median   float64   // of values; meaningless if there are none
	ratio    float64   // to the baseline; zero if there is none
	x        float64   // the number that group states; for lines only
}

// drawn reports whether an axis can show the point's median.
func (p point) drawn(log bool) bool { return len(p.values) > 0 && shown(p.median, log) }

// ranged reports whether the point's rounds differ, and an axis can show all of them.
func (p point) ranged(log bool) bool {
	return p.drawn(log) && shown(slices.Min(p.values), log) && slices.Min(p.values) < slices.Max(p.values)
}

// distances returns how far the lowest and the highest round are from the median.
func (p point) distances() (low, high float64) {
	return p.median - slices.Min(p.values), slices.Max(p.values) - p.median
}

// newFigure collects the data that c shows of t. It leaves out rows with neither a figure nor a
// failure, because they have not been measured.
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

// where returns the keys by which c selects rows.
func where(c record.Chart) (keys []string) {
	for k := range c.Where {
		keys = append(keys, k)
	}
	return keys
}

// has reports whether the chart selects row.
func (f *figure) has(row *record.Row) bool {
	for i, k := range f.table.Keys {
		if want, ok := f.chart.Where[k]; ok && row.Key[i] != want {
			return false
		}
	}
	return true
}

// otherKeys returns the indices of keys that the chart neither shows nor selects by, and that
// differ between its rows. Their values become part of names; otherwise rows would hide each other.
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

// groups returns the names of the groups, in the order of the table.
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

// measure returns the name of the axis of figures.
func (f *figure) measure() string {
	s := f.column.Words()
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

// print formats a figure of the column.
func (f *figure) print(v float64) string { return thousands(fmt.Sprintf(f.column.Format, v)) }

// notes returns explanations of the names in the chart: of series, and if the chart stands alone,
// also of groups, which a page explains once for all charts of a table.
func (f *figure) notes(alone bool) (lines []string) {
	for _, term := range f.table.Terms {
		if f.any(func(p point) bool { return f.series[p.series].name == term.Name || alone && p.group == term.Name }) {
			lines = append(lines, term.Name+": "+term.Meaning+".")
		}
	}
	return lines
}

// label returns the text beside a point.
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

// failed returns the word that marks a point that failed.
func failed(p point) string {
	if p.row.Failed == "" {
		return ""
	}
	return "failed"
}

// space puts a space before s, unless s is empty.
func space(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

// legend explains the signs in a chart. sign is what shows a median, with its article.
func (f *figure) legend(sign, baselines string) string {
	s := sign + " is the median of the rounds."
	if f.any(func(p point) bool { return p.ranged(f.chart.Log) }) {
		s += " A whisker goes from the lowest to the highest round."
	}
	if f.any(func(p point) bool { return p.ratio != 0 }) {
		s += " × is the ratio to " + f.table.Baseline + "."
	}
	if f.any(func(p point) bool { return p.baseline }) {
		s += " " + baselines + " are those of " + f.table.Baseline + ", the baseline."
	}
	return s
}

// any reports whether such returns true for any point.
func (f *figure) any(such func(point) bool) bool { return slices.ContainsFunc(f.points, such) }

// tell returns everything about a point as text.
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

// describe describes the picture in words.
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
