package report

import (
	"math"
	"slices"
)

// drawBars draws a bar for each point, below the name of its group. The bars are horizontal,
// because there are many long names, and the reader's screen may be narrow.
func (k *canvas) drawBars(f *figure) {
	const thick, pad = 12.0, 6.0
	k.legend(f)
	a := newAxis(f.values(), f.chart.Log, true)

	// Names are left of the bars, in a column that is as wide as they need. If they are too long,
	// they are wrapped.
	left := 0.0
	for _, s := range f.series {
		left = max(left, textWidth(s.name, textSize))
	}
	left = min(left, 0.36*k.width)
	x0 := margin + left + pad

	// The plot is as wide as possible with the labels behind the bars.
	wide := k.width - margin - x0 - textWidth("0000", textSize)/2
	for _, p := range f.points {
		if end := barEnd(a, p); end > 0 {
			wide = min(wide, (k.width-margin-x0-pad-k.labelWidth(f, p))/end)
		}
	}
	wide = max(wide, 40)
	at := func(v float64) float64 { return x0 + wide*a.at(v) }

	// Draw the grid first, when the height is known, and the figures last, because nothing may
	// cross them.
	plot, over := canvas{width: k.width, y: k.y}, canvas{}
	top := k.y
	for _, group := range f.groups() {
		if f.chart.X != f.chart.Series {
			plot.y += 6
			plot.lines(margin, k.width-2*margin, textSize*bold, line, "group", f.chart.X+" "+group)
		}
		var base []float64 // x and y of the end of the baseline's bar
		for _, p := range f.points {
			if p.group != group {
				continue
			}
			lines := wrap(f.series[p.series].name, left, textSize)
			height := max(line*float64(len(lines)), thick+6)
			y := plot.y + height/2
			plot.put(`<g class="row"><title>%s</title>`, escape(f.tell(p)))
			for i, l := range lines {
				plot.text(x0-pad, y+line*(float64(i)-float64(len(lines)-1)/2), "end", "name", l)
			}
			plot.bar(f, p, a, at, y, thick)
			plot.put(`</g>`)
			if spread(p.values) && a.shown(slices.Min(p.values)) {
				over.whisker(at(slices.Min(p.values)), y, at(slices.Max(p.values)), y)
			}
			over.label(f, p, x0+wide*barEnd(a, p)+pad, y)
			if p.baseline && len(p.values) > 0 && a.shown(p.median) {
				base = []float64{at(p.median), y + thick/2}
			}
			plot.y += height
		}
		if base != nil && plot.y-base[1] > thick {
			plot.straight("reference", base[0], base[1], base[0], plot.y-2)
		}
	}
	bottom := plot.y + 4
	for _, v := range a.ticks(int(wide / 56)) {
		k.straight("grid", at(v), top, at(v), bottom)
		k.text(at(v), bottom+line/2+2, "middle", "tick", tickText(v))
	}
	k.straight("axis", at(a.zero()), top, at(a.zero()), bottom)
	plot.WriteTo(k)
	over.WriteTo(k)
	k.y = bottom + line + 6
	k.axisName(f.measure())
}

// bar draws a bar as long as the median of the point's rounds.
func (k *canvas) bar(f *figure, p point, a axis, at func(float64) float64, y, thick float64) {
	if len(p.values) == 0 || !a.shown(p.median) {
		return
	}
	class := f.series[p.series].class() + " bar"
	if p.baseline {
		class += " hollow"
	}
	if p.row.Failed != "" {
		class += " doubtful"
	}
	x, from := at(p.median), at(a.zero())
	k.put(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, class, min(x, from), y-thick/2, math.Abs(x-from), thick)
}

// label writes the value of a point, its ratio to the baseline, and whether it failed.
func (k *canvas) label(f *figure, p point, x, y float64) {
	value, ratio := f.label(p)
	k.put(`<text class="value" x="%.1f" y="%.1f">%s<tspan class="ratio">%s</tspan><tspan class="failed">%s</tspan></text>`,
		x, y+textSize*0.36, escape(value), space(ratio), space(failed(p)))
}

// barEnd returns the position on the axis, from 0 to 1, where the bar and its whisker end.
func barEnd(a axis, p point) float64 {
	end := a.at(a.zero())
	for _, v := range p.values {
		if a.shown(v) {
			end = max(end, a.at(v))
		}
	}
	return end
}

// labelWidth returns the width of the label behind a bar.
func (k *canvas) labelWidth(f *figure, p point) float64 {
	value, ratio := f.label(p)
	return textWidth(value+space(ratio)+space(failed(p)), textSize)
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

// spread reports whether any values differ.
func spread(values []float64) bool {
	return len(values) > 1 && slices.Min(values) < slices.Max(values)
}
