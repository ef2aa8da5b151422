package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// wrap breaks s into lines no wider than width, between words or inside a word that is wider. It
// returns at least one line.
func wrap(s string, width vg.Length, style text.Style) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" {
			if style.Width(line+" "+word) <= width {
				line += " " + word
				continue
			}
			lines = append(lines, line)
		}
		line = ""
		for _, c := range word {
			if line != "" && style.Width(line+string(c)) > width {
				lines = append(lines, line)
				line = ""
			}
			line += string(c)
		}
	}
	return append(lines, line)
}

// thousands inserts commas into the whole part of a number that fmt has printed: 12831.5 becomes
// 12,831.5.
func thousands(s string) string {
	start := strings.IndexFunc(s, unicode.IsDigit)
	if start < 0 {
		return s
	}
	end := start
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	for i := end - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// tickText formats a position on an axis.
func tickText(v float64) string {
	if v == 0 {
		return "0" // not -0
	}
	for _, big := range []struct {
		from float64
		sign string
	}{{1e9, "G"}, {1e6, "M"}} {
		if a := math.Abs(v); a >= big.from && a < 1000*big.from {
			return strconv.FormatFloat(v/big.from, 'g', 6, 64) + big.sign
		}
	}
	if a := math.Abs(v); a >= 1e6 || a < 1e-4 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	// v is a multiple of a round step, so any further digits come from binary fractions.
	s := strconv.FormatFloat(v, 'f', 6, 64)
	return thousands(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// number returns the number that a key states, if it is a number, such as 1,000.
func number(s string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	return v, err == nil && drawable(v)
}

// numbers returns the values that can be drawn.
func numbers(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !drawable(v) })
}

// drawable reports whether a picture can show v. Beyond 1e300, sums would overflow.
func drawable(v float64) bool { return !math.IsNaN(v) && math.Abs(v) <= 1e300 }
