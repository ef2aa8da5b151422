// Package report shows what a run has measured: as a page with charts, as pictures, as Markdown,
// and as the changes since another run.
//
// A run with a subject, which is the server recycling, gets a verdict in words, and a list of
// costs: where the subject does worse than others.
//
// A chart is SVG, which gonum.org/v1/plot draws. It follows the reader's choice of light or dark
// colours. A contestant has the same colour in all charts of a table. Names are beside the bars, so
// that nobody has to distinguish colours.
//
// Gonum's plot was chosen because it has what these charts need: logarithmic axes, an axis of
// numbers, horizontal bars, ranges, and sizes of texts. go-analyze/charts has neither ranges nor
// logarithmic axes; go-chart has no ranges, and its last release is of 2024. What the library does
// not have is done here:
//
//   - picture.go puts title, plot, legend and notes below each other, because the library puts the
//     legend over the data, and has no notes;
//   - words.go breaks long texts into lines;
//   - style.go gives ticks numbers such as 20,000 and 2M, and lets bars begin where a logarithmic
//     axis begins, since they cannot begin at zero;
//   - chart.css replaces colours in the dark, because the library writes fixed ones.
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
