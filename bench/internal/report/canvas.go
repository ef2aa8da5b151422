package report

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"math"

	"github.com/recycling-go/recycling/bench/internal/record"
)

//go:embed chart.css
var chartCSS string

// Widths of charts, in pixels: a page has two charts side by side, or one on a phone, where it is
// scaled down a little.
const (
	pageWidth    = 520
	pictureWidth = 760
)

// Sizes of the elements of a chart.
const (
	margin    = 14.0
	textSize  = 12.0
	titleSize = 15.0
	line      = 16.0 // distance between lines of text
	titleLine = 20.0
	bold      = 1.1 // how much wider bold letters are
)

// WriteSVG draws a chart as a separate picture.
func WriteSVG(w io.Writer, t *record.Table, c record.Chart) error {
	b, err := draw(t, c, pictureWidth, true)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// draw returns a chart as SVG: alone, with its style, or as part of a page that has chartCSS.
func draw(t *record.Table, c record.Chart, width float64, alone bool) ([]byte, error) {
	f, err := newFigure(t, c)
	if err != nil {
		return nil, err
	}
	k := &canvas{width: width, y: margin}
	k.lines(margin, width-2*margin, titleSize*bold, titleLine, "title", c.Title)
	switch {
	case len(f.points) == 0:
		k.axisName(f.measure() + ": no figures")
	case c.Lines:
		if err := k.drawLines(f); err != nil {
			return nil, err
		}
	default:
		k.drawBars(f)
	}
	if notes := f.notes(alone); len(notes) > 0 {
		k.y += 6
		for _, n := range notes {
			k.lines(margin, k.width-2*margin, textSize, line, "note", n)
		}
	}
	height := k.y + margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<title>%s</title>\n<desc>%s</desc>\n", escape(c.Title), escape(f.describe()))
	if alone {
		fmt.Fprintf(&b, "<style>\n%s</style>\n", chartCSS)
	}
	fmt.Fprintf(&b, `<rect class="paper" width="%.0f" height="%.0f" rx="8"/>`+"\n", width, height)
	k.WriteTo(&b)
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// escape escapes s for text or an attribute's value, in XML and in HTML.
func escape(s string) string {
	var b bytes.Buffer
	// EscapeText replaces characters that XML does not allow. A Buffer returns no errors.
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// A canvas is a picture that grows downwards.
type canvas struct {
	bytes.Buffer
	width float64
	y     float64 // everything is drawn above it
}

// put adds an element, or the start or end of one.
func (k *canvas) put(format string, args ...any) { fmt.Fprintf(k, format+"\n", args...) }

// text writes a line of text; y is its middle. anchor is start, middle or end.
func (k *canvas) text(x, y float64, anchor, class, s string) {
	k.put(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y+textSize*0.36, anchor, escape(s))
}

// lines writes s below everything that is drawn, in as many lines as it needs.
func (k *canvas) lines(x, width, size, height float64, class, s string) {
	for _, l := range wrap(s, width, size) {
		k.text(x, k.y+height/2, "start", class, l)
		k.y += height
	}
}

// axisName writes the name of an axis below everything that is drawn.
func (k *canvas) axisName(s string) {
	k.lines(margin, k.width-2*margin, textSize, line, "axis-name", s)
}

// straight draws a line.
func (k *canvas) straight(class string, x1, y1, x2, y2 float64) {
	k.put(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

// whisker draws the range of samples, from one position to another.
func (k *canvas) whisker(x1, y1, x2, y2 float64) {
	const cap = 3
	dx, dy := 0.0, float64(cap)
	if x1 == x2 {
		dx, dy = dy, dx
	}
	k.put(`<path class="whisker" d="M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f"/>`,
		x1, y1, x2, y2, x1-dx, y1-dy, x1+dx, y1+dy, x2-dx, y2-dy, x2+dx, y2+dy)
}

// marker draws the marker of a series. Series have different shapes, so that they can be
// distinguished without colours.
func (k *canvas) marker(s series, x, y float64) {
	const r = 4.5
	class := s.class() + " mark"
	corners := 0
	turn := -math.Pi / 2
	switch s.style % 5 {
	case 1:
		corners, turn = 4, math.Pi/4 // square
	case 2:
		corners = 3 // triangle
	case 3:
		corners = 4 // diamond
	case 4:
		corners, turn = 3, math.Pi/2 // triangle that points down
	default: // the first series, and the baseline
		k.put(`<circle class="%s" cx="%.1f" cy="%.1f" r="%.1f"/>`, class, x, y, r-0.5)
		return
	}
	d := ""
	for i := range corners {
		a := turn + 2*math.Pi*float64(i)/float64(corners)
		d += fmt.Sprintf("%c%.1f %.1f", "ML"[min(i, 1)], x+1.15*r*math.Cos(a), y+1.15*r*math.Sin(a))
	}
	k.put(`<path class="%s" d="%sZ"/>`, class, d)
}

// colours is the number of colours in chart.css.
const colours = 7

// class returns the CSS classes of a series. When all colours are used, they are used again, paler.
func (s series) class() string {
	switch {
	case s.style < 0:
		return "base"
	case s.style/colours%2 == 1:
		return fmt.Sprintf("s%d again", s.style%colours)
	}
	return fmt.Sprintf("s%d", s.style%colours)
}

// legend writes an entry for each series, and for each symbol that the chart uses.
func (k *canvas) legend(f *figure) {
	const swatch, gap = 26.0, 16.0
	k.y += 4
	k.put(`<g class="legend">`)
	x := margin
	entry := func(class, text string, sign func(x, y float64)) {
		lines := wrap(text, k.width-2*margin-swatch, textSize)
		w := 0.0
		for _, l := range lines {
			w = max(w, textWidth(l, textSize))
		}
		if x > margin && x+swatch+w > k.width-margin {
			x = margin
			k.y += line + 2
		}
		k.put(`<g class="%s">`, class)
		sign(x, k.y+line/2)
		for i, l := range lines {
			if i > 0 {
				k.y += line
			}
			k.text(x+swatch, k.y+line/2, "start", "name", l)
		}
		k.put(`</g>`)
		x += swatch + w + gap
	}
	for _, s := range f.series {
		name := s.name
		if s.baseline {
			name += " (baseline)"
		}
		entry("entry", name, func(x, y float64) {
			if f.chart.Lines {
				k.straight(s.class()+" curve", x, y, x+20, y)
				k.marker(s, x+10, y)
				return
			}
			k.put(`<rect class="%s bar" x="%.1f" y="%.1f" width="18" height="10"/>`, s.class(), x+1, y-5)
		})
	}
	if f.any(func(p point) bool { return spread(p.values) }) {
		entry("key", "lowest to highest round", func(x, y float64) {
			if f.chart.Lines {
				k.whisker(x+10, y-6, x+10, y+6)
			} else {
				k.whisker(x+2, y, x+18, y)
			}
		})
	}
	if f.any(func(p point) bool { return p.ratio != 0 }) {
		entry("key", "ratio to "+f.table.Baseline, func(x, y float64) { k.text(x+20, y, "end", "ratio", "×") })
	}
	k.put(`</g>`)
	k.y += line + 8
}

// any reports whether such returns true for any point.
func (f *figure) any(such func(point) bool) bool {
	for _, p := range f.points {
		if such(p) {
			return true
		}
	}
	return false
}
