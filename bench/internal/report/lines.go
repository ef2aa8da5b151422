package report

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// lines draws a line for each series, over a numeric axis. Below is a legend with each line's last
// figure.
func (f *figure) lines(width vg.Length) ([]block, error) {
	var xs []float64
	for _, g := range f.groups() {
		v, ok := number(g)
		if !ok {
			return nil, fmt.Errorf("chart %s: %s %q is no number, which lines need", f.chart.Name, f.chart.X, g)
		}
		if shown(v, f.chart.Log) {
			xs = append(xs, v)
		}
	}
	p := newPlot()
	p.Add(gridLines(false, true))
	p.X.Padding, p.Y.Padding = 6, 6
	series := make([][]point, len(f.series))
	var missing []string
	for _, q := range f.points {
		x, _ := number(q.group)
		told := f.chart.X + " " + q.group + ", " + f.tell(q)
		switch {
		case !q.drawn(f.chart.Log) || !shown(x, f.chart.Log):
			missing = append(missing, "Not drawn: "+told)
			continue
		case q.row.Failed != "":
			missing = append(missing, told)
		}
		q.x = x
		series[q.series] = append(series[q.series], q)
	}
	var blocks []block
	for i, points := range series {
		if len(points) == 0 {
			continue
		}
		slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
		thumbs := f.line(p, f.series[i], points)
		blocks = append(blocks, f.entry(points[len(points)-1], width, thumbs))
	}
	f.axes(p, xs)
	blocks = append([]block{drawn(p, 0.42*width+2*textSize), gap}, blocks...)
	for _, s := range append([]string{f.legend("A point", "Grey dashed lines")}, missing...) {
		blocks = append(blocks, lines(sans(textSize, muted), s, width)...)
	}
	return blocks, nil
}

// axes names the horizontal axis, where the measured numbers stand, and makes both axes as long as
// they need to be.
func (f *figure) axes(p *plot.Plot, xs []float64) {
	show(&p.Y, f.values(), f.chart.Log)
	p.X.Label.Text = f.chart.X
	if f.chart.Log {
		p.X.Label.Text += ", logarithmic"
		p.X.Scale = plot.LogScale{}
	}
	if len(xs) == 0 {
		xs = []float64{1}
	}
	slices.Sort(xs)
	p.X.Min, p.X.Max = xs[0], xs[len(xs)-1]
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = xs[0]/2, 2*xs[0]
	}
	if p.X.Min == p.X.Max { // zero
		p.X.Max = 1
	}
	var ticks plot.ConstantTicks
	last := -1.0
	for _, x := range xs {
		t := plot.Tick{Value: x}
		if at := p.X.Norm(x); at-last > 0.1 { // otherwise its number would touch the last one
			t.Label, last = tickText(x), at
		}
		ticks = append(ticks, t)
	}
	p.X.Tick.Marker = ticks
}

// line draws a series, and returns what its entry in the legend shows.
func (f *figure) line(p *plot.Plot, s series, points []point) []plot.Thumbnailer {
	line, marks, ranges := &plotter.Line{}, &plotter.Scatter{}, &plotter.YErrorBars{LineStyle: whisker, CapWidth: 6}
	for _, q := range points {
		at := plotter.XY{X: q.x, Y: q.median}
		line.XYs, marks.XYs = append(line.XYs, at), append(marks.XYs, at)
		if q.ranged(f.chart.Log) {
			low, high := q.distances()
			ranges.XYs = append(ranges.XYs, at)
			ranges.YErrors = append(ranges.YErrors, struct{ Low, High float64 }{low, high})
		}
	}
	look := max(s.style, 0)
	line.LineStyle = draw.LineStyle{Color: s.colour(), Width: 2, Dashes: plotutil.Dashes(look / len(colours))}
	if s.style < 0 {
		line.Dashes = dashed
	}
	// The filled shapes first.
	marks.GlyphStyle = draw.GlyphStyle{Color: s.colour(), Radius: 4, Shape: plotutil.Shape(look + 5)}
	p.Add(line, ranges, marks)
	return []plot.Thumbnailer{line, marks}
}

// entry returns the entry of a series in the legend. last is the last point of the line.
func (f *figure) entry(last point, width vg.Length, thumbs []plot.Thumbnailer) block {
	l := plot.NewLegend()
	l.TextStyle, l.Left, l.Top, l.ThumbnailWidth = sans(textSize, ink), true, true, 28
	l.TextStyle.YAlign, l.Padding = draw.YBottom, 4
	value, ratio := f.label(last)
	text := f.series[last.series].name + ": " + value + space(f.column.Unit) + " at " + last.group
	if ratio != "" {
		text += ", " + ratio + " " + f.table.Baseline
	}
	lines := wrap(text, width-40, l.TextStyle)
	for i, s := range lines {
		if i > 0 {
			thumbs = nil
		}
		l.Add(s, thumbs...)
	}
	return block{l.Rectangle(draw.Canvas{}).Size().Y + 4, l.Draw}
}
