package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A verdict says in words what a run shows about its subject. Without a subject it has only a
// title.
type verdict struct {
	Title    string
	Subject  string
	Baseline string
	Better   []claim // than the baseline
	Worse    []claim
	Even     string   // the other figures
	Others   []string // how the subject compares with other rivals
}

// A claim says which figures of a table are better, or worse, for the subject.
type claim struct{ Table, Text string }

// newVerdict returns the verdict of a run.
func newVerdict(r *record.Run) verdict {
	var v verdict
	v.Title = "Benchmark results"
	if len(r.Tables) == 1 {
		v.Title = r.Tables[0].Title
	}
	score := map[string]*tally{}
	for _, t := range r.Tables {
		if t.Subject == "" {
			continue
		}
		v.Subject, v.Baseline = t.Subject, t.Baseline
		all := duels(t)
		v.Better = append(v.Better, claims(t, all, "better")...)
		v.Worse = append(v.Worse, claims(t, all, "worse")...)
		for _, d := range all {
			if score[d.rival] == nil {
				score[d.rival] = new(tally)
			}
			score[d.rival].add(d)
		}
	}
	if v.Subject == "" {
		return v
	}
	names := rivals(r)
	v.Title = fmt.Sprintf("%s measured against %s", v.Subject, record.List(names))
	for _, name := range names {
		n := score[name]
		switch {
		case n == nil:
		case name == v.Baseline:
			v.Even = n.rest()
		case n.told > 0:
			v.Others = append(v.Others, fmt.Sprintf("Against %s: better in %d of %d figures, worse in %d.", name, n.better, n.told, n.worse))
		}
	}
	return v
}

// A tally counts duels.
type tally struct {
	told, better, worse int
	few                 int // duels with too few rounds for a verdict
}

func (n *tally) add(d duel) {
	switch {
	case d.rounds < enoughRounds:
		n.few++
		return
	case d.verdict == "better":
		n.better++
	case d.verdict == "worse":
		n.worse++
	}
	n.told++
}

// rest says how many figures there are, and how many of them are neither better nor worse.
func (n *tally) rest() string {
	var s []string
	if n.told > 0 {
		s = append(s, fmt.Sprintf("Better in %d of %d figures, worse in %d. The other %d differ by less than %.0f %%, or not by more than noise.",
			n.better, n.told, n.worse, n.told-n.better-n.worse, 100*leastChange))
	}
	if n.few > 0 {
		s = append(s, fmt.Sprintf("Figures with too few rounds for a verdict, which takes %[2]d: %[1]d.", n.few, enoughRounds))
	}
	return strings.Join(s, " ")
}

// rivals returns the contestants that the subject is compared with, in the order of the tables.
func rivals(r *record.Run) (names []string) {
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			name := row.Key[len(row.Key)-1]
			if t.Subject != "" && name != t.Subject && !slices.Contains(t.References, name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	// The baseline comes first, whatever the order of the first round.
	for _, t := range r.Tables {
		if i := slices.Index(names, t.Baseline); i > 0 {
			names = slices.Insert(slices.Delete(names, i, i+1), 0, t.Baseline)
		}
	}
	return names
}

// claims returns the claims of a table: one, or none.
func claims(t *record.Table, all []duel, verdict string) []claim {
	var points []string
	for _, c := range t.Columns {
		if text := inWords(t, c, all, verdict); text != "" {
			points = append(points, text)
		}
	}
	if points == nil {
		return nil
	}
	return []claim{{t.Title, strings.Join(points, "; ") + "."}}
}

// inWords says by how much a column is better, or worse, than the baseline's, and in which
// situations. It returns an empty string if there are none.
func inWords(t *record.Table, c record.Column, all []duel, verdict string) string {
	var ratios []float64
	var where []string
	n := 0
	for _, d := range all {
		if d.column.Name != c.Name || d.rival != t.Baseline {
			continue
		}
		n++
		if d.verdict == verdict {
			ratios = append(ratios, d.ratio)
			where = append(where, d.situation)
		}
	}
	if len(ratios) == 0 {
		return ""
	}
	text := c.Words() + " " + amount(slices.Min(ratios), slices.Max(ratios))
	switch {
	case len(ratios) == n && n > 1:
		text += " in every situation"
	case len(ratios) > 2:
		text += fmt.Sprintf(" in %d of %d situations", len(ratios), n)
	case where[0] != "":
		text += " (" + strings.Join(where, "; ") + ")"
	}
	return text
}

// amount says in words how much lower or higher ratios between low and high are. Both are on the
// same side of 1.
func amount(low, high float64) string {
	if low >= 1.995 {
		return span(times(low), times(high)) + " times as high"
	}
	if high > 1 {
		return span(percent(low-1), percent(high-1)) + " % higher"
	}
	return span(percent(1-high), percent(1-low)) + " % lower"
}

func percent(v float64) string { return fmt.Sprintf("%.0f", math.Round(100*v)) }

// times formats a factor of 2 or more.
func times(v float64) string {
	if v >= 20 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func span(low, high string) string {
	if low == high {
		return low
	}
	return low + " to " + high
}
