package main

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type options struct {
	race, short, verbose bool
	run, skip            string
	strategy, log        string
	timeout              time.Duration
}

//go:embed excuses.txt
var excusesText string

// excuses returns the reasons for the tests of a package that cannot pass. Each line of the file is
// a package, a test and a reason.
func excuses(pkg string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(excusesText) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) == 3 && f[0] == pkg {
			m[f[1]] = f[2]
		}
	}
	return m
}

// A result holds the results of a package's tests.
type result struct {
	pkg      string
	outcome  map[string]string // by test: run if it has not ended, pass, fail, skip
	output   map[string]string
	last     []string // the last lines of the output
	excused  map[string]string
	baseline map[string]string
}

// compare runs the tests of a suite without and with the hook, and reports whether every test that
// passes without the hook also passes with it.
func (o options) compare(name string) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	s, err := open(name, dir)
	if err != nil {
		return false, err
	}
	ok = true
	for _, pkg := range s.packages {
		r, err := o.comparePackage(s, pkg, dir)
		if err != nil {
			return false, err
		}
		r.print(os.Stdout, o.verbose)
		ok = ok && r.ok()
	}
	return ok, nil
}

func (o options) comparePackage(s *suite, pkg, dir string) (*result, error) {
	out, err := output(s.dir, s.env(), "go", "list", "-f", "{{.Dir}} {{.Name}} {{len .XTestGoFiles}}", pkg)
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	f := strings.Fields(string(out))
	name := f[1]
	if f[2] != "0" {
		name += "_test"
	}
	file, err := overlay(dir, f[0], name)
	if err != nil {
		return nil, err
	}
	base, err := o.runTests(s, pkg, file, "", dir)
	if err != nil {
		return nil, err
	}
	if len(base.unended()) > 0 {
		return nil, fmt.Errorf("%s ends early on net/http itself; it printed, in the end,\n%s", pkg, strings.Join(base.last, ""))
	}
	r, err := o.runTests(s, pkg, file, o.strategy, dir)
	if err != nil {
		return nil, err
	}
	r.baseline = base.outcome
	r.excused = excuses(pkg)
	return r, nil
}

// An event is a line of the output of go test -json.
type event struct{ Action, Test, Output string }

func (o options) runTests(s *suite, pkg, overlay, strategy, dir string) (*result, error) {
	args := []string{"test", "-json", "-vet=off", "-count=1", "-overlay", overlay}
	if o.race {
		args = append(args, "-race")
	}
	if o.short {
		args = append(args, "-short")
	}
	if o.run != "" {
		args = append(args, "-run", o.run)
	}
	if o.skip != "" {
		args = append(args, "-skip", o.skip)
	}
	timeout := o.timeout
	if timeout == 0 {
		timeout = 10 * time.Minute
	}
	args = append(args, "-timeout", timeout.String(), pkg)
	cmd := exec.Command("go", args...)
	cmd.Dir = s.dir
	cmd.Env = append(s.env(), "RECYCLING_STRATEGY="+cmp.Or(strategy, "goroutine"), "RECYCLING_QUIET=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &result{pkg: pkg, outcome: map[string]string{}, output: map[string]string{}}
	var in io.Reader = stdout
	if o.log != "" && strategy != "" {
		all, err := os.Create(o.log)
		if err != nil {
			return nil, err
		}
		defer all.Close()
		in = io.TeeReader(stdout, all)
	}
	if err := r.read(in); err != nil {
		return nil, err
	}
	err = cmd.Wait()
	if len(r.outcome) == 0 && err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("go %s: %v\n%s%s", strings.Join(args, " "), err, text, r.output[""])
	}
	return r, nil
}

// lastLines is how many lines of the output are kept to show why a run has ended early.
const lastLines = 200

func (r *result) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			e = event{Action: "output", Output: string(line)}
		}
		switch e.Action {
		case "run", "pass", "fail", "skip":
			if e.Test != "" {
				r.outcome[e.Test] = e.Action
			}
		case "output", "build-output":
			r.output[e.Test] += e.Output
			if r.last = append(r.last, e.Output); len(r.last) > 2*lastLines {
				r.last = slices.Clone(r.last[lastLines:])
			}
		}
	}
}

// unended returns the tests that have begun and not ended.
func (r *result) unended() (names []string) {
	for name, outcome := range r.outcome {
		if outcome == "run" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// failures returns the tests that pass on net/http but not here, without the parents of such tests.
func (r *result) failures() (failed []string) {
	for t, base := range r.baseline {
		if base != "pass" || r.outcome[t] == "pass" || r.outcome[t] == "skip" {
			continue
		}
		leaf := true
		for other := range r.baseline {
			if strings.HasPrefix(other, t+"/") && r.baseline[other] == "pass" && r.outcome[other] != "pass" && r.outcome[other] != "skip" {
				leaf = false
			}
		}
		if leaf {
			failed = append(failed, t)
		}
	}
	slices.Sort(failed)
	return failed
}

func (r *result) excuse(test string) string {
	for t := test; ; {
		if why := r.excused[t]; why != "" {
			return why
		}
		i := strings.LastIndexByte(t, '/')
		if i < 0 {
			return ""
		}
		t = t[:i]
	}
}

func (r *result) ok() bool {
	for _, t := range r.failures() {
		if r.excuse(t) == "" {
			return false
		}
	}
	return true
}

func (r *result) print(w io.Writer, verbose bool) {
	passed, excused, failed := 0, 0, 0
	for t, base := range r.baseline {
		if base == "pass" && r.outcome[t] == "pass" {
			passed++
		}
	}
	for _, t := range r.failures() {
		why := r.excuse(t)
		if why != "" {
			excused++
			fmt.Fprintf(w, "excused %s: %s\n", t, why)
			continue
		}
		failed++
		what := r.outcome[t]
		switch what {
		case "":
			what = "did not begin"
		case "run":
			what = "did not end"
		}
		fmt.Fprintf(w, "FAIL %s (%s)\n", t, what)
		if verbose {
			fmt.Fprint(w, r.output[t])
			if root, _, sub := strings.Cut(t, "/"); sub {
				fmt.Fprint(w, r.output[root])
			}
		}
	}
	if verbose && r.output[""] != "" {
		fmt.Fprint(w, r.output[""])
	}
	if names := r.unended(); len(names) > 0 {
		fmt.Fprintf(w, "The run has ended early, in %s. It printed, in the end,\n%s", strings.Join(names, ", "), strings.Join(r.last, ""))
	}
	fmt.Fprintf(w, "%s: %d tests pass on net/http; here %d passed, %d failed, %d excused\n", r.pkg, passed+failed+excused, passed, failed, excused)
}
