package report

import (
	"math"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// leastChange is the least difference of a median that is called better or worse, as a share.
const leastChange = 0.05

// A duel is one figure of two contestants in the same situation, as the ratio of the first one's
// figure to the rival's.
type duel struct {
	table     *record.Table
	column    record.Column
	situation string
	rival     string // the other one

	ratio, low, high float64 // the median of the rounds, the lowest and the highest
	rounds           int     // zero if the ratio is not known
	verdict          string  // better or worse; empty if it is neither
}

// newDuel compares a column of two rows of t.
func newDuel(t *record.Table, c record.Column, row, rival *record.Row) duel {
	d := duel{table: t, column: c, situation: situation(t, row), rival: rival.Key[len(rival.Key)-1]}
	if row.Failed != "" || rival.Failed != "" {
		return d
	}
	ratios := positive(row.Ratios(rival, c.Name))
	if len(ratios) == 0 {
		return d
	}
	s := interval(ratios)
	d.ratio, d.low, d.high, d.rounds = s.Center, slices.Min(ratios), slices.Max(ratios), len(ratios)
	if up := s.Lo > 1; c.Better != "" && (up || s.Hi < 1) && math.Abs(s.Center-1) >= leastChange && d.rounds >= enoughRounds {
		d.verdict = word(up, c.Better)
	}
	return d
}

// duels returns the comparisons of the subject of t with every rival, in the order of the table. It
// returns nil if t has no subject.
func duels(t *record.Table) (all []duel) {
	if t.Subject == "" {
		return nil
	}
	last := len(t.Keys) - 1
	for _, row := range t.Rows {
		if row.Key[last] != t.Subject {
			continue
		}
		for _, c := range t.Columns {
			if c.Better == "" {
				continue
			}
			for _, rival := range t.Rows {
				name := rival.Key[last]
				if name == t.Subject || slices.Contains(t.References, name) || !slices.Equal(rival.Key[:last], row.Key[:last]) {
					continue
				}
				if d := newDuel(t, c, row, rival); d.rounds > 0 {
					all = append(all, d)
				}
			}
		}
	}
	return all
}

// situation describes in words what a row measures: the keys that differ between rows, without the
// contestant, or all keys if none differ.
func situation(t *record.Table, row *record.Row) string {
	var some, all []string
	for i, key := range t.Keys[:len(t.Keys)-1] {
		text := row.Key[i]
		if _, ok := number(text); ok {
			text += " " + key
		}
		all = append(all, text)
		if slices.ContainsFunc(t.Rows, func(r *record.Row) bool { return r.Key[i] != row.Key[i] }) {
			some = append(some, text)
		}
	}
	if len(some) == 0 {
		some = all
	}
	return strings.Join(some, ", ")
}
