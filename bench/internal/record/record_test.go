package record

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func small() *Run {
	r := New([]string{"x"})
	t := &Table{
		Name: "t", Title: "A table", Keys: []string{"n", "server"}, Baseline: "old",
		Columns: []Column{{Name: "CPU", Unit: "µs", Format: "%.1f", Better: Lower}, {Name: "never", Format: "%f"}},
	}
	t.Row("1", "old").Add("CPU", 10)
	for _, v := range []float64{7, 5, 3} {
		t.Row("1", "new").Add("CPU", v)
	}
	r.Tables = append(r.Tables, t)
	return r
}

func TestCells(t *testing.T) {
	want := [][]string{{"n", "server", "CPU µs", "x"}, {"1", "old", "10.0", ""}, {"1", "new", "5.0", "0.50"}}
	if got := small().Tables[0].Cells(); !reflect.DeepEqual(got, want) {
		t.Errorf("cells are %q, want %q", got, want)
	}
}

func TestFailedRowIsToldEverywhere(t *testing.T) {
	r := small()
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	r.Tables[0].Row("1", "new").Failed = "3 errors: refused"
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "3 errors: refused") {
		t.Errorf("error is %v", err)
	}
	var b bytes.Buffer
	r.WriteText(&b)
	if !strings.Contains(b.String(), "3 errors: refused") {
		t.Errorf("text does not say that a row failed:\n%s", &b)
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	r := small()
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Tables, r.Tables) || got.Machine != r.Machine || !got.Time.Equal(r.Time) {
		t.Errorf("read %+v, want %+v", got, r)
	}
}

func TestRatioIsOfTheSameRounds(t *testing.T) {
	for _, c := range []struct {
		name      string
		row, base []float64
		want      float64
		ok        bool
	}{
		{"a machine that drifts", []float64{5, 50, 600}, []float64{10, 100, 1000}, 0.5, true},
		{"other rounds", []float64{5, 6}, []float64{10}, 0.55, true},
		{"nothing", nil, nil, 0, false},
		{"no base", []float64{1}, nil, 0, false},
		{"zero", []float64{1, 2}, []float64{1, 0}, 0, false},
	} {
		row, base := &Row{Samples: map[string][]float64{"x": c.row}}, &Row{Samples: map[string][]float64{"x": c.base}}
		if got, ok := row.Ratio(base, "x"); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestTextExplainsTerms(t *testing.T) {
	r := small()
	r.Tables[0].Terms = []Term{{"old", "what there was before"}}
	var b bytes.Buffer
	r.WriteText(&b)
	if !strings.Contains(b.String(), "old: what there was before.\n") {
		t.Errorf("the term is not explained:\n%s", &b)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 100}, 3.5}} {
		in := slices.Clone(c.in)
		if got := Median(in); got != c.want || !slices.Equal(in, c.in) {
			t.Errorf("median of %v is %v, want %v; it is %v afterwards", c.in, got, c.want, in)
		}
	}
}
