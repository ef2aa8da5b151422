package report

import (
	"fmt"
	"slices"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// costs lists where the subject of a run does worse than others.
type costs struct {
	Subject string // empty if the run has no subject
	Rivals  []string
	Groups  []costGroup
	Few     bool // there are too few rounds for a verdict
}

// A costGroup is a situation in which the subject does worse than at least one rival.
type costGroup struct {
	Table, Situation string
	Lines            []costLine
}

// A costLine is one figure.
type costLine struct {
	Figure string
	Cells  []ratioCell // one for each rival; empty where the subject does not do worse
}

// Width returns the number of columns, including that of the figures.
func (c costs) Width() int { return len(c.Rivals) + 1 }

// newCosts returns the costs of a run.
func newCosts(r *record.Run) costs {
	var c costs
	var lost []duel
	told := false
	for _, t := range r.Tables {
		if t.Subject != "" {
			c.Subject = t.Subject
		}
		for _, d := range duels(t) {
			told = told || d.rounds >= enoughRounds
			if d.verdict != "worse" {
				continue
			}
			lost = append(lost, d)
			if !slices.Contains(c.Rivals, d.rival) {
				c.Rivals = append(c.Rivals, d.rival)
			}
		}
	}
	c.Few = !told
	rank := rivals(r)
	slices.SortFunc(c.Rivals, func(a, b string) int { return slices.Index(rank, a) - slices.Index(rank, b) })
	for _, d := range lost {
		cells := c.line(d)
		cells[slices.Index(c.Rivals, d.rival)] = newRatioCell(d)
	}
	return c
}

// line returns the cells of a figure. It adds the line if there is none.
func (c *costs) line(d duel) []ratioCell {
	i := slices.IndexFunc(c.Groups, func(g costGroup) bool { return g.Table == d.table.Title && g.Situation == d.situation })
	if i < 0 {
		i = len(c.Groups)
		c.Groups = append(c.Groups, costGroup{Table: d.table.Title, Situation: d.situation})
	}
	g := &c.Groups[i]
	j := slices.IndexFunc(g.Lines, func(l costLine) bool { return l.Figure == d.column.Words() })
	if j < 0 {
		j = len(g.Lines)
		g.Lines = append(g.Lines, costLine{d.column.Words(), make([]ratioCell, len(c.Rivals))})
	}
	return g.Lines[j].Cells
}

// Intro describes the list.
func (c costs) Intro() string {
	switch {
	case c.Few:
		return fmt.Sprintf("This run cannot tell what %s costs: that takes %d rounds.", c.Subject, enoughRounds)
	case len(c.Groups) == 0:
		return fmt.Sprintf("In this run %s does nowhere worse than the others, %s.", c.Subject, rule)
	}
	return fmt.Sprintf("Where %s does worse than another server, %s. Each figure is %s's divided by the other server's: the median of "+
		"the rounds, and the lowest and highest. A cell is empty where %s does not do worse.", c.Subject, rule, c.Subject, c.Subject)
}
