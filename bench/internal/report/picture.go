package report

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

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

const margin = 14

// A block is a part of a picture, as wide as the picture without its margins.
type block struct {
	height vg.Length
	draw   func(draw.Canvas)
}

// gap is the space above and below a plot.
var gap = block{8, func(draw.Canvas) {}}

// WriteSVG draws a chart as a separate picture.
func WriteSVG(w io.Writer, t *record.Table, c record.Chart) error {
	b, err := svg(t, c, pictureWidth, true)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// svg returns a chart as SVG: alone, with its style, or as part of a page that has chartCSS.
func svg(t *record.Table, c record.Chart, width vg.Length, alone bool) ([]byte, error) {
	f, err := newFigure(t, c)
	if err != nil {
		return nil, err
	}
	inner := width - 2*margin
	measure := f.measure()
	if len(f.points) == 0 {
		measure += ": no figures"
	}
	blocks := append(lines(bold(titleSize, ink), c.Title, inner), lines(sans(textSize, muted), measure, inner)...)
	if len(f.points) > 0 {
		chart := f.bars
		if c.Lines {
			chart = f.lines
		}
		more, err := chart(inner)
		if err != nil {
			return nil, err
		}
		blocks = append(append(blocks, gap), more...)
	}
	for _, n := range f.notes(alone) {
		blocks = append(blocks, lines(sans(textSize, muted), n, inner)...)
	}
	height := vg.Length(2 * margin)
	for _, b := range blocks {
		height += b.height
	}
	canvas := vgsvg.New(width, height)
	canvas.SetColor(paper)
	canvas.Fill(vg.Rectangle{Max: vg.Point{X: width, Y: height}}.Path())
	rest := draw.Crop(draw.New(canvas), margin, -margin, margin, -margin)
	for _, b := range blocks {
		here := rest
		here.Min.Y = rest.Max.Y - b.height
		rest.Max.Y = here.Min.Y
		b.draw(here)
	}
	return finish(canvas, f, alone)
}

// finish replaces the start of what the library writes: a page embeds the picture, and a screen
// reader reads its title and description.
func finish(canvas *vgsvg.Canvas, f *figure, alone bool) ([]byte, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	_, drawn, _ := bytes.Cut(b.Bytes(), []byte("<svg"))
	_, drawn, _ = bytes.Cut(drawn, []byte(">"))
	drawn = bytes.Map(func(r rune) rune {
		if r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0xfffe || r == 0xffff {
			return utf8.RuneError // XML does not allow it
		}
		return r
	}, drawn)
	width, height := canvas.Size()
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 %.5g %.5g" width="%.5g" height="%.5g">`,
		width, height, width, height)
	fmt.Fprintf(&out, "\n<title>%s</title>\n<desc>%s</desc>\n", escape(f.chart.Title), escape(f.describe()))
	if alone {
		fmt.Fprintf(&out, "<style>\n%s</style>", chartCSS)
	}
	out.Write(drawn)
	return out.Bytes(), nil
}

// escape escapes s for text or an attribute's value, in XML and in HTML.
func escape(s string) string {
	var b bytes.Buffer
	// EscapeText replaces characters that XML does not allow. A Buffer returns no errors.
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// lines returns a block for each line of s, in as many lines as it needs.
func lines(style text.Style, s string, width vg.Length) (blocks []block) {
	for _, l := range wrap(s, width, style) {
		blocks = append(blocks, block{1.3 * style.Font.Size, func(c draw.Canvas) {
			c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, l)
		}})
	}
	return blocks
}

// drawn returns the block of a plot.
func drawn(p *plot.Plot, height vg.Length) block {
	return block{height, func(c draw.Canvas) { p.Draw(c) }}
}
