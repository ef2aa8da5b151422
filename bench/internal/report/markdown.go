package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// WriteMarkdown writes the content of the page without pictures and raw samples: the verdict, what
// the subject costs, and for each table the ratios to the baseline and the medians.
func WriteMarkdown(w io.Writer, r *record.Run) error {
	var b bytes.Buffer
	v := newVerdict(r)
	fmt.Fprintf(&b, "# %s\n\n%s, %s.\n", plain(v.Title), plain(r.Machine.String()), r.Time.Format("2 January 2006"))
	v.markdown(&b)
	newCosts(r).markdown(&b)
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n## %s\n", plain(t.Title))
		if t.Note != "" {
			fmt.Fprintf(&b, "\n%s\n", plain(t.Note))
		}
		for i, term := range t.Terms {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- %s: %s.\n", plain(term.Name), plain(term.Meaning))
		}
		newRatios(t).markdown(&b)
		b.WriteString("\nMedians of the rounds:\n\n")
		newSheet(t).markdown(&b)
		if len(t.Published) == 0 {
			continue
		}
		b.WriteString("\nPublished elsewhere, measured by others on their own machines:\n\n| source | what | published |\n|---|---|---:|\n")
		for _, p := range t.Published {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", plain(p.Source), plain(p.What), plain(p.Value))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (v verdict) markdown(b *bytes.Buffer) {
	if v.Subject == "" {
		return
	}
	claims := func(head string, all []claim) {
		if len(all) > 0 {
			fmt.Fprintf(b, "\n%s %s:\n\n", head, plain(v.Baseline))
		}
		for _, c := range all {
			fmt.Fprintf(b, "- **%s**: %s\n", plain(c.Table), plain(c.Text))
		}
	}
	claims("Better than", v.Better)
	claims("Worse than", v.Worse)
	fmt.Fprintf(b, "\n%s\n\n", plain(v.Even))
	for _, l := range v.Others {
		fmt.Fprintf(b, "- %s\n", plain(l))
	}
}

func (c costs) markdown(b *bytes.Buffer) {
	if c.Subject == "" {
		return
	}
	fmt.Fprintf(b, "\n## What it costs\n\n%s\n", plain(c.Intro()))
	if len(c.Groups) == 0 {
		return
	}
	b.WriteString("\n| situation | figure |")
	for _, name := range c.Rivals {
		fmt.Fprintf(b, " to %s |", plain(name))
	}
	fmt.Fprintf(b, "\n|---|---|%s\n", strings.Repeat("---:|", len(c.Rivals)))
	for _, g := range c.Groups {
		for _, l := range g.Lines {
			fmt.Fprintf(b, "| %s | %s |", plain(label(g.Table, g.Situation)), plain(l.Figure))
			for _, cell := range l.Cells {
				fmt.Fprintf(b, " %s |", cell)
			}
			b.WriteString("\n")
		}
	}
}

// label joins a table's title and a situation, which may be empty.
func label(table, situation string) string {
	if situation == "" {
		return table
	}
	return table + ": " + situation
}

func (r ratios) markdown(b *bytes.Buffer) {
	if len(r.Groups) == 0 {
		return
	}
	fmt.Fprintf(b, "\nAs ratios to %s of the same round: the median of the rounds, and in brackets the lowest and the highest. "+
		"Bold is better and italic is worse, %s.\n\n| situation | who |", plain(r.Baseline), rule)
	for _, c := range r.Columns {
		fmt.Fprintf(b, " %s |", plain(c))
	}
	fmt.Fprintf(b, "\n|---|---|%s\n", strings.Repeat("---:|", len(r.Columns)))
	for _, g := range r.Groups {
		for _, l := range g.Lines {
			fmt.Fprintf(b, "| %s | %s |", plain(g.Situation), plain(l.Who))
			for _, cell := range l.Cells {
				switch cell.Verdict {
				case "better":
					cell.Text = "**" + cell.Text + "**"
				case "worse":
					cell.Text = "*" + cell.Text + "*"
				}
				fmt.Fprintf(b, " %s |", cell)
			}
			b.WriteString("\n")
		}
	}
}

func (c ratioCell) String() string {
	if c.Range == "" {
		return c.Text
	}
	return c.Text + " (" + c.Range + ")"
}

func (s sheet) markdown(b *bytes.Buffer) {
	rule := "|"
	for _, h := range s.Head {
		fmt.Fprintf(b, "| %s ", plain(h.Text))
		if h.Number {
			rule += "---:|"
		} else {
			rule += "---|"
		}
	}
	fmt.Fprintf(b, "|\n%s\n", rule)
	for _, l := range s.Lines {
		for _, c := range l.Cells {
			fmt.Fprintf(b, "| %s ", plain(c.Text))
		}
		b.WriteString("|\n")
	}
}

var markdownSigns = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	"<", "&lt;", "&", "&amp;", "|", `\|`, "\n", " ", "\r", " ")

// plain escapes s so that Markdown shows it as it is, in one line.
func plain(s string) string { return markdownSigns.Replace(s) }
