package record

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText prints the medians of all tables, and the ratios to the baseline in columns called x.
func (r *Run) WriteText(w io.Writer) {
	fmt.Fprintln(w, r.Machine)
	for _, t := range r.Tables {
		fmt.Fprintf(w, "\n%s\n", t.Title)
		t.writeText(w)
		if t.Note != "" {
			fmt.Fprintln(w, t.Note)
		}
		for _, term := range t.Terms {
			fmt.Fprintf(w, "%s: %s.\n", term.Name, term.Meaning)
		}
		for i, p := range t.Published {
			if i == 0 || p.Source != t.Published[i-1].Source {
				fmt.Fprintf(w, "Figures that others have published, of other machines: %s\n", p.Source)
			}
			fmt.Fprintf(w, "  %s: %s\n", p.What, p.Value)
		}
	}
}

func (t *Table) writeText(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, line := range t.Cells() {
		fmt.Fprintln(tw, strings.Join(line, "\t")+"\t")
	}
	tw.Flush()
}

// Cells returns the table as lines of text; the first line has the names of the columns. If a
// column has Better and there is a baseline, a column of ratios follows it, whose name is x. Cells
// without measurements are empty.
func (t *Table) Cells() [][]string {
	used := t.measured()
	head := append([]string{}, t.Keys...)
	failed := false
	for _, c := range used {
		head = append(head, strings.TrimSpace(c.Name+" "+c.Unit))
		if t.ratios(c) {
			head = append(head, "x")
		}
	}
	for _, r := range t.Rows {
		failed = failed || r.Failed != ""
	}
	if failed {
		head = append(head, "failed")
	}
	lines := [][]string{head}
	for _, r := range t.Rows {
		line := append([]string{}, r.Key...)
		base := t.Base(r)
		for _, c := range used {
			cell := ""
			if v, ok := r.Median(c.Name); ok {
				cell = fmt.Sprintf(c.Format, v)
			}
			line = append(line, cell)
			if t.ratios(c) {
				cell = ""
				if v, ok := r.Ratio(base, c.Name); ok {
					cell = fmt.Sprintf("%.2f", v)
				}
				line = append(line, cell)
			}
		}
		if failed {
			line = append(line, r.Failed)
		}
		lines = append(lines, line)
	}
	return lines
}

// measured returns the columns that have a figure in any row.
func (t *Table) measured() []Column {
	var used []Column
	for _, c := range t.Columns {
		for _, r := range t.Rows {
			if len(r.Samples[c.Name]) > 0 {
				used = append(used, c)
				break
			}
		}
	}
	return used
}

func (t *Table) ratios(c Column) bool { return t.Baseline != "" && c.Better != "" }

// List returns words as "one, two and three".
func List(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
