package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// WriteMarkdown writes the tables of medians and ratios. A ratio that is better by more than noise is bold, and the
// lowest and highest of its rounds follow it.
func WriteMarkdown(w io.Writer, r *record.Run) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %s. Medians of all rounds; in brackets, the lowest and the highest ratio of a round. "+
		"A bold ratio is better by more than noise.\n", plain(r.Machine.String()), r.Time.Format("2 January 2006"))
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n## %s\n\n", plain(t.Title))
		newSheet(t).markdown(&b)
		if t.Note != "" {
			fmt.Fprintf(&b, "\n%s\n", plain(t.Note))
		}
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
		for i, c := range l.Cells {
			text := plain(c.Text)
			if c.Verdict == "better" {
				text = "**" + text + "**"
			}
			if c.Range != "" && s.Head[i].Ratio {
				text += " (" + c.Range + ")"
			}
			fmt.Fprintf(b, "| %s ", text)
		}
		b.WriteString("|\n")
	}
}

var markdownSigns = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	"<", "&lt;", "&", "&amp;", "|", `\|`, "\n", " ", "\r", " ")

// plain makes s text that markdown leaves as it is, in a line.
func plain(s string) string { return markdownSigns.Replace(s) }
