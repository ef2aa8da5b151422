package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A spot is a point with a position between two axes.
type spot struct {
	point
	x, y float64
}

// drawLines draws a line for each series, over a numeric axis. At the right it writes each line's
// last figure.
func (k *canvas) drawLines(f *figure) error {
	const gap = 15.0 // between the labels at the right
	var xs []float64
	for _, g := range f.groups() {
		v, ok := number(g)
		if !ok {
			return fmt.Errorf("chart %s: %s %q is no number, which lines need", f.chart.Name, f.chart.X, g)
		}
		xs = append(xs, v)
	}
	slices.Sort(xs)
	ax, ay := newAxis(xs, f.chart.Log, false), newAxis(f.values(), f.chart.Log, true)
	if f.chart.Log && ax.shown(xs[0]) && len(xs) > 1 {
		ax.lo = xs[0] // no bar needs a length here
	}

	k.legend(f)
	k.axisName(f.measure())
	k.y += line / 2
	height := max(0.42*k.width, gap*float64(len(f.series)+1))
	top, bottom := k.y, k.y+height
	ticks := ay.ticks(int(height / 36))
	names, labels := 0.0, 0.0
	for _, v := range ticks {
		names = max(names, textWidth(tickText(v), textSize))
	}
	for _, p := range f.points {
		labels = max(labels, k.labelWidth(f, p))
	}
	// Markers keep a distance from the axis, and from the labels at the right.
	axisX := margin + names + 6
	left, right := axisX+10, k.width-margin-labels-30
	atX := func(v float64) float64 { return left + (right-left)*ax.at(v) }
	atY := func(v float64) float64 { return bottom - height*ay.at(v) }

	for _, v := range ticks {
		k.straight("grid", axisX, atY(v), right+8, atY(v))
		k.text(axisX-6, atY(v), "end", "tick", tickText(v))
	}
	k.straight("axis", axisX, bottom, right+8, bottom)
	k.xTicks(xs, ax, atX, bottom)

	spots := make([][]spot, len(f.series))
	var notes []string
	for _, p := range f.points {
		x, _ := number(p.group)
		told := f.chart.X + " " + p.group + ", " + f.tell(p)
		if len(p.values) > 0 && ax.shown(x) && ay.shown(p.median) {
			spots[p.series] = append(spots[p.series], spot{p, atX(x), atY(p.median)})
			if p.row.Failed != "" {
				notes = append(notes, told)
			}
		} else {
			notes = append(notes, "Not drawn: "+told)
		}
	}
	for i, s := range spots {
		slices.SortStableFunc(s, func(a, b spot) int { return cmp.Compare(a.x, b.x) })
		k.curve(f, f.series[i], s, ay, atY)
	}
	k.endLabels(f, spots, right+16, top, bottom, gap)

	k.y = bottom + line + 6
	x := f.chart.X
	if f.chart.Log {
		x += ", logarithmic"
	}
	k.text((left+right)/2, k.y+line/2, "middle", "axis-name", x)
	k.y += line
	for _, s := range notes {
		k.lines(margin, k.width-2*margin, textSize, line, "note", s)
	}
	return nil
}

// xTicks writes as many of the measured numbers below the axis as there is room for.
func (k *canvas) xTicks(xs []float64, a axis, at func(float64) float64, y float64) {
	end := -1e9
	for _, v := range xs {
		if !a.shown(v) {
			continue
		}
		k.straight("axis", at(v), y, at(v), y+4)
		half := textWidth(tickText(v), textSize) / 2
		if at(v)-half > end {
			k.text(at(v), y+line/2+4, "middle", "tick", tickText(v))
			end = at(v) + half + 6
		}
	}
}

// curve draws a series, whose spots are sorted by their position on the axis.
func (k *canvas) curve(f *figure, s series, spots []spot, ay axis, atY func(float64) float64) {
	var path strings.Builder
	for i, p := range spots {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], p.x, p.y)
	}
	if len(spots) > 1 {
		k.put(`<path class="%s curve" d="%s"/>`, s.class(), &path)
	}
	for _, p := range spots {
		k.put(`<g class="row"><title>%s</title>`, escape(f.chart.X+" "+p.group+", "+f.tell(p.point)))
		if low, high := slices.Min(p.values), slices.Max(p.values); low < high && ay.shown(low) {
			k.whisker(p.x, atY(low), p.x, atY(high))
		}
		k.marker(s, p.x, p.y)
		k.put(`</g>`)
	}
}

// endLabels writes the last figure of each series beside its marker. It moves labels apart that
// would overlap.
func (k *canvas) endLabels(f *figure, spots [][]spot, x, top, bottom, gap float64) {
	var last []spot
	for _, s := range spots {
		if len(s) > 0 {
			last = append(last, s[len(s)-1])
		}
	}
	slices.SortStableFunc(last, func(a, b spot) int { return cmp.Compare(a.y, b.y) })
	next := top
	for i := range last {
		last[i].y = max(last[i].y, next)
		next = last[i].y + gap
	}
	limit := bottom
	for i := range slices.Backward(last) {
		last[i].y = min(last[i].y, limit)
		limit = last[i].y - gap
	}
	for _, p := range last {
		k.marker(f.series[p.series], x+4, p.y)
		k.label(f, p.point, x+14, p.y)
	}
}
