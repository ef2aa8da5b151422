package applications

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// Tests are the results of an application's own tests.
type Tests struct {
	Total, Passed, Failed, Skipped int // of the plain build, with subtests

	// Differing are tests with another result if they are built by recycle: "package.test: plain
	// result, recycled result".
	Differing []string
	// Unsteady are tests whose results differed at first, and did not when they were repeated.
	Unsteady []string
}

// results has "pass", "fail" or "skip" for each test, named package.test. A package without tests
// that ran, because it does not build for example, has a result by the package's own name.
type results map[string]string

// test runs the application's tests both ways. Packages with differing results are tested once
// more: a test that depends on time or on the order of goroutines may fail anywhere.
func (s *subject) test(ctx context.Context) (*Tests, error) {
	if len(s.Tests) == 0 {
		return nil, nil
	}
	first, err := s.testBoth(ctx, s.Tests)
	if err != nil {
		return nil, err
	}
	t := &Tests{Total: len(first[plain])}
	for _, result := range first[plain] {
		switch result {
		case "pass":
			t.Passed++
		case "fail":
			t.Failed++
		case "skip":
			t.Skipped++
		}
	}
	differing := differ(first[plain], first[recycled])
	if len(differing) == 0 {
		return t, nil
	}
	var packages []string
	for _, name := range differing {
		packages = append(packages, packageOf(name))
	}
	slices.Sort(packages)
	second, err := s.testBoth(ctx, slices.Compact(packages))
	if err != nil {
		return nil, err
	}
	for _, name := range differing {
		if one, two := second[plain][name], second[recycled][name]; one == two && one != "" {
			t.Unsteady = append(t.Unsteady, name)
		} else {
			t.Differing = append(t.Differing, fmt.Sprintf("%s: %s, %s", name, cmp.Or(one, "none"), cmp.Or(two, "none")))
		}
	}
	return t, nil
}

// differ returns the names of the tests whose results differ, or that only one of the runs has.
func differ(a, b results) (names []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for name := range all {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// packageOf returns the import path of a test named package.test. The names of tests and subtests
// contain dots and slashes too.
func packageOf(name string) string {
	if at := testName.FindStringIndex(name); at != nil {
		return name[:at[0]]
	}
	return name
}

var testName = regexp.MustCompile(`\.(Test|Example|Fuzz|Benchmark)`)

// testBoth runs the tests of packages both ways.
func (s *subject) testBoth(ctx context.Context, packages []string) (both [kinds]results, err error) {
	for k := range kind(kinds) {
		if both[k], err = s.testOne(ctx, k, packages); err != nil {
			break
		}
	}
	return both, err
}

// testOne runs the tests of packages.
func (s *subject) testOne(ctx context.Context, k kind, packages []string) (results, error) {
	s.say("go test %v", k)
	args := slices.Concat([]string{"test", "-json", "-count=1", "-p=1"}, s.Build, s.TestFlags, packages)
	cmd := s.command(ctx, s.sourceDir(), s.t.tool(k), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	all := parseResults(out)
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no test ran: %v\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return all, nil
}

// Names of tests may contain the address of a server, which has another port each time, and random
// digits, such as those that separate the parts of a form.
var (
	port   = regexp.MustCompile(`(127\.0\.0\.1|localhost|\[::1?\]):\d+`)
	random = regexp.MustCompile(`[0-9a-f]{32,}`)
)

// parseResults parses the output of go test -json, as go doc test2json describes it. Lines that are
// not JSON are skipped: test programs may print them.
func parseResults(out []byte) results {
	all := results{}
	tested := map[string]bool{} // packages
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch e.Action {
		case "pass", "fail", "skip":
		default:
			continue
		}
		if e.Test != "" {
			name := e.Package + "." + port.ReplaceAllString(e.Test, "${1}:{port}")
			name = random.ReplaceAllString(name, "{random}")
			if all[name] != "fail" { // if several tests get the same name, one failure counts
				all[name] = e.Action
			}
			tested[e.Package] = true
		} else if e.Action == "fail" && !tested[e.Package] {
			all[e.Package] = e.Action
		}
	}
	return all
}
