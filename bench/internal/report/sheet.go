package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A sheet is a table as it is shown: what Table.Cells says, and how sure that is.
type sheet struct {
	Head  []heading
	Lines []sheetLine
}

type heading struct {
	Text   string
	Who    bool // the contestant
	Number bool
	Ratio  bool
}

type sheetLine struct {
	Cells    []cell
	Baseline bool
	New      bool // another situation than that of the line before
}

type cell struct {
	Text    string
	Who     bool
	Range   string // of the rounds, lowest to highest; empty if they do not differ
	Verdict string // of a ratio: better, worse, or empty if the difference is no more than noise
	Number  bool
	Failed  bool
}

// newSheet makes it.
func newSheet(t *record.Table) sheet {
	var s sheet
	lines := t.Cells()
	for i, text := range lines[0] {
		s.Head = append(s.Head, heading{Text: text, Number: i >= len(t.Keys), Who: i == len(t.Keys)-1})
	}
	for i, row := range t.Rows {
		l := sheetLine{Baseline: t.Baseline != "" && row.Key[len(row.Key)-1] == t.Baseline}
		l.New = i > 0 && !slices.Equal(row.Key[:len(row.Key)-1], t.Rows[i-1].Key[:len(row.Key)-1])
		for j, text := range lines[i+1] {
			l.Cells = append(l.Cells, cell{Text: text, Number: j >= len(t.Keys), Who: j == len(t.Keys)-1})
		}
		s.Lines = append(s.Lines, l)
	}
	at := len(t.Keys)
	for _, c := range t.Columns {
		if !measured(t, c) {
			continue // as Cells does
		}
		for i, row := range t.Rows {
			if v := row.Samples[c.Name]; len(v) > 0 {
				s.Lines[i].Cells[at].Range = between(c.Format, slices.Min(v), slices.Max(v))
			}
		}
		at++
		if t.Baseline != "" && c.Better != "" {
			s.Head[at].Text, s.Head[at].Ratio = "of "+t.Baseline, true
			s.judge(t, c, at)
			at++
		}
	}
	if at < len(s.Head) { // what failed
		s.Head[at].Number = false
		for i := range s.Lines {
			s.Lines[i].Cells[at].Number, s.Lines[i].Cells[at].Failed = false, true
		}
	}
	s.dropEmpty()
	return s
}

// dropEmpty removes columns of ratios in which there is none, such as those to no errors.
func (s *sheet) dropEmpty() {
	for at := len(s.Head) - 1; at >= 0; at-- {
		if !s.Head[at].Ratio || slices.ContainsFunc(s.Lines, func(l sheetLine) bool { return l.Cells[at].Text != "" }) {
			continue
		}
		s.Head = slices.Delete(s.Head, at, at+1)
		for i := range s.Lines {
			s.Lines[i].Cells = slices.Delete(s.Lines[i].Cells, at, at+1)
		}
	}
}

// judge adds to a column of ratios how they differ by round, and which differ by more than noise.
func (s sheet) judge(t *record.Table, c record.Column, at int) {
	logs := make([][]float64, len(t.Rows))
	var n noise
	cells := 0
	for i, row := range t.Rows {
		if base := t.Base(row); base != nil && row.Failed == "" && base.Failed == "" {
			logs[i] = logRatios(row, base, c.Name)
			n.add(logs[i])
			cells++
		}
	}
	for i, l := range logs {
		if len(l) > 1 {
			s.Lines[i].Cells[at].Range = between("%.2f", math.Exp(slices.Min(l)), math.Exp(slices.Max(l)))
			s.Lines[i].Cells[at].Verdict = verdict(l, n, cells, c.Better)
		}
	}
}

// between prints a range; nothing if its ends look the same.
func between(format string, low, high float64) string {
	l, h := fmt.Sprintf(format, low), fmt.Sprintf(format, high)
	if l == h {
		return ""
	}
	return l + "–" + h
}
