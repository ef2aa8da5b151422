package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/record"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A page is the data of page.html.
type page struct {
	*record.Run
	Style   template.CSS
	Command string
	Memory  string // empty if it is not known
	Paths   []string
	Verdict verdict
	Costs   costs
	Rule    string
	Parts   []part
}

// A part shows one table.
type part struct {
	*record.Table
	Ratios  ratios
	Sheet   sheet
	Charts  []template.HTML
	Samples []samples
}

// samples are the raw samples of one row and column.
type samples struct {
	Key    string
	Column string
	Values string
}

// WriteHTML writes a page that needs neither network nor scripts. It writes nothing if a chart does
// not fit its table.
func WriteHTML(w io.Writer, r *record.Run) error {
	p := page{
		Run:     r,
		Style:   template.CSS(chartCSS + pageCSS),
		Command: strings.TrimSpace("bench " + strings.Join(r.Args, " ")),
		Paths:   slices.Sorted(maps.Keys(r.Modules)),
		Verdict: newVerdict(r),
		Costs:   newCosts(r),
		Rule:    rule,
	}
	if r.Machine.Memory > 0 {
		p.Memory = fmt.Sprintf("%.1f GiB", float64(r.Machine.Memory)/(1<<30))
	}
	for _, t := range r.Tables {
		q := part{Table: t, Ratios: newRatios(t), Sheet: newSheet(t)}
		for _, c := range t.Charts {
			b, err := svg(t, c, pageWidth, false)
			if err != nil {
				return err
			}
			q.Charts = append(q.Charts, template.HTML(b))
		}
		for _, row := range t.Rows {
			for _, c := range t.Columns {
				if v := row.Samples[c.Name]; len(v) > 0 {
					q.Samples = append(q.Samples, samples{strings.Join(row.Key, ", "), strings.TrimSpace(c.Name + " " + c.Unit), join(v)})
				}
			}
		}
		p.Parts = append(p.Parts, q)
	}
	return pageTemplate.Execute(w, p)
}

// join formats numbers with all their digits.
func join(values []float64) string {
	var s []string
	for _, v := range values {
		s = append(s, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(s, "  ")
}
