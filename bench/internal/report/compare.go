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

// Compare writes what changed between two runs: for each row and column that both have, the ratio of the new median to
// the old one. In a table with a baseline it is the ratio of ratios to it, so that a machine which is slower today
// changes nothing; in one without, what three rows or more have in common is taken out. Either is said below the rows.
//
// A change counts, and is called better or worse, if the column says which that is, and
//
//   - all new samples are above all old ones, or all are below;
//   - it is more than noise: see type noise. The more cells two runs have, the more each must differ;
//   - it is 10 % or more, because what differs between runs, such as where in memory a process came to lie, differs
//     less within one.
//
// A row that failed in one run only counts too. Fewer than two samples tell nothing. Where a sample is zero or below
// there are no ratios, and differences are compared. Changed is how many changes count; the error is w's.
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
		changed += t.write(&b, cells)
	}
	if changed == 0 {
		fmt.Fprintf(&b, "\nNo change: of %d figures, none differs by more than noise.\n", cells)
	} else {
		fmt.Fprintf(&b, "\nChanged: %d, of %d figures that were compared.\n", changed, cells)
	}
	_, err = w.Write(b.Bytes())
	return changed, err
}

// compareMachines says what makes the runs hard to compare.
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

// write writes what changed in a table, and returns how much of it counts. Cells are those of the comparison.
func (t *tableChanges) write(b *bytes.Buffer, cells int) (changed int) {
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
			text, word := c.judge(i, cells)
			if word != "" {
				found = append(found, t.explain(p, c, word))
				text += " " + word
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	if t.cells() > 0 {
		table = append(table, t.footer("counts from", func(c *columnChanges) string { return c.limit(cells) }))
		drift := t.new.Baseline + " itself"
		if t.new.Baseline == "" {
			drift = "all, taken out"
		}
		table = append(table, t.footer(drift, (*columnChanges).common))
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

// footer returns a line that says something about each column.
func (t *tableChanges) footer(name string, say func(*columnChanges) string) []string {
	line := make([]string, len(t.new.Keys))
	line[len(line)-1] = name
	for _, c := range t.columns {
		line = append(line, say(c))
	}
	return line
}

// explain says what figures a change is made of.
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
