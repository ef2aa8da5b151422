package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// html writes the page of a run and parses it.
func html(t *testing.T, r *record.Run) *node {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	n := parse(t, b.Bytes(), true)
	noLoads(t, n)
	return n
}

func TestPageShowsAllOfARun(t *testing.T) {
	r := sampleRun()
	page := html(t, r)
	all := page.all()
	for _, want := range []string{
		r.Machine.String(), "8.0 GiB", "4 May 2026, 12:30 UTC", "bench all -full", "v1.70.0", "0123abcd",
		"Measured by others on their own machines", "12,579 requests/s", "23 errors: read: connection reset by peer",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	sections := slices.DeleteFunc(page.find("section", ""), func(n *node) bool { return n.attr["id"] == "costs" })
	if len(sections) != len(r.Tables) {
		t.Fatalf("%d sections for %d tables", len(sections), len(r.Tables))
	}
	for i, s := range sections {
		table := r.Tables[i]
		if s.attr["id"] != table.Name || !strings.Contains(s.all(), table.Title) || !strings.Contains(s.all(), table.Note) {
			t.Errorf("table %s is not told apart", table.Name)
		}
		if n := len(s.find("svg", "chart")); n != len(table.Charts) {
			t.Errorf("table %s has %d pictures, want %d", table.Name, n, len(table.Charts))
		}
		if n := len(s.find("table", "figures")[0].find("tr", "")); n != len(table.Rows)+1 {
			t.Errorf("table %s has %d lines for %d rows", table.Name, n, len(table.Rows))
		}
		raw := strings.Fields(s.find("table", "samples")[0].all())
		for _, row := range table.Rows {
			for _, c := range table.Columns {
				for _, v := range row.Samples[c.Name] {
					if !slices.Contains(raw, fmt.Sprint(v)) {
						t.Errorf("table %s does not list the sample %v of %q", table.Name, v, row.Key)
					}
				}
			}
		}
	}
}

func TestPageEscapesNames(t *testing.T) {
	page := html(t, &record.Run{Tables: []*record.Table{hardTable()}, Args: []string{"<b>"}})
	if got := texts(page.find("h2", "")); !slices.Equal(got, []string{`<script>alert("&")</script>`}) {
		t.Errorf("the heading is %q", got)
	}
	if all := page.all(); !strings.Contains(all, "a <b>note</b>") || !strings.Contains(all, "<i>&amp;") {
		t.Error("names are not shown as they are")
	}
}

func TestEmptyRun(t *testing.T) {
	for _, r := range []*record.Run{{}, {Tables: []*record.Table{{Name: "t", Title: "T", Keys: []string{"server"}}}}} {
		html(t, r)
		if err := WriteMarkdown(new(bytes.Buffer), r); err != nil {
			t.Error(err)
		}
		if n, err := Compare(new(bytes.Buffer), r, r); n != 0 || err != nil {
			t.Errorf("%d changes, error %v", n, err)
		}
	}
}

// The page shows the same figures as the text.
func TestSheetIsWhatCellsSay(t *testing.T) {
	for _, table := range append(sampleRun().Tables, hardTable()) {
		s, cells := newSheet(table), table.Cells()
		for i, want := range cells[1:] {
			want = slices.Clone(want)
			for at := len(want) - 1; at >= 0; at-- {
				if cells[0][at] == "x" { // ratios have their own table
					want = slices.Delete(want, at, at+1)
				}
			}
			var got []string
			for _, c := range s.Lines[i].Cells {
				got = append(got, c.Text)
			}
			if !slices.Equal(got, want) {
				t.Errorf("line %d of table %s is %q, want %q", i, table.Name, got, want)
			}
		}
	}
}

// The page shows the same ratios as the text.
func TestRatiosAreWhatCellsSay(t *testing.T) {
	for _, table := range sampleRun().Tables {
		cells := table.Cells()
		var want []string
		for _, line := range cells[1:] {
			for at, text := range line {
				// Skip rows that failed.
				if cells[0][at] == "x" && text != "" && line[len(line)-1] == "" {
					want = append(want, text)
				}
			}
		}
		var got []string
		for _, g := range newRatios(table).Groups {
			for _, l := range g.Lines {
				for _, c := range l.Cells {
					if c.Text != "" {
						got = append(got, c.Text)
					}
				}
			}
		}
		if table.Name == "connections" && !slices.Equal(got, want) {
			t.Errorf("ratios of table %s are\n%q, want\n%q", table.Name, got, want)
		}
		if (len(got) > 0) != (table.Baseline != "") {
			t.Errorf("table %s with baseline %q has %d ratios", table.Name, table.Baseline, len(got))
		}
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b, sampleRun()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# recycling measured against net/http, fasthttp, hertz and nginx\n", "Better than net/http:\n", "## What it costs\n",
		"- fasthttp: a server", "## Pools", "| server |", "|---:|", "| **0.4", "Published elsewhere", "4,288 requests/s",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("want %q in\n%s", want, &b)
		}
	}
	b.Reset()
	if err := WriteMarkdown(&b, &record.Run{Tables: []*record.Table{hardTable()}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "&lt;i>&amp;amp;") || strings.Contains(b.String(), "<i>") {
		t.Errorf("signs are not escaped in\n%s", &b)
	}
	if got := plain("a|b_c\nd"); got != `a\|b\_c d` {
		t.Errorf("got %q", got)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	r := sampleRun()
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	want := []string{"report.html", "report.md", "samples.txt"}
	for _, table := range r.Tables {
		for _, c := range table.Charts {
			want = append(want, c.Name+".svg")
		}
	}
	slices.Sort(want)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files are %q, want %q", got, want)
	}
	for _, name := range []string{"", "../x", "a/b"} {
		r.Tables[0].Charts[0].Name = name
		if err := Write(dir, r); err == nil {
			t.Errorf("a chart of the name %q was written", name)
		}
	}
}
