package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// TestMain makes the test binary a server when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ServerArg {
		if err := ServerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise servers take a second to exit with -race
	os.Exit(m.Run())
}

func TestCheapRowsAreNotRed(t *testing.T) {
	var out bytes.Buffer
	c := Config{Rows: []string{"7", "18", "34", "39"}, Short: true}
	if err := Run(t.Context(), c, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+len(c.Rows) {
		t.Fatalf("%d lines:\n%s", len(lines), &out)
	}
	for i, number := range c.Rows {
		cells := strings.Split(lines[2+i], " | ")
		if len(cells) != 4 || cells[0] != "| "+number || cells[2] != "ok" || cells[3] != "ok |" {
			t.Errorf("line %q", lines[2+i])
		}
	}
}

func TestWhatIsLeftBehindIsRed(t *testing.T) {
	trial := &trial{ctx: t.Context(), recycling: true, short: true}
	defer trial.cleanUp()
	p, err := trial.start(setup{})
	if err != nil {
		t.Fatal(err)
	}
	if err := trial.invariants(p); err != nil {
		t.Error(err)
	}
	all, err := trial.dials(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := c.ask(request("/echo?q=a"), "a"); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // does not wait for them to end
	trial.ctx = ended
	if err := trial.balance(p); err == nil || !strings.Contains(err.Error(), "left behind: 2 connections open") {
		t.Errorf("2 connections are open: %v", err)
	}
	p.Kill()
	if err := trial.invariants(p); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("the invariants of a process that is dead: %v", err)
	}
}

func TestAServerThatEndsSaysWhy(t *testing.T) {
	_, err := newProcess(t.Context(), setup{Listener: "none"})
	if err == nil || !strings.Contains(err.Error(), `no listener "none"`) {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	results := []result{
		{row{1, "one", nil}, outcome{}, outcome{note: "a figure"}},
		{row{2, "two", nil}, outcome{err: errors.New("died")}, outcome{err: skip("needs strace")}},
		{row{3, "three", nil}, outcome{err: errNotDone}, outcome{err: fmt.Errorf("in part: %w", errors.New("a|b\nc"))}},
	}
	var out bytes.Buffer
	report := &harness.Report{W: &out}
	if writeTable(report, results); report.Err() != nil {
		t.Fatal(report.Err())
	}
	want := `| # | fault | net/http | recycling |
|---|---|---|---|
| 1 | one | ok | ok (a figure) |
| 2 | two | died | skipped: needs strace |
| 3 | three | not done | in part: a\|b c |
`
	if out.String() != want {
		t.Errorf("%s, want\n%s", &out, want)
	}
	// Failures of net/http are not errors.
	if err := red(results); err == nil || err.Error() != "faults: recycling failed in 1 rows: 3" {
		t.Error(err)
	}
	if err := red(results[:2]); err != nil {
		t.Error(err)
	}
}

func TestRowsAreNumberedFromOne(t *testing.T) {
	for i, r := range rows {
		if r.number != i+1 || r.fault == "" {
			t.Errorf("rows[%d] is %d, %q", i, r.number, r.fault)
		}
	}
	for _, name := range []string{"0", "51", "x", ""} {
		if err := Run(t.Context(), Config{Rows: []string{name}}, nil, nil); err == nil {
			t.Errorf("there is a row %q", name)
		}
	}
}

func TestEndedContextSkipsAndIsReturned(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err := Run(ctx, Config{Rows: []string{"1"}}, nil, &out)
	if !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), "| skipped: interrupted | skipped: interrupted |") {
		t.Errorf("%v\n%s", err, &out)
	}
}
