package report

import (
	"fmt"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// ratios is a table of the ratios of contestants' figures to the baseline's.
type ratios struct {
	Baseline string
	Columns  []string
	Groups   []ratioGroup // one for each situation
}

type ratioGroup struct {
	Situation string
	Lines     []ratioLine
}

type ratioLine struct {
	Who     string
	Subject bool
	Cells   []ratioCell
}

// A ratioCell has the median of the rounds, their lowest and highest, and the verdict. All are
// empty if the ratio is not known.
type ratioCell struct{ Text, Range, Verdict string }

// newRatios returns the ratios of t. There are no groups if t has no baseline, or if there is
// nothing to compare.
func newRatios(t *record.Table) ratios {
	r := ratios{Baseline: t.Baseline}
	var columns []record.Column
	for _, c := range t.Columns {
		if c.Better != "" && compared(t, c) {
			columns = append(columns, c)
			r.Columns = append(r.Columns, c.Words())
		}
	}
	for _, row := range t.Rows {
		base := t.Base(row)
		if base == nil || len(columns) == 0 {
			continue
		}
		who := row.Key[len(row.Key)-1]
		line := ratioLine{Who: who, Subject: who == t.Subject}
		for _, c := range columns {
			line.Cells = append(line.Cells, newRatioCell(newDuel(t, c, row, base)))
		}
		r.add(situation(t, row), line)
	}
	return r
}

// Width returns the number of columns, including that of the names.
func (r ratios) Width() int { return len(r.Columns) + 1 }

// compared reports whether a column has any ratio.
func compared(t *record.Table, c record.Column) bool {
	for _, row := range t.Rows {
		if base := t.Base(row); base != nil && newDuel(t, c, row, base).rounds > 0 {
			return true
		}
	}
	return false
}

func newRatioCell(d duel) ratioCell {
	if d.rounds == 0 {
		return ratioCell{}
	}
	return ratioCell{fmt.Sprintf("%.2f", d.ratio), between("%.2f", d.low, d.high), d.verdict}
}

// add adds a line to the group of a situation.
func (r *ratios) add(situation string, line ratioLine) {
	for i := range r.Groups {
		if r.Groups[i].Situation == situation {
			r.Groups[i].Lines = append(r.Groups[i].Lines, line)
			return
		}
	}
	r.Groups = append(r.Groups, ratioGroup{situation, []ratioLine{line}})
}
