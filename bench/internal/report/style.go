package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours. In the dark, chart.css replaces these; it finds them by their numbers.
var (
	paper = rgb(0xffffff)
	ink   = rgb(0x1f2328)
	muted = rgb(0x59636e)
	grid  = rgb(0xd1d9e0)
	alert = rgb(0xb3261e)
)

// Colours of series. People with any kind of colour blindness can tell most of them apart, and all
// of them have a contrast of 3 or more to light and dark paper.
var colours = []color.Color{rgb(0x0f7bb9), rgb(0xc98500), rgb(0x009e73), rgb(0xbd6a95), rgb(0xd55e00), rgb(0x3a97cf), rgb(0x8f8600)}

func rgb(v uint32) color.Color {
	return color.NRGBA{byte(v >> 16), byte(v >> 8), byte(v), 0xff}
}

// pale returns a colour for the area of a bar whose outline has the colour c.
func pale(c color.Color) color.Color {
	n := c.(color.NRGBA)
	n.A = 0x20
	return n
}

// colour returns the colour of a series. When all colours are used, they are used again.
func (s series) colour() color.Color {
	if s.style < 0 {
		return muted
	}
	return colours[s.style%len(colours)]
}

const (
	textSize  = 12
	titleSize = 15
)

func sans(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color: c, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		YAlign: text.YTop, Handler: plot.DefaultTextHandler,
	}
}

func bold(size vg.Length, c color.Color) text.Style {
	s := sans(size, c)
	s.Font.Weight = 3 // WeightBold of golang.org/x/image/font
	return s
}

// newPlot returns a plot in the style of all charts, without the names of its axes.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding, a.Tick.Length = 0, 4
		a.Color, a.Tick.Color = muted, muted
		for _, s := range []*text.Style{&a.Label.TextStyle, &a.Tick.Label} {
			s.Font, s.Color = sans(textSize, muted).Font, muted
		}
	}
	return p
}

// gridLines returns lines across a plot: vertical, horizontal or both.
func gridLines(vertical, horizontal bool) *plotter.Grid {
	g := &plotter.Grid{}
	if vertical {
		g.Vertical = draw.LineStyle{Color: grid, Width: 1}
	}
	if horizontal {
		g.Horizontal = draw.LineStyle{Color: grid, Width: 1}
	}
	return g
}

// whisker is the style of the ranges of rounds.
var whisker = draw.LineStyle{Color: ink, Width: 1}

// dashed is the pattern of what is no figure of its own, or a doubtful one.
var dashed = []vg.Length{3, 3}

// show makes an axis show all values that it can: with log, only those above zero. A linear axis
// contains zero, so that lengths can be compared. A logarithmic axis begins at a round number below
// the lowest value.
func show(a *plot.Axis, values []float64, log bool) {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !shown(v, log) })
	if len(values) == 0 {
		values = []float64{1}
	}
	a.Min, a.Max = slices.Min(values), slices.Max(values)
	if log {
		// The lowest bar needs a length, too.
		a.Min = roundBelow(0.9 * a.Min)
		a.Max = max(a.Max, 2*a.Min)
		a.Scale, a.Tick.Marker = logScale{}, plot.TickerFunc(logTicks)
		return
	}
	a.Min, a.Max = min(a.Min, 0), max(a.Max, 0)
	if a.Max-a.Min < 1e-300 {
		a.Max = 1
	}
	a.Tick.Marker = plot.TickerFunc(linearTicks)
}

// roundBelow returns the largest of ..., 0.5, 1, 2, 5, 10, ... that is not greater than v, which is
// above zero.
func roundBelow(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{5, 2} {
		if digit*power <= v {
			return digit * power
		}
	}
	return power
}

// shown reports whether an axis can show v.
func shown(v float64, log bool) bool { return drawable(v) && (!log || v > 1e-300) }

// A logScale is plot.LogScale where bars begin at the start of the axis, because they cannot begin
// at zero.
type logScale struct{ plot.LogScale }

func (s logScale) Normalize(lo, hi, v float64) float64 {
	return s.LogScale.Normalize(lo, hi, max(v, lo))
}

// linearTicks returns the ticks of the library, with numbers that are easier to read.
func linearTicks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i, t := range ticks {
		if !t.IsMinor() {
			ticks[i].Label = tickText(t.Value)
		}
	}
	return ticks
}

// logTicks returns the ticks of the library, with numbers that are easier to read: the fewer powers
// of ten there are, the more ticks have numbers.
func logTicks(lo, hi float64) (ticks []plot.Tick) {
	first := math.Floor(math.Log10(lo) + 1e-9)
	every := math.Ceil(math.Log10(hi/lo) / 4)
	// From 0.1 or less, the library omits the lowest ticks, so let it begin earlier.
	for _, t := range (plot.LogTicks{Prec: -1}).Ticks(lo/10, hi) {
		power := math.Floor(math.Log10(t.Value) + 1e-9)
		digit := math.Round(t.Value / math.Pow(10, power))
		switch {
		case t.Value < 0.999*lo || t.Value > 1.001*hi || digit == 1 && t.IsMinor():
			continue // out of range, or the second tick at a power of ten
		case digit == 1 && math.Mod(power-first, every) == 0, hi/lo <= 5, hi/lo <= 100 && (digit == 2 || digit == 5):
			t.Label = tickText(t.Value)
		default:
			t.Label = ""
		}
		ticks = append(ticks, t)
	}
	return ticks
}
