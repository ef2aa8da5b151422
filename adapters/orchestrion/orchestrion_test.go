package orchestrion_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The released tool that the rules are tested with, and the version of x/net that the programs of
// the test use.
const (
	tool = "github.com/DataDog/orchestrion"
	at   = "v1.15.0"
	xnet = "v0.62.0"
)

const project = "github.com/recycling-go/recycling/"

// toolFile is what users have beside their go.mod.
const toolFile = `//go:build tools

package tools

import (
	_ "github.com/DataDog/orchestrion"
	_ "github.com/recycling-go/recycling/adapters/orchestrion"
)
`

// unavailable matches what the go command says if a module or a toolchain cannot be fetched.
var unavailable = regexp.MustCompile(`dial tcp|TLS handshake|i/o timeout|module lookup disabled|reading https?://|requires go >=`)

// An app is a module with several programs, which orchestrion builds.
type app struct {
	*testing.T
	dir string
}

// moduleDir returns the folder of a module of this project.
func moduleDir(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", project+name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// goroot returns the folder of the toolchain.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (a *app) path(name string) string { return filepath.Join(a.dir, filepath.FromSlash(name)) }

func (a *app) write(name, text string) {
	a.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(a.path(name)), 0o777), os.WriteFile(a.path(name), []byte(text), 0o666)); err != nil {
		a.Fatal(err)
	}
}

// add adds the program in an archive, which has a line "-- NAME --" before each file.
func (a *app) add(archive string) {
	a.Helper()
	text, err := os.ReadFile(archive)
	if err != nil {
		a.Fatal(err)
	}
	program := strings.TrimSuffix(filepath.Base(archive), ".txt")
	for _, file := range strings.Split("\n"+string(text), "\n-- ")[1:] {
		name, text, _ := strings.Cut(file, " --\n")
		if name != "go.mod" {
			a.write(program+"/"+name, text+"\n")
		}
	}
}

// run runs a command in the folder of the app.
func (a *app) run(env []string, name string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(a.Context(), name, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false", "GOBIN="+a.path("bin"),
		"RECYCLING_STRATEGY=", "RECYCLING_QUIET=", "RECYCLING_EXCEPT=")
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", cmd, err, &out, &errs)
	}
	return out.String(), errs.String(), err
}

// fetch runs the go command, and skips the test if that cannot fetch something.
func (a *app) fetch(args ...string) {
	a.Helper()
	switch _, _, err := a.run(nil, "go", args...); {
	case err != nil && unavailable.MatchString(err.Error()):
		a.Skipf("%s cannot be fetched: %v", tool, err)
	case err != nil:
		a.Fatal(err)
	}
}

// program runs a program that was built. It must succeed.
func (a *app) program(t *testing.T, name string, env ...string) (stdout, stderr string) {
	t.Helper()
	out, errs, err := a.run(env, a.path("out/"+name))
	if err != nil {
		t.Fatal(err)
	}
	return out, errs
}

// build builds the programs with the released tool.
func build(t *testing.T) *app {
	t.Helper()
	if testing.Short() {
		t.Skip("builds programs and the standard library, with a tool from the module proxy")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t, dir}
	core := moduleDir(t, "core")
	for _, name := range []string{"facts", "behaviour", "uses"} {
		a.add(filepath.Join(core, "cmd", "recycle", "testdata", name+".txt"))
	}
	a.add(filepath.Join("testdata", "http2.txt"))
	a.write("orchestrion.tool.go", toolFile)
	mod := fmt.Sprintf("module example.com/app\n\ngo 1.26.0\n\nrequire (\n\t%s %s\n\tgolang.org/x/net %s\n", tool, at, xnet)
	replace := ""
	for _, name := range []string{"adapters/orchestrion", "core", "listener"} {
		mod += fmt.Sprintf("\t%s%s v0.0.0\n", project, name)
		replace += fmt.Sprintf("\nreplace %s%s => %s\n", project, name, moduleDir(t, name))
	}
	a.write("go.mod", mod+")\n"+replace)
	a.fetch("install", tool+"@"+at)
	a.fetch("mod", "tidy")
	before := a.files("go.mod", "go.sum", "orchestrion.tool.go")
	if _, _, err := a.run(nil, a.path("bin/orchestrion"), "go", "build", "-o", a.path("out")+string(filepath.Separator), "./..."); err != nil {
		t.Fatal(err)
	}
	if a.files("go.mod", "go.sum", "orchestrion.tool.go") != before {
		t.Error("the build has changed go.mod, go.sum or orchestrion.tool.go")
	}
	return a
}

// files returns the text of files.
func (a *app) files(names ...string) string {
	a.Helper()
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(a.path(name))
		if err != nil {
			a.Fatal(err)
		}
		all = append(all, b...)
	}
	return string(all)
}

func TestOrchestrionBuildsProgramsOntoRecycledWorkers(t *testing.T) {
	a := build(t)
	says := func(t *testing.T, out, want string) {
		t.Helper()
		if !strings.Contains("\n"+out, "\n"+want+"\n") {
			t.Errorf("the program does not say %q:\n%s", want, out)
		}
	}
	t.Run("served by recycling", func(t *testing.T) {
		out, errs := a.program(t, "facts")
		says(t, out, "server: recycling")
		says(t, out, "shutdown: <nil> http: Server closed")
		if !strings.HasPrefix(errs, "recycling: built in by orchestrion, v") || strings.Count(errs, "\n") != 1 {
			t.Errorf("the program says on standard error\n%s\nwant one line about orchestrion", errs)
		}
		if out, errs = a.program(t, "facts", "RECYCLING_QUIET=1"); errs != "" {
			t.Errorf("with RECYCLING_QUIET=1 the program says %s", errs)
		}
		says(t, out, "server: recycling")
	})
	t.Run("served by net/http", func(t *testing.T) {
		out, errs := a.program(t, "facts", "RECYCLING_STRATEGY=goroutine")
		says(t, out, "server: net/http")
		says(t, out, "shutdown: <nil> http: Server closed")
		if errs != "" {
			t.Errorf("the program says %s", errs)
		}
	})
	for _, strategy := range []string{"recycling", "goroutine"} {
		env := "RECYCLING_STRATEGY=" + strategy
		// This covers Shutdown and Close.
		t.Run("behaves under "+strategy, func(t *testing.T) {
			out, _ := a.program(t, "behaviour", env)
			says(t, out, "ok a closed server is collected") // the last line
		})
		t.Run("is not doubled under "+strategy, func(t *testing.T) {
			out, errs := a.program(t, "uses", env)
			says(t, out, "ok not doubled")
			if strings.Contains(errs, "built in") {
				t.Errorf("the program says %s", errs)
			}
		})
		// With Go 1.27, x/net calls Serve with a listener that is none.
		t.Run("configures HTTP/2 under "+strategy, func(t *testing.T) {
			out, _ := a.program(t, "http2", env)
			says(t, out, "served: HTTP/2.0 <nil>")
		})
	}
	t.Run("stack traces lead to real lines", func(t *testing.T) {
		out, _ := a.program(t, "facts")
		m := regexp.MustCompile(`(?m)^line: (.*server\.go):(\d+)$`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("there is no line of server.go in %s", out)
		}
		text, err := os.ReadFile(m[1])
		if err != nil {
			t.Fatal(err)
		}
		var n int
		fmt.Sscan(m[2], &n)
		if line := strings.Split(string(text), "\n")[n-1]; strings.TrimSpace(line) != "f(w, r)" {
			t.Errorf("line %d is %q, want the call in HandlerFunc.ServeHTTP", n, line)
		}
	})
}
