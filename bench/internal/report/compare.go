package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Compare writes what changed between two runs: for each row and column that both have, the ratio
// of the new median to the old one. In a table with a baseline, it is the ratio of the ratios to
// the baseline, so that a slower machine does not count as a change. In a table without a baseline,
// the change that three or more rows share is removed. A line below the rows shows either of these.
//
// A change counts, and is called better or worse, if the column says which direction is better, and
//
//   - benchmath finds a difference at level alpha, which takes enoughRounds rounds: chance causes
//     such a difference in at most one of 100 figures;
//   - it is 10 % or more, because some effects, such as where in memory a process is placed, vary
//     more between runs than within one.
//
// A row that failed in only one run also counts. If a sample is zero or negative there are no
// ratios, and the samples themselves are compared. changed is the number of changes that count; err
// is the error of w.
func Compare(w io.Writer, old, new *record.Run) (changed int, err error) {
	var b bytes.Buffer
	compareMachines(&b, old, new)
	var tables []*tableChanges
	cells := 0
	for _, n := range new.Tables {
		o := tableLike(old, n)
		if o == nil {
			fmt.Fprintf(&b, "Only in the new run: table %s.\n", n.Name)
			continue
		}
		t := newTableChanges(o, n)
		cells += t.cells()
		tables = append(tables, t)
	}
	for _, o := range old.Tables {
		if tableLike(new, o) == nil {
			fmt.Fprintf(&b, "Only in the old run: table %s.\n", o.Name)
		}
	}
	for _, t := range tables {
		changed += t.write(&b)
	}
	if changed == 0 {
		fmt.Fprintf(&b, "\nNo change: of %d figures, none differs by more than noise.\n", cells)
	} else {
		fmt.Fprintf(&b, "\nChanged: %d, of %d figures that were compared. Chance alone changes up to %.0f %% of figures so much; "+
			"measure again to see what lasts.\n", changed, cells, 100*alpha)
	}
	_, err = w.Write(b.Bytes())
	return changed, err
}

// compareMachines writes the differences between the machines and the programs of the two runs.
func compareMachines(b *bytes.Buffer, old, new *record.Run) {
	differ := func(what, old, new string) {
		if old != new {
			fmt.Fprintf(b, "Different %s: %s, now %s.\n", what, orNone(old), orNone(new))
		}
	}
	o, n := old.Machine, new.Machine
	differ("Go versions", o.Go, n.Go)
	o.Go, n.Go, o.Memory, n.Memory = "", "", o.Memory>>20, n.Memory>>20
	differ("machines", fmt.Sprintf("%s, %d MiB", o, o.Memory), fmt.Sprintf("%s, %d MiB", n, n.Memory))
	differ("arguments", strings.Join(old.Args, " "), strings.Join(new.Args, " "))
	paths := map[string]bool{}
	for _, m := range []map[string]string{old.Modules, new.Modules} {
		for path := range m {
			paths[path] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		differ(path, old.Modules[path], new.Modules[path])
	}
}

// write writes the changes of a table, and returns how many of them count.
func (t *tableChanges) write(b *bytes.Buffer) (changed int) {
	fmt.Fprintf(b, "\n%s\n", t.new.Title)
	var found []string
	head := slices.Clone(t.new.Keys)
	for _, c := range t.columns {
		head = append(head, strings.TrimSpace(c.Name+" "+c.Unit))
	}
	table := [][]string{head}
	for i, p := range t.rows {
		line := slices.Clone(p.new.Key)
		for _, c := range t.columns {
			text, word := c.judge(i)
			if word != "" {
				found = append(found, t.explain(p, c, word)+fmt.Sprintf(" (%s)", uTest(c.pairs[i].old, c.pairs[i].new)))
				text += " " + word
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	if t.any() {
		drift := "change of " + t.new.Baseline + " itself"
		if t.new.Baseline == "" {
			drift = "common to all, taken out"
		}
		table = append(table, t.footer(drift))
		tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, line := range table {
			fmt.Fprintln(tw, strings.Join(line, "\t")+"\t")
		}
		tw.Flush()
	}
	for _, s := range slices.Concat(t.notes, found) {
		fmt.Fprintf(b, "%s\n", s)
	}
	return len(found) + t.failures
}

// footer returns a line with the drift of each column.
func (t *tableChanges) footer(name string) []string {
	line := make([]string, len(t.new.Keys))
	line[len(line)-1] = name
	for _, c := range t.columns {
		line = append(line, c.common())
	}
	return line
}

// explain returns the figures behind a change.
func (t *tableChanges) explain(p rowPair, c *columnChanges, word string) string {
	old, _ := p.old.Median(c.Name)
	new, _ := p.new.Median(c.Name)
	s := fmt.Sprintf("%s: %s: %s %s, now %s", word, name(p.new), c.Name, fmt.Sprintf(c.Format, old), fmt.Sprintf(c.Format, new))
	if c.Unit != "" {
		s += " " + c.Unit
	}
	o, ok1 := p.old.Ratio(t.old.Base(p.old), c.Name)
	n, ok2 := p.new.Ratio(t.new.Base(p.new), c.Name)
	if ok1 && ok2 {
		s += fmt.Sprintf("; %.2f of %s, now %.2f", o, t.new.Baseline, n)
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
