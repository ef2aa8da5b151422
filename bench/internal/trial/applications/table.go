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
	if m := r.Measured; m != nil && m.Errors > 0 {
		w.Check(false, "%s: %d requests had no 200 response, for example: %s", r.Name, m.Errors, m.First)
	}
}

func (d Difference) title() string { return d.Request + ": " + d.What }

// table writes tables of all results: figures, checks, and the times of builds.
func (f *Findings) table(w *harness.Report) {
	for _, t := range []struct {
		head []string
		row  func(*Result) []string
	}{
		{[]string{"application", "built with", "CPU per request", "CPU per request, new connections", "memory per idle connection"}, (*Result).figures},
		{[]string{"application", "responses compared", "that differ", "own tests", "with another result", "requests lost by SIGTERM: net/http", "recycled"}, (*Result).checks},
		{[]string{"application", "cold build: go", "recycle", "warm build: go", "recycle"}, (*Result).builds},
	} {
		var rows [][]string
		for _, r := range f.Results {
			if row := t.row(r); row != nil {
				rows = append(rows, row)
			}
		}
		if rows != nil {
			w.Table(t.head, rows)
			w.Line("")
		}
	}
}

// figures returns a row with ratios of the recycled program to the plain one, or nil.
func (r *Result) figures() []string {
	m := r.Measured
	if m == nil {
		return nil
	}
	with := strings.Join(append([]string{r.Framework}, r.Traits...), ", ")
	return []string{r.title(), with, ratio(m.KeepAlive), ratio(m.New), ratio(m.Idle)}
}

func (r *Result) checks() []string {
	cells := []string{r.title(), "", "", "", "", "", ""}
	if r.Replay != nil {
		cells[1], cells[2] = fmt.Sprint(r.Replay.Requests), fmt.Sprint(len(r.Replay.Differences))
	}
	if r.Tests != nil {
		cells[3], cells[4] = fmt.Sprint(r.Tests.Total), fmt.Sprint(len(r.Tests.Differing))
	}
	if r.Stop != nil {
		for k, one := range r.Stop {
			cells[5+k] = fmt.Sprintf("%d of %d", one.Broken, one.Broken+one.Answered)
			if r.Exits {
				cells[5+k] += ", exits at once"
			}
		}
	}
	if r.Error != "" {
		cells[1] = "failed"
	}
	if slices.Max(cells[1:]) == "" {
		return nil
	}
	return cells
}

func (r *Result) builds() []string {
	b := r.Build
	if b == nil {
		return nil
	}
	cells := []string{r.title()}
	for _, times := range [][kinds]time.Duration{b.Cold, b.Warm} {
		for _, one := range times {
			cells = append(cells, fmt.Sprintf("%.1f s", one.Seconds()))
		}
	}
	return cells
}

func (r *Result) title() string {
	_, version, _ := strings.Cut(r.Module, "@")
	return r.Name + " " + version
}

// ratio returns the median of the ratios of recycled to plain, each of one round, and their range. It
// is bold if it is better than plain by 5 % or more in every round, and italic if it is worse.
func ratio(samples [kinds][]float64) string {
	var all []float64
	for i := range min(len(samples[plain]), len(samples[recycled])) {
		if v := samples[recycled][i] / samples[plain][i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	least, most := all[0], all[len(all)-1]
	median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	text := fmt.Sprintf("%.2f", median)
	switch { // as in the other tables of bench
	case most <= 0.95:
		text = "**" + text + "**"
	case least >= 1.05:
		text = "*" + text + "*"
	}
	return fmt.Sprintf("%s (%.2f–%.2f)", text, least, most)
}
