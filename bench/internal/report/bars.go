package report

import (
	"math"
	"slices"
	"strings"
)

// drawBars draws a bar for each point, below the name of its group. Bars lie, because names are long and many, and
// the reader's screen may be narrow.
func (k *canvas) drawBars(f *figure) {
	const thick, pad = 12.0, 6.0
	k.legend(f)
	a := newAxis(f.values(), f.chart.Log, true)

	// Names stand left of the bars, in a column as wide as they need, or else in lines.
	left := 0.0
	for _, s := range f.series {
		left = max(left, textWidth(s.name, textSize))
	}
	left = min(left, 0.36*k.width)
	x0 := margin + left + pad

	// The plot is as wide as it can be with what is written behind each bar.
	wide := k.width - margin - x0 - textWidth("0000", textSize)/2
	for _, p := range f.points {
		if end := barEnd(a, p); end > 0 {
			wide = min(wide, (k.width-margin-x0-pad-k.labelWidth(f, p))/end)
		}
	}
	wide = max(wide, 40)
	at := func(v float64) float64 { return x0 + wide*a.at(v) }

	// The grid is drawn first, when the height is known, and figures last, because nothing may cross them.
	plot, over := canvas{width: k.width, y: k.y}, canvas{}
	top := k.y
	for _, group := range f.groups() {
		if f.chart.X != f.chart.Series {
			name := group
			if _, ok := number(strings.SplitN(group, ", ", 2)[0]); ok {
				name = f.chart.X + " " + group
			}
			plot.y += 6
			plot.lines(margin, k.width-2*margin, textSize*bold, line, "group", name)
		}
		var base []float64 // x and y where the baseline's bar ends
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

// bar draws a bar as long as the median of its rounds.
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

// label writes the figure of a point, its ratio to the baseline, and whether it failed.
func (k *canvas) label(f *figure, p point, x, y float64) {
	value, ratio := f.label(p)
	k.put(`<text class="value" x="%.1f" y="%.1f">%s<tspan class="ratio">%s</tspan><tspan class="failed">%s</tspan></text>`,
		x, y+textSize*0.36, escape(value), space(ratio), space(failed(p)))
}

// barEnd returns the place on the axis, from 0 to 1, behind which nothing of the bar is drawn.
func barEnd(a axis, p point) float64 {
	end := a.at(a.zero())
	for _, v := range p.values {
		if a.shown(v) {
			end = max(end, a.at(v))
		}
	}
	return end
}

// labelWidth returns how wide what is written behind a bar is.
func (k *canvas) labelWidth(f *figure, p point) float64 {
	value, ratio := f.label(p)
	return textWidth(value+space(ratio)+space(failed(p)), textSize)
}

// failed returns the word that marks a point which went wrong.
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

// spread reports whether there are values that differ.
func spread(values []float64) bool {
	return len(values) > 1 && slices.Min(values) < slices.Max(values)
}
