package applications

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// Findings are the results of a run, as applications.json has them.
type Findings struct {
	Machine record.Machine
	Time    time.Time
	Results []*Result
}

func newFindings() *Findings {
	return &Findings{Machine: record.New(nil).Machine, Time: time.Now().UTC().Truncate(time.Second)}
}

// write writes applications.json and applications.md into dir.
func (f *Findings) write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "applications.json"), append(text, '\n'), 0o666); err != nil {
		return err
	}
	var b strings.Builder
	r := &harness.Report{W: &b}
	f.table(r)
	return os.WriteFile(filepath.Join(dir, "applications.md"), []byte(b.String()), 0o666)
}

// report writes what is wrong with an application.
func (r *Result) report(w *harness.Report) {
	if r.Error != "" {
		w.Check(false, "%s: %s", r.Name, r.Error)
	}
	if p := r.Replay; p != nil {
		for _, d := range p.Control {
			w.Line("%s: %s differs between two runs of the plain program: its list needs a mask\n  %s\n  %s", r.Name, d.title(), d.Plain, d.Other)
		}
		w.Check(len(p.Differences) == 0, "%s: %d responses compared, %d differences", r.Name, p.Requests, len(p.Differences))
		for _, d := range p.Differences {
			w.Line("  %s\n    plain    %s\n    recycled %s", d.title(), d.Plain, d.Other)
		}
	}
	if t := r.Tests; t != nil {
		w.Check(len(t.Differing) == 0, "%s: %d tests (%d pass, %d fail, %d skip), %d with another result if recycled", r.Name, t.Total, t.Passed, t.Failed, t.Skipped, len(t.Differing))
		for _, name := range t.Differing {
			w.Line("  %s", name)
		}
		for _, name := range t.Unsteady {
			w.Line("  %s: differed once", name)
		}
	}
	if s := r.Stop; s != nil {
		for k, one := range s {
			text := fmt.Sprintf("%s: %v, after SIGTERM: %d requests answered, %d refused, %d broken (%d of them on idle connections); %s after %v", r.Name, kind(k), one.Answered, one.Refused, one.Broken, one.Closed, one.Exit, one.Took.Round(time.Millisecond))
			if one.First != "" {
				text += "; " + one.First
			}
			if kind(k) == recycled && !r.Exits {
				w.Check(one.Broken == 0, "%s", text)
			} else {
				w.Line("%s", text)
			}
		}
	}
	if m := r.Measured; m != nil {
		if m.Errors > 0 {
			w.Check(false, "%s: %d requests had no 200 response, for example: %s", r.Name, m.Errors, m.First)
		}
		w.Line("%s: recycled divided by plain: CPU per request %s, with new connections %s, memory of an idle connection %s", r.Name, ratioAndRange(m.KeepAlive), ratioAndRange(m.New), ratioAndRange(m.Idle))
	}
	if b := r.Build; b != nil {
		second := func(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
		w.Line("%s: build with an empty cache: plain %v, recycled %v; again: plain %v, recycled %v", r.Name, second(b.Cold[plain]), second(b.Cold[recycled]), second(b.Warm[plain]), second(b.Warm[recycled]))
	}
	w.Line("%s: took %v", r.Name, r.Took.Round(time.Second))
}

func (d Difference) title() string { return d.Request + ": " + d.What }

// table writes a table with a row for each application. Columns that would be empty are left out.
func (f *Findings) table(w *harness.Report) {
	head := []string{
		"application", "built with", "responses that differ", "tests with another result", "requests lost by SIGTERM",
		"CPU per request", "new connections", "idle memory", "cold build", "warm build",
	}
	var rows [][]string
	for _, r := range f.Results {
		rows = append(rows, r.row())
	}
	for i := len(head) - 1; i >= 0; i-- {
		if slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
			continue
		}
		head = slices.Delete(head, i, i+1)
		for n := range rows {
			rows[n] = slices.Delete(rows[n], i, i+1)
		}
	}
	if len(head) == 0 {
		return
	}
	w.Table(head, rows)
	w.Line("%s", legend)
}

const legend = `
What is before an arrow is of the plain program, and what is after it, of the recycled one. A program that exits at
once does not wait for its requests, in either form. A warm build is one more, with nothing changed. Each other figure
of CPU, memory and time is the recycled program's divided by the plain one's, in the median: bold is better and italic
is worse, by 5 % or more in every round.`

func (r *Result) row() []string {
	cells := make([]string, 10)
	cells[0], cells[1] = r.title(), strings.Join(append([]string{r.Framework}, r.Traits...), ", ")
	switch {
	case r.Replay != nil:
		cells[2] = fmt.Sprintf("%d of %d", len(r.Replay.Differences), r.Replay.Requests)
	case r.Error != "":
		cells[2] = "failed"
	}
	if r.Tests != nil {
		cells[3] = fmt.Sprintf("%d of %d", len(r.Tests.Differing), r.Tests.Total)
	}
	if s := r.Stop; s != nil {
		cells[4] = fmt.Sprintf("%d → %d", s[plain].Broken, s[recycled].Broken)
		if r.Exits {
			cells[4] += ", exits at once"
		}
	}
	if m := r.Measured; m != nil {
		cells[5], cells[6], cells[7] = ratio(m.KeepAlive), ratio(m.New), ratio(m.Idle)
	}
	if b := r.Build; b != nil {
		cells[8] = timeRatio(b.Cold)
		cells[9] = fmt.Sprintf("%.1f → %.1f s", b.Warm[plain].Seconds(), b.Warm[recycled].Seconds())
	}
	return cells
}

func (r *Result) title() string {
	_, version, _ := strings.Cut(r.Module, "@")
	return r.Name + " " + version
}

// ratio returns the median of the ratios of recycled to plain, each of one round. It is bold if it
// is better than plain by 5 % or more in every round, and italic if it is worse.
func ratio(samples [kinds][]float64) string {
	all := ratios(samples)
	if len(all) == 0 {
		return ""
	}
	text := fmt.Sprintf("%.2f", record.Median(all))
	switch { // as in the other tables of bench
	case all[len(all)-1] <= 0.95:
		return "**" + text + "**"
	case all[0] >= 1.05:
		return "*" + text + "*"
	}
	return text
}

// ratioAndRange is ratio with the least and the greatest of the ratios.
func ratioAndRange(samples [kinds][]float64) string {
	all := ratios(samples)
	if len(all) == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%s (%.2f–%.2f)", ratio(samples), all[0], all[len(all)-1])
}

// ratios returns the ratio of recycled to plain in each round, in ascending order.
func ratios(samples [kinds][]float64) (all []float64) {
	for i := range min(len(samples[plain]), len(samples[recycled])) {
		if v := samples[recycled][i] / samples[plain][i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// timeRatio is ratio of the times of one build of each kind.
func timeRatio(times [kinds]time.Duration) string {
	return ratio([kinds][]float64{{times[plain].Seconds()}, {times[recycled].Seconds()}})
}
