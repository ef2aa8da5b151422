package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// tableChanges has the changes of a table between two runs.
type tableChanges struct {
	old, new *record.Table
	rows     []rowPair        // that both have, without the baseline's rows
	columns  []*columnChanges // that both have
	notes    []string         // what is not compared, and why
	failures int              // rows that failed in only one of the runs
}

// A rowPair is a row in two runs.
type rowPair struct{ old, new *record.Row }

// columnChanges has the changes of a column between two runs.
type columnChanges struct {
	record.Column
	pairs []change // for each of tableChanges.rows

	// drift is the change of the machine between the runs, as a factor: the median change of the
	// baseline's rows, or of all rows if there is no baseline. It is NaN if it is not known.
	drift float64
}

// A change has the samples of a cell in two runs, as they are compared. Both are nil if the cell is
// not compared.
type change struct {
	old, new []float64
	factor   bool // all samples are above zero, and so are the baseline's, if they are ratios to it
}

// minChange is the least change that counts, as a share.
const minChange = 0.1

func newTableChanges(old, new *record.Table) *tableChanges {
	t := &tableChanges{old: old, new: new}
	if !slices.Equal(old.Keys, new.Keys) || old.Baseline != new.Baseline {
		t.note("Not compared: its keys are %q, were %q; its baseline is %s, was %s.", new.Keys, old.Keys, orNone(new.Baseline), orNone(old.Baseline))
		return t
	}
	baseline := t.pairRows()
	t.pairColumns()
	few, alone := 0, 0
	for _, c := range t.columns {
		alone += t.compare(c, baseline)
		for _, ch := range c.pairs {
			if ch.old != nil && !ch.enough() {
				few++
			}
		}
	}
	if alone > 0 {
		t.note("Not compared: %d figures of only one run, or without a baseline.", alone)
	}
	if few > 0 {
		t.note("No verdict: %d figures of fewer than %d rounds.", few, enoughRounds)
	}
	return t
}

func (t *tableChanges) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// pairRows finds the rows to compare, and returns the baseline's rows.
func (t *tableChanges) pairRows() (baseline []rowPair) {
	for _, n := range t.new.Rows {
		o := rowLike(t.old, n)
		switch {
		case o == nil:
			t.note("Only in the new run: %s.", name(n))
		case o.Failed != "" && n.Failed != "":
			t.note("Failed in both runs: %s: %s", name(n), n.Failed)
		case o.Failed != "":
			t.failures++
			t.note("Failed in the old run only: %s: %s", name(n), o.Failed)
		case n.Failed != "":
			t.failures++
			t.note("Failed in the new run only: %s: %s", name(n), n.Failed)
		case t.new.Baseline != "" && n.Key[len(n.Key)-1] == t.new.Baseline:
			baseline = append(baseline, rowPair{o, n})
		default:
			t.rows = append(t.rows, rowPair{o, n})
		}
	}
	for _, o := range t.old.Rows {
		if rowLike(t.new, o) == nil {
			t.note("Only in the old run: %s.", name(o))
		}
	}
	return baseline
}

// pairColumns finds the columns to compare: those that were measured in both runs.
func (t *tableChanges) pairColumns() {
	for _, n := range t.new.Columns {
		o, ok := t.old.Column(n.Name)
		inOld, inNew := ok && measured(t.old, n), measured(t.new, n)
		switch {
		case !inNew && !inOld:
		case !inOld:
			t.note("Only in the new run: column %s.", n.Name)
		case !inNew:
			t.note("Only in the old run: column %s.", n.Name)
		case o.Unit != n.Unit:
			t.note("Not compared: column %s is in %s, was in %s.", n.Name, orNone(n.Unit), orNone(o.Unit))
		default:
			t.columns = append(t.columns, &columnChanges{Column: n})
		}
	}
	for _, o := range t.old.Columns {
		if _, ok := t.new.Column(o.Name); !ok && measured(t.old, o) {
			t.note("Only in the old run: column %s.", o.Name)
		}
	}
}

// compare collects the samples of a column, and returns how many cells cannot be compared.
func (t *tableChanges) compare(c *columnChanges, baseline []rowPair) (alone int) {
	for _, p := range t.rows {
		ch := t.change(p, c.Name)
		if ch.old == nil && len(p.old.Samples[c.Name])+len(p.new.Samples[c.Name]) > 0 {
			alone++
		}
		c.pairs = append(c.pairs, ch)
	}
	c.findDrift(baseline, t.new.Baseline != "")
	return alone
}

// change collects the samples of a cell. It returns no samples if one run has none, or if there is
// a baseline and the row cannot be compared with it.
func (t *tableChanges) change(p rowPair, column string) change {
	oldBase, newBase := t.old.Base(p.old), t.new.Base(p.new)
	if t.new.Baseline != "" && (oldBase == nil || newBase == nil || oldBase.Failed != "" || newBase.Failed != "") {
		return change{}
	}
	old, new := p.old.Samples[column], p.new.Samples[column]
	ch := change{slices.Clone(positive(old)), slices.Clone(positive(new)), true}
	if t.new.Baseline != "" {
		ch.old, ch.new = positive(p.old.Ratios(oldBase, column)), positive(p.new.Ratios(newBase, column))
	}
	if len(ch.old) == 0 || len(ch.new) == 0 {
		ch = change{numbers(old), numbers(new), false}
	}
	if len(ch.old) == 0 || len(ch.new) == 0 {
		return change{}
	}
	return ch
}

// enough reports whether there are enough rounds for a verdict.
func (ch change) enough() bool { return len(ch.old) >= enoughRounds && len(ch.new) >= enoughRounds }

// findDrift computes the drift, and removes it from the samples if there is no baseline. Without a
// baseline, a change that all rows share cannot be told from drift, and it takes at least three
// rows to see what they share.
func (c *columnChanges) findDrift(baseline []rowPair, hasBaseline bool) {
	var moves []float64
	for _, p := range baseline {
		old, new := positive(p.old.Samples[c.Name]), positive(p.new.Samples[c.Name])
		if len(old) > 0 && len(new) > 0 {
			moves = append(moves, record.Median(new)/record.Median(old))
		}
	}
	for _, ch := range c.pairs {
		if ch.factor && !hasBaseline {
			moves = append(moves, record.Median(ch.new)/record.Median(ch.old))
		}
	}
	c.drift = math.NaN()
	if len(moves) == 0 || !hasBaseline && len(moves) < 3 {
		return
	}
	c.drift = record.Median(moves)
	for _, ch := range c.pairs {
		if ch.factor && !hasBaseline {
			for i := range ch.new {
				ch.new[i] /= c.drift
			}
		}
	}
}

// judge returns how much a cell changed, and whether that is better or worse; the verdict is empty
// if the change does not count.
func (c *columnChanges) judge(i int) (text, verdict string) {
	ch := c.pairs[i]
	if ch.old == nil {
		return "", ""
	}
	old, new := record.Median(ch.old), record.Median(ch.new)
	large := math.Abs(new-old) >= max(minChange*max(math.Abs(old), math.Abs(new)), c.Grain)
	switch {
	case ch.factor:
		text = fmt.Sprintf("%.2f", new/old)
		large = math.Abs(math.Log(new/old)) >= math.Log1p(minChange)
	case old == new:
		text = "1.00"
	default:
		text = fmt.Sprintf(c.Format+" to "+c.Format, old, new)
	}
	if c.Better != "" && ch.enough() && large && uTest(ch.old, ch.new).P <= alpha {
		verdict = word(new > old, c.Better)
	}
	return text, verdict
}

// common prints the drift.
func (c *columnChanges) common() string {
	if math.IsNaN(c.drift) {
		return ""
	}
	return fmt.Sprintf("%.2f", c.drift)
}

// cells returns the number of cells that are compared and have enough rounds for a verdict.
func (t *tableChanges) cells() (n int) {
	for _, c := range t.columns {
		for _, ch := range c.pairs {
			if ch.enough() {
				n++
			}
		}
	}
	return n
}

// any reports whether any cell is compared.
func (t *tableChanges) any() bool {
	return slices.ContainsFunc(t.columns, func(c *columnChanges) bool {
		return slices.ContainsFunc(c.pairs, func(ch change) bool { return ch.old != nil })
	})
}

// measured reports whether any row has a figure of the column.
func measured(t *record.Table, c record.Column) bool {
	return slices.ContainsFunc(t.Rows, func(r *record.Row) bool { return len(r.Samples[c.Name]) > 0 })
}

func tableLike(r *record.Run, like *record.Table) *record.Table {
	i := slices.IndexFunc(r.Tables, func(t *record.Table) bool { return t.Name == like.Name })
	if i < 0 {
		return nil
	}
	return r.Tables[i]
}

func rowLike(t *record.Table, like *record.Row) *record.Row {
	i := slices.IndexFunc(t.Rows, func(r *record.Row) bool { return slices.Equal(r.Key, like.Key) })
	if i < 0 {
		return nil
	}
	return t.Rows[i]
}

func name(r *record.Row) string { return strings.Join(r.Key, ", ") }
