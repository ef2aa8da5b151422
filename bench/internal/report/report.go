// Package report shows what a run has measured: as a page with charts, as pictures, as Markdown,
// and as the changes since another run.
//
// A run with a subject, which is the server recycling, gets a verdict in words, and a list of
// costs: where the subject does worse than others.
//
// A chart is SVG. It follows the reader's choice of light or dark colours. A contestant has the
// same colour in all charts of a table. Names are beside the bars, so that nobody has to
// distinguish colours.
//
// Figures are noisy. golang.org/x/perf/benchmath decides whether a difference is more than noise,
// in a run and between two runs: see statistics.go.
package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Write writes report.html, report.md, samples.txt for benchstat, and NAME.svg for each chart into
// dir, which it creates. It stops at the first error: of a file, or of a chart that does not fit
// its table.
func Write(dir string, r *record.Run) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	write := func(name string, to func(io.Writer) error) error {
		var b bytes.Buffer // no partial file if to fails
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
	if err := write("samples.txt", r.WriteBenchmarks); err != nil {
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
