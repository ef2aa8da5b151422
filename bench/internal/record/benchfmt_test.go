package record

import (
	"bytes"
	"math"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// What is written is read by the package that benchstat uses.
func TestBenchmarksAreReadAsWritten(t *testing.T) {
	r := small()
	r.Machine.System, r.Machine.Model = "linux/amd64", "Some CPU"
	table := r.Tables[0]
	table.Row("a b", "net/http").Add("CPU", math.NaN())
	table.Row("a b", "net/http").Add("CPU", 8)
	table.Row("1", "failed").Add("CPU", 1)
	table.Row("1", "failed").Failed = "refused"
	var b bytes.Buffer
	if err := r.WriteBenchmarks(&b); err != nil {
		t.Fatal(err)
	}
	in := benchfmt.NewReader(bytes.NewReader(b.Bytes()), "samples.txt")
	got := map[string][]float64{}
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.Result:
			v, ok := rec.Value("CPU-µs")
			if !ok || rec.GetConfig("cpu") != "Some CPU" || rec.GetConfig("goos") != "linux" {
				t.Errorf("%s: %v, cpu %q", rec.Name, rec.Values, rec.GetConfig("cpu"))
			}
			got[rec.Name.String()] = append(got[rec.Name.String()], v)
		case *benchfmt.SyntaxError:
			t.Errorf("%v in\n%s", rec, &b)
		}
	}
	if in.Err() != nil || in.Units().GetBetter("CPU-µs") != -1 {
		t.Errorf("error %v; better is %d, want -1", in.Err(), in.Units().GetBetter("CPU-µs"))
	}
	for name, want := range map[string]int{"T/n=1/server=old": 1, "T/n=1/server=new": 3, "T/n=a_b/server=net_http": 1} {
		if len(got[name]) != want {
			t.Errorf("%d rounds of %s, want %d, in\n%s", len(got[name]), name, want, &b)
		}
	}
	if len(got) != 3 {
		t.Errorf("read %v", got)
	}
}
