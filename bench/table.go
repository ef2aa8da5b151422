package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	recycling "github.com/recycling-go/recycling/core"
)

// A row is the medians of one strategy in one scenario.
type row struct {
	rate, cpu, p50, p99, bytes float64
	errors                     int
}

// rowOf returns the medians of those samples; ok is false if there are none.
func rowOf(samples []sample, name string, strategy recycling.Strategy) (r row, ok bool) {
	var rate, cpu, p50, p99, bytes []float64
	for _, s := range samples {
		if s.Scenario != name || s.Strategy != strategy {
			continue
		}
		rate = append(rate, s.rate())
		cpu = append(cpu, s.CPU)
		p50 = append(p50, s.P50)
		p99 = append(p99, s.P99)
		bytes = append(bytes, s.Bytes)
		r.errors += s.Errors
	}
	r.rate, r.cpu, r.p50, r.p99, r.bytes = median(rate), median(cpu), median(p50), median(p99), median(bytes)
	return r, len(rate) > 0
}

// writeTable prints the medians of all samples, and their ratios to those of the first strategy.
func writeTable(w io.Writer, samples []sample) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario    \tstrategy \tCPU µs/req\tx\treq/s\tx\tp50 ms\tp99 ms\tbytes/conn\tx\terrors\t")
	for _, s := range append(scenarios[:len(scenarios):len(scenarios)], scenario{name: idle}) {
		base, _ := rowOf(samples, s.name, strategies[0])
		for _, strategy := range strategies {
			r, ok := rowOf(samples, s.name, strategy)
			if !ok {
				continue
			}
			fmt.Fprintf(t, "%-12s\t%-9s\t", s.name, strategy) // to the left, and figures to the right
			fmt.Fprintf(t, "%s\t%s\t", figure("%.1f", r.cpu), ratio(r.cpu, base.cpu))
			fmt.Fprintf(t, "%s\t%s\t", figure("%.0f", r.rate), ratio(r.rate, base.rate))
			fmt.Fprintf(t, "%s\t%s\t", figure("%.2f", r.p50), figure("%.2f", r.p99))
			fmt.Fprintf(t, "%s\t%s\t%d\t\n", figure("%.0f", r.bytes), ratio(r.bytes, base.bytes), r.errors)
		}
	}
	t.Flush()
}

// figure formats v; what was not measured is zero, and left out.
func figure(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func ratio(v, base float64) string {
	if v == 0 || base == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v/base)
}
