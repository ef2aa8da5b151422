package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// TestMain makes the test binary the processes that a measurement starts, like the program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
	}
	os.Exit(m.Run())
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for args, named := range map[string]string{
		"all -rounds -1": "-rounds", "idle -cores -2": "-cores", "what": "what", "all -what": "-what", "pool x": `"x"`,
		"faults -rows": "-rows", "soak x": `"x"`, "-what": "-what", "report": "file", "compare a": "new run", "compare a b c": `"c"`,
	} {
		var stderr bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), io.Discard, &stderr); !errors.Is(err, errUsage) || !strings.Contains(stderr.String(), named) {
			t.Errorf("%s: %v, and %q is printed, want errUsage and %s named", args, err, &stderr, named)
		}
	}
}

func TestHelpNamesAllCommands(t *testing.T) {
	for _, args := range []string{"-h", "all -h", "compare -h"} {
		var stderr bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), io.Discard, &stderr); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v, want flag.ErrHelp", args, err)
		}
		for _, v := range verbs {
			if !strings.Contains(stderr.String(), "\t"+v.name) {
				t.Errorf("%s does not name %s", args, v.name)
			}
		}
	}
}

// files returns the names of what a run has written.
func files(t *testing.T, dir string) (samples string, others []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if strings.HasSuffix(e.Name(), ".json") {
			samples = filepath.Join(dir, e.Name())
		} else {
			others = append(others, e.Name())
		}
	}
	return samples, others
}

func TestMeasureReportAndCompare(t *testing.T) {
	dir := t.TempDir()
	var text bytes.Buffer
	if err := run(t.Context(), []string{"bodies", "-rounds", "1", "-o", dir}, &text, io.Discard); err != nil {
		t.Fatal(err)
	}
	samples, others := files(t, dir)
	for _, name := range []string{"report.html", "report.md", "bodies-rate.svg"} {
		if !slices.Contains(others, name) {
			t.Errorf("there is no %s, but %q", name, others)
		}
	}
	b, err := os.ReadFile(samples)
	if err != nil {
		t.Fatal(err)
	}
	var r record.Run
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 1 || r.Tables[0].Name != "bodies" || r.Machine.CPUs == 0 || !slices.Equal(r.Args, []string{"bodies", "-rounds", "1", "-o", dir}) {
		t.Errorf("samples are %s", b)
	}
	for _, s := range []string{"net/http", "recycling", "p99", samples} {
		if !strings.Contains(text.String(), s) {
			t.Errorf("%q is not printed:\n%s", s, &text)
		}
	}
	again := t.TempDir()
	if err := run(t.Context(), []string{"report", "-o", again, samples}, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	if _, got := files(t, again); !slices.Equal(got, others) {
		t.Errorf("report writes %q, want %q", got, others)
	}
	text.Reset()
	if err := run(t.Context(), []string{"compare", samples, samples}, &text, io.Discard); err != nil || !strings.Contains(text.String(), "No change") {
		t.Errorf("compare with itself: %v\n%s", err, &text)
	}
}

func TestInterruptedRunKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	stderr := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("round 2")) {
			cancel()
		}
		return len(b), nil
	})
	if err := run(ctx, []string{"bodies", "-rounds", "2", "-o", dir}, io.Discard, stderr); !errors.Is(err, context.Canceled) {
		t.Fatalf("returned %v", err)
	}
	samples, _ := files(t, dir)
	r, err := record.Read(samples)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 1 || len(r.Tables[0].Rows) == 0 {
		t.Errorf("nothing was kept: %+v", r)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
