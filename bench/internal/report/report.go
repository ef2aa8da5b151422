// Package report shows what a run measured: as a page with charts, as pictures, as markdown, and as what changed
// since another run.
//
// A chart is hand-written SVG. Its style follows the reader's light or dark colours, its contestants keep their colour
// in all charts of a table, and names stand beside the bars, so that nobody has to tell colours apart.
//
// Figures are noisy. When a difference counts is said in one place, for the page and for Compare: see type noise.
package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Write writes report.html, report.md and NAME.svg for each chart into dir, which it makes. It stops at the first error,
// which is that of a file, or of a chart that does not fit its table.
func Write(dir string, r *record.Run) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	write := func(name string, to func(io.Writer) error) error {
		var b bytes.Buffer // no half a file if to fails
		if err := to(&b); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666)
	}
	if err := write("report.html", func(w io.Writer) error { return WriteHTML(w, r) }); err != nil {
		return err
	}
	if err := write("report.md", func(w io.Writer) error { return WriteMarkdown(w, r) }); err != nil {
		return err
	}
	for _, t := range r.Tables {
		for _, c := range t.Charts {
			if c.Name == "" || filepath.Base(c.Name) != c.Name || !filepath.IsLocal(c.Name+".svg") {
				return fmt.Errorf("table %s: the name of chart %q cannot be that of a file", t.Name, c.Name)
			}
			if err := write(c.Name+".svg", func(w io.Writer) error { return WriteSVG(w, t, c) }); err != nil {
				return err
			}
		}
	}
	return nil
}
