package recyclingotel

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

//go:generate go test -run "^TestDocsAreGenerated$" . -update

var update = flag.Bool("update", false, "write the files that are made from the list of instruments")

// docs is the page that describes all metrics. Its part for this package is between two lines.
const docs = "../../docs/metrics.md"

func TestDocsAreGenerated(t *testing.T) {
	page, err := os.ReadFile(docs)
	if os.IsNotExist(err) {
		t.Skip("this is not the repository:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin otel: go generate ./adapters/otel -->\n", "<!-- end otel -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", docs, begin, end)
	}
	want := before + begin + table() + end + after
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(page) != want {
		t.Errorf("%s is not what the list of instruments says; run go generate", docs)
	}
}

// table returns the instruments as a table in Markdown.
func table() string {
	var b strings.Builder
	fmt.Fprintln(&b, "\n| instrument | kind, unit | attributes | what it means | what to do about it |\n|---|---|---|---|---|")
	for _, i := range slices.Concat(instruments, taskInstruments) {
		attrs := ""
		if len(i.attributes) > 0 {
			attrs = "`" + strings.Join(i.attributes, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s, `%s` | %s | %s | %s |\n", i.name, i.kind, i.unit, attrs, i.help, i.do)
	}
	fmt.Fprintln(&b)
	return b.String()
}

func TestEveryInstrumentIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range slices.Concat(instruments, taskInstruments) {
		for _, text := range []string{i.help, i.do} {
			if len(text) < 20 || !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n") {
				t.Errorf("%s: %q is no sentence for a table", i.name, text)
			}
		}
		if seen[i.name] || i.unit == "" || (i.ratios != nil) != (i.kind == gauge && i.backlog == nil) {
			t.Errorf("%s is there twice, or has no unit or the wrong function", i.name)
		}
		seen[i.name] = true
	}
}

// notExported are the fields of Stats that no instrument reads.
var notExported = map[string]string{
	"Version":            "resource attributes tell versions apart",
	"Strategy":           "resource attributes tell instances apart",
	"Shed":               nameRefused,
	"ShedConns":          nameRefused,
	"ShedPerIP":          nameRefused,
	"ShedQueue":          nameRefused,
	"ShedWait":           nameRefused,
	"Evicted":            nameEvicted,
	"Requests":           nameDuration,
	"Stayed":             "it is for those who work on this project",
	"QueueWait":          "a setting",
	"MaxConnsPerIP":      "a setting",
	"MaxRequestsPerConn": "a setting",
	"MaxConnAge":         "a setting",
	"BodyTimeout":        "a setting",
	"AnswerTimeout":      "a setting",
}

// TestEveryCounterIsAMetric sets the fields of Stats one by one, and looks for an instrument whose
// value changes.
func TestEveryCounterIsAMetric(t *testing.T) {
	stats := recycling.Stats{Busy: 1, Waiting: 1, Queued: 1, Open: 1}
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
				t.Errorf("Stats.%s: an instrument changes: %v", name, changed)
			}
		}
	}
	visit(reflect.ValueOf(&stats).Elem())
}

// values returns the values of all instruments that are read from Stats, as text.
func values(stats *recycling.Stats) string {
	var b strings.Builder
	for _, i := range slices.Concat(instruments, taskInstruments) {
		switch {
		case i.value != nil:
			fmt.Fprintln(&b, i.name, i.value(stats))
		case i.ratios != nil:
			fmt.Fprintln(&b, i.name, i.ratios(stats))
		}
	}
	return b.String()
}
