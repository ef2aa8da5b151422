package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A suite is a set of packages whose tests are run, and where to run them.
type suite struct {
	name     string
	dir      string   // where to run the go command; "" means here
	work     string   // a go.work file; "" means the current one
	packages []string // import paths
}

// open finds the packages of a suite. It copies those of a module into dir, together with a go.work
// file, since the module cache must not be changed, not even by an overlay.
func open(name, dir string) (*suite, error) {
	module, version, ok := strings.Cut(name, "@")
	if !ok {
		return &suite{name: name, packages: []string{name}}, nil
	}
	var info struct{ Dir, Error string }
	out, err := output("", nil, "go", "mod", "download", "-json", name)
	if jerr := json.Unmarshal(out, &info); jerr != nil || info.Dir == "" {
		return nil, fmt.Errorf("go mod download %s: %v %s", name, err, info.Error)
	}
	s := &suite{name: name, dir: filepath.Join(dir, "module"), work: filepath.Join(dir, "go.work")}
	if err := os.CopyFS(s.dir, os.DirFS(info.Dir)); err != nil {
		return nil, fmt.Errorf("copy %s %s: %w", module, version, err)
	}
	if err := makeWritable(s.dir); err != nil {
		return nil, err
	}
	work := "go 1.25.0\n\nuse " + s.dir + "\n"
	for _, m := range []string{"core", "listener"} {
		out, err := output("", nil, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/recycling-go/recycling/"+m)
		if err != nil {
			return nil, fmt.Errorf("go list -m: %w: run this in the workspace of the project", err)
		}
		work += "use " + strings.TrimSpace(string(out)) + "\n"
	}
	if err := os.WriteFile(s.work, []byte(work), 0o666); err != nil {
		return nil, err
	}
	out, err = output(s.dir, s.env(), "go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "./...")
	if err != nil {
		return nil, fmt.Errorf("go list ./... in %s: %w", name, err)
	}
	s.packages = strings.Fields(string(out))
	return s, nil
}

func (s *suite) env() []string {
	if s.work == "" {
		return os.Environ()
	}
	return append(os.Environ(), "GOWORK="+s.work, "GOFLAGS=")
}

func output(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, os.Stderr
	return cmd.Output()
}

func makeWritable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}
