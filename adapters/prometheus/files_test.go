package recyclingprometheus

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	recycling "github.com/recycling-go/recycling/core"
)

//go:generate go test -run "^TestFilesAreGenerated$" . -update

var update = flag.Bool("update", false, "write the files that are made from the list of metrics")

// allMetrics are the metrics of servers, and those of tasks.
var allMetrics = slices.Concat(metrics, taskMetrics)

// docs is the page that describes all metrics. Its part for this package is between two lines.
const docs = "../../docs/metrics.md"

func TestFilesAreGenerated(t *testing.T) {
	compare(t, "dashboard.json", makeDashboard(t))
	page, err := os.ReadFile(docs)
	if os.IsNotExist(err) {
		t.Skip("this is not the repository:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin prometheus: go generate ./adapters/prometheus -->\n", "<!-- end prometheus -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", docs, begin, end)
	}
	compare(t, docs, before+begin+table()+end+after)
}

// compare fails if the file does not consist of want, or writes it.
func compare(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the list of metrics says; run go generate (error: %v)", file, err)
	}
}

// table returns the metrics as a table in Markdown.
func table() string {
	var b strings.Builder
	fmt.Fprintln(&b, "\n| metric | type | what it means | what to do about it |\n|---|---|---|---|")
	for _, m := range allMetrics {
		name := "`" + m.name + "`"
		if len(m.labels) > 0 {
			name += " by `" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, typeName(m), m.help, m.do)
	}
	fmt.Fprintln(&b)
	return b.String()
}

func typeName(m metric) string {
	switch m.kind {
	case counter:
		return "counter"
	case gauge:
		return "gauge"
	case histogram:
		return "histogram"
	}
	panic(fmt.Sprint("BUG: kind ", m.kind))
}

func TestEveryMetricIsDescribed(t *testing.T) {
	for _, m := range allMetrics {
		for _, text := range []string{m.help, m.do} {
			if len(text) < 20 || !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n") {
				t.Errorf("%s: %q is no sentence for a table", m.name, text)
			}
		}
		if (m.times != nil) != (m.kind == histogram) || (m.values != nil) == (m.times != nil) {
			t.Errorf("%s: its functions are not those of a %s", m.name, typeName(m))
		}
	}
}

// notExported are the fields of Stats that are no metrics of their own.
var notExported = map[string]string{
	"Shed":      "recycling_connections_refused_total has the reasons",
	"ShedConns": "recycling_connections_refused_total has the reasons",
	"ShedPerIP": "recycling_connections_refused_total has the reasons",
	"ShedQueue": "recycling_connections_refused_total has the reasons",
	"ShedWait":  "recycling_connections_refused_total has the reasons",
	"Evicted":   "recycling_connections_evicted_total has the reasons",
}

// TestEveryCounterIsAMetric sets the fields of Stats one by one. A metric must change.
func TestEveryCounterIsAMetric(t *testing.T) {
	var stats recycling.Stats
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			if f.Kind() == reflect.Struct {
				visit(f)
				continue
			}
			before := values(&stats)
			was := reflect.ValueOf(f.Interface())
			if f.Kind() == reflect.String {
				f.SetString("v")
			} else {
				f.SetInt(7e9)
			}
			changed := values(&stats) != before
			f.Set(was)
			if _, not := notExported[name]; changed == not {
				t.Errorf("Stats.%s: a metric changes: %v", name, changed)
			}
		}
	}
	stats.Version = "some" // without it there is no build_info
	visit(reflect.ValueOf(&stats).Elem())
}

// values returns the values of all metrics as text.
func values(stats *recycling.Stats) string {
	var b strings.Builder
	s := &snapshot{Stats: *stats}
	for _, m := range metrics {
		if m.values != nil {
			m.values(s, func(v float64, labels ...string) { fmt.Fprintln(&b, m.name, labels, v) })
		}
	}
	return b.String()
}

func TestAlertsNameMetrics(t *testing.T) {
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(rules)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "expr":
			if len(metricsIn(t, value)) == 0 {
				t.Errorf("there is no metric in %s", value)
			}
		case "- alert":
			n++
			if !strings.Contains(string(tests), "alertname: "+value) {
				t.Errorf("alerts_test.yml does not test %s", value)
			}
		}
	}
	if n == 0 {
		t.Error("there are no alerts")
	}
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	promtool(t, "", "check", "rules", "alerts.yml")
	promtool(t, "", "test", "rules", "alerts_test.yml")
}

// promtool runs promtool with an input. It skips the test if there is none.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing: it is in Debian's package prometheus")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "error") {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// series returns the value of a series, or of the count of a histogram, and whether it exists.
func series(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) (float64, bool) {
	t.Helper()
	m := find(t, reg, name, labels...)
	switch {
	case m == nil:
		return 0, false
	case m.Counter != nil:
		return m.Counter.GetValue(), true
	case m.Gauge != nil:
		return m.Gauge.GetValue(), true
	}
	return float64(m.Histogram.GetSampleCount()), true
}

// find returns the metric with a name that has all labels, which are names and values, or nil.
func find(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) *dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			has := map[string]string{}
			for _, l := range m.Label {
				has[l.GetName()] = l.GetValue()
			}
			ok := true
			for i := 0; i < len(labels); i += 2 {
				ok = ok && has[labels[i]] == labels[i+1]
			}
			if ok {
				return m
			}
		}
	}
	return nil
}
