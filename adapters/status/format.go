package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how many bytes of a text that a client has chosen are shown.
const maxText = 200

// printable returns s without what could harm a terminal or mislead a reader: characters that
// cannot be printed, such as escapes and those that reverse the direction of writing, are written
// as in Go, and what is long is cut off.
func printable(s string) string {
	cut := ""
	if len(s) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) { // do not cut a character in two
			end--
		}
		s = s[:end]
		cut = "…"
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsPrint(r):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String() + cut
}

// number returns n with commas between thousands.
func number[N int | int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	digits := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// rate returns a rate, or another figure, with about three digits and without a unit.
func rate(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return number(int64(math.Round(min(f, math.MaxInt32))))
}

// units are those of durations. Each is used below limit.
var units = []struct {
	unit, limit time.Duration
	name        string
}{
	{time.Microsecond, 999_500, "µs"}, // more would be rounded to four digits
	{time.Millisecond, 999_500 * time.Microsecond, "ms"},
	{time.Second, 100 * time.Second, "s"},
	{time.Minute, 100 * time.Minute, "min"},
	{time.Hour, 48 * time.Hour, "h"},
	{24 * time.Hour, math.MaxInt64, "d"},
}

// duration returns d with about three digits and its unit, and "0" for zero.
func duration(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	i := 0
	for i < len(units)-1 && d >= units[i].limit {
		i++
	}
	return rate(float64(d)/float64(units[i].unit)) + " " + units[i].name
}

// size returns a number of bytes with its unit.
func size(n int64) string {
	f, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; f >= 999.5 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 || f >= 99.95 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// amount returns n in a unit of limit.
func amount(n int64, unit string) string {
	switch {
	case n < 0:
		return "none"
	case unit == "ns":
		return duration(time.Duration(n))
	case unit == "bytes":
		return size(n)
	}
	return number(n)
}

// LimitText, UsedText and HitsText return the fields of l for a reader.
func (l limit) LimitText() string { return amount(l.Limit, l.Unit) }

func (l limit) UsedText() string {
	if l.Used == nil {
		return "–"
	}
	return amount(*l.Used, l.Unit)
}

func (l limit) HitsText() string {
	if l.Hits == nil {
		return "–"
	}
	return number(*l.Hits)
}

// P50Text and P99Text return a dash if there are no durations.
func (q quantiles) P50Text() string { return q.text(q.P50) }
func (q quantiles) P99Text() string { return q.text(q.P99) }

func (q quantiles) text(d time.Duration) string {
	if q.Count == 0 {
		return "–"
	}
	return duration(d)
}

// Percent returns the share of l that is used, or a dash.
func (l limit) Percent() string {
	if !l.Measured() {
		return "–"
	}
	switch p := 100 * l.Share(); {
	case p == 0:
		return "0 %"
	case p < 1:
		return "< 1 %"
	default:
		return fmt.Sprintf("%.0f %%", math.Floor(p))
	}
}

// Width returns the length of a bar for l, in percent.
func (l limit) Width() string { return strconv.FormatFloat(100*l.Share(), 'f', 1, 64) }
