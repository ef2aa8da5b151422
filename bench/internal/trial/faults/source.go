package faults

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// module is the path of the modules that have the tests named in rows.
const module = "github.com/recycling-go/recycling/"

// A source runs tests of this repository, for faults that can only be observed inside a process.
type source struct {
	dir string // for test binaries

	mu    sync.Mutex // guards following
	built map[string]built
}

// A built is a test binary.
type built struct {
	binary string
	folder string // the folder in which it runs
	err    error
}

// test runs the tests of a package, such as "core/pool", that match run, as go test -run does, and
// expects all of them to pass.
func (s *source) test(ctx context.Context, pkg, run string) error {
	b := s.build(ctx, pkg)
	if b.err != nil {
		return b.err
	}
	cmd := exec.CommandContext(ctx, b.binary, "-test.run", run, "-test.short", "-test.v", "-test.timeout", rowLimit.String())
	cmd.Dir = b.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -run '%s' ./%s: %s", run, pkg, failure(out))
	}
	if !bytes.Contains(out, []byte("--- PASS: ")) {
		return skip(fmt.Sprintf("go test -run '%s' ./%s ran nothing here", run, pkg))
	}
	return nil
}

// failure returns the first lines that say what failed.
func failure(out []byte) string {
	var lines []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "--- FAIL") || strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic:") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "failed"
	}
	return strings.Join(lines[:min(3, len(lines))], "; ")
}

// build builds the test binary of a package, once.
func (s *source) build(ctx context.Context, pkg string) built {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.built[pkg]; ok {
		return b
	}
	b := built{binary: filepath.Join(s.dir, path.Base(pkg)+".test")}
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module+pkg).Output()
	if err == nil {
		b.folder = strings.TrimSpace(string(out))
		out, err = exec.CommandContext(ctx, "go", "test", "-c", "-o", b.binary, module+pkg).CombinedOutput()
	} else {
		out = nil
	}
	switch {
	case err == nil:
	case len(out) > 0: // output of the compiler
		b.err = fmt.Errorf("go test -c ./%s: %.200s", pkg, out)
	default:
		b.err = skip("needs the go command and the source of " + module + pkg)
	}
	if s.built == nil {
		s.built = map[string]built{}
	}
	s.built[pkg] = b
	return b
}
