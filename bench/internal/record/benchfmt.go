package record

import (
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// WriteBenchmarks writes all samples in the format of Go's benchmarks, which benchstat reads: a
// line for each round of each row. Rows that failed are left out, because that format has no place
// for the reason. The configuration is that of go test, and has neither the time nor versions,
// because benchstat does not compare runs whose configurations differ.
func (r *Run) WriteBenchmarks(w io.Writer) error {
	bw := benchfmt.NewWriter(w)
	if err := r.writeUnits(bw); err != nil {
		return err
	}
	goos, goarch, _ := strings.Cut(r.Machine.System, "/")
	var config []benchfmt.Config
	for _, c := range [][2]string{{"goos", goos}, {"goarch", goarch}, {"cpu", r.Machine.Model}} {
		if c[1] != "" {
			config = append(config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
		}
	}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if row.Failed != "" {
				continue
			}
			name := benchfmt.Name(benchmarkName(t, row))
			for round := 0; ; round++ {
				values, more := row.round(t, round)
				if !more {
					break
				}
				if len(values) == 0 {
					continue
				}
				if err := bw.Write(&benchfmt.Result{Config: config, Name: name, Iters: 1, Values: values}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writeUnits says which figures are good.
func (r *Run) writeUnits(w *benchfmt.Writer) error {
	told := map[string]bool{}
	for _, t := range r.Tables {
		for _, c := range t.Columns {
			unit := c.benchmarkUnit()
			if c.Better == "" || told[unit] {
				continue
			}
			told[unit] = true
			m := benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: string(c.Better)}
			if err := w.Write(&m); err != nil {
				return err
			}
		}
	}
	return nil
}

// round returns the figures of a round; more is false after the last round.
func (r *Row) round(t *Table, n int) (values []benchfmt.Value, more bool) {
	for _, c := range t.Columns {
		if n >= len(r.Samples[c.Name]) {
			continue
		}
		more = true
		if v := r.Samples[c.Name][n]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, benchfmt.Value{Value: v, Unit: c.benchmarkUnit()})
		}
	}
	return values, more
}

// benchmarkUnit returns the unit with the column's name, as in CPU-µs/req.
func (c Column) benchmarkUnit() string {
	s := c.Name
	if c.Unit != "" && !strings.HasPrefix(c.Unit, "/") {
		s += "-"
	}
	return strings.ReplaceAll(s+c.Unit, " ", "_")
}

// benchmarkName returns the name of a row, as in Idle/connections=1000/server=net_http. A slash
// separates keys, so there is none in them.
func benchmarkName(t *Table, row *Row) string {
	clean := strings.NewReplacer(" ", "_", "\t", "_", "\n", "_", "/", "_").Replace
	n := min(1, len(t.Name))
	name := clean(strings.ToUpper(t.Name[:n]) + t.Name[n:])
	for i, key := range t.Keys {
		name += "/" + clean(key) + "=" + clean(row.Key[i])
	}
	return name
}
