package report

import (
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// row is the height of a line of a bar chart: of a bar and its name, or of the name of a group.
const row = 17

// A barPlot is a bar chart that grows downwards. The unit of its vertical axis is a row.
type barPlot struct {
	*plot.Plot
	f              *figure
	width          vg.Length // of the names
	values, ratios vg.Length // widths of the columns at the right
	axis           plot.Axis // of the figures
	y              float64   // below everything, zero or less
	names          []plot.Tick
}

// bars draws a bar for each point, below the name of its group. The bars are horizontal, because
// there are many long names, and the reader's screen may be narrow. Names are left of the bars, and
// figures are in columns right of them, where nothing crosses them.
func (f *figure) bars(width vg.Length) ([]block, error) {
	b := barPlot{Plot: newPlot(), f: f}
	style := sans(textSize, ink)
	for _, s := range f.series {
		b.width = max(b.width, style.Width(s.name))
	}
	b.width = min(b.width, 0.36*width)
	for _, p := range f.points {
		value, ratio := f.label(p)
		b.values, b.ratios = max(b.values, style.Width(value)), max(b.ratios, style.Width(ratio))
	}
	show(&b.X, f.values(), f.chart.Log)
	b.axis = b.X // plotters change the axis
	b.Add(gridLines(true, false))
	for _, group := range f.groups() {
		b.group(group, width)
	}
	b.X, b.Y.Min, b.Y.Max = b.axis, b.y, 0
	b.Y.Tick.Marker, b.Y.Tick.Length, b.Y.Tick.Label.Color = plot.ConstantTicks(b.names), 0, ink
	blocks := []block{drawn(b.Plot, row*vg.Length(-b.y)+row+4), gap}
	return append(blocks, lines(sans(textSize, muted), f.legend("A bar", "Pale bars"), width)...), nil
}

// group draws the points of a group, and a line from the baseline's bar to the others.
func (b *barPlot) group(name string, width vg.Length) {
	f := b.f
	if f.chart.X != f.chart.Series {
		style := bold(textSize, ink)
		for _, l := range wrap(f.chart.X+" "+name, 0.6*width, style) {
			b.text(b.axis.Min, b.y-0.5, 8, l, style)
			b.y--
		}
	}
	var base plotter.XYs
	for _, p := range f.points {
		if p.group != name {
			continue
		}
		names := wrap(f.series[p.series].name, b.width, sans(textSize, ink))
		y := b.y - float64(len(names))/2
		b.names = append(b.names, plot.Tick{Value: y, Label: strings.Join(names, "\n")})
		b.y -= float64(len(names))
		b.point(p, y)
		if p.baseline && p.drawn(f.chart.Log) {
			base = plotter.XYs{{X: p.median, Y: b.y}}
		}
	}
	if base != nil {
		base = append(base, plotter.XY{X: base[0].X, Y: b.y})
		b.Add(&plotter.Line{XYs: base, LineStyle: draw.LineStyle{Color: muted, Width: 1, Dashes: dashed}})
	}
}

// point draws a bar as long as the median of the point's rounds, their range, and the figures.
func (b *barPlot) point(p point, y float64) {
	f := b.f
	if p.drawn(f.chart.Log) {
		colour := f.series[p.series].colour()
		bar := &plotter.BarChart{Values: plotter.Values{p.median}, Width: 11, Horizontal: true, XMin: y, Color: colour}
		bar.LineStyle = draw.LineStyle{Color: colour, Width: 1}
		if p.baseline || p.row.Failed != "" {
			bar.Color = pale(colour)
		}
		if p.row.Failed != "" {
			bar.Dashes = dashed
		}
		b.Add(bar)
	}
	if p.ranged(f.chart.Log) {
		low, high := p.distances()
		b.Add(&plotter.XErrorBars{XYs: plotter.XYs{{X: p.median, Y: y}}, XErrors: plotter.XErrors{{Low: low, High: high}}, LineStyle: whisker, CapWidth: 6})
	}
	value, ratio := f.label(p)
	style := sans(textSize, ink)
	style.XAlign = text.XRight
	b.text(b.axis.Max, y, 8+b.values, value, style)
	style.Color = muted
	b.text(b.axis.Max, y, 16+b.values+b.ratios, ratio, style)
	b.text(b.axis.Max, y, 24+b.values+b.ratios, failed(p), sans(textSize, alert))
}

// text writes s right of a place.
func (b *barPlot) text(x, y float64, right vg.Length, s string, style text.Style) {
	if s == "" {
		return
	}
	style.YAlign = text.YCenter
	b.Add(&plotter.Labels{
		XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{s}, TextStyle: []text.Style{style},
		Offset: vg.Point{X: right, Y: style.FontExtents().Descent},
	})
}
