package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A sheet has the figures of a table as they are shown: medians and ranges of the rounds.
type sheet struct {
	Head  []heading
	Lines []sheetLine
}

type heading struct {
	Text   string
	Who    bool // the column of the contestants
	Number bool
}

type sheetLine struct {
	Cells    []cell
	Baseline bool
	New      bool // a different situation than the line before
}

type cell struct {
	Text   string
	Who    bool
	Range  string // of the rounds, lowest to highest; empty if they do not differ
	Number bool
	Failed bool
}

// newSheet returns the sheet of t, without columns that have no figures.
func newSheet(t *record.Table) sheet {
	var s sheet
	last := len(t.Keys) - 1
	for i, key := range t.Keys {
		s.Head = append(s.Head, heading{Text: key, Who: i == last})
	}
	for i, row := range t.Rows {
		l := sheetLine{Baseline: t.Baseline != "" && row.Key[last] == t.Baseline}
		l.New = i > 0 && !slices.Equal(row.Key[:last], t.Rows[i-1].Key[:last])
		for j, text := range row.Key {
			l.Cells = append(l.Cells, cell{Text: text, Who: j == last})
		}
		s.Lines = append(s.Lines, l)
	}
	for _, c := range t.Columns {
		if measured(t, c) {
			s.add(t, c)
		}
	}
	if slices.ContainsFunc(t.Rows, func(r *record.Row) bool { return r.Failed != "" }) {
		s.Head = append(s.Head, heading{Text: "failed"})
		for i, row := range t.Rows {
			s.Lines[i].Cells = append(s.Lines[i].Cells, cell{Text: row.Failed, Failed: true})
		}
	}
	return s
}

// add adds a column.
func (s *sheet) add(t *record.Table, c record.Column) {
	s.Head = append(s.Head, heading{Text: strings.TrimSpace(c.Name + " " + c.Unit), Number: true})
	for i, row := range t.Rows {
		out := cell{Number: true}
		if v, ok := row.Median(c.Name); ok {
			out.Text = fmt.Sprintf(c.Format, v)
			out.Range = between(c.Format, slices.Min(row.Samples[c.Name]), slices.Max(row.Samples[c.Name]))
		}
		s.Lines[i].Cells = append(s.Lines[i].Cells, out)
	}
}

// between formats a range, or returns an empty string if both ends look the same.
func between(format string, low, high float64) string {
	l, h := fmt.Sprintf(format, low), fmt.Sprintf(format, high)
	if l == h {
		return ""
	}
	return l + "–" + h
}
