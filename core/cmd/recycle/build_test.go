package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// module returns a go.mod.
func module(language string) map[string]string {
	return map[string]string{"go.mod": "module example.com/app\n\ngo " + language + "\n"}
}

func TestModuleServesOnRecycledWorkers(t *testing.T) {
	a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
	_, first := a.recycle("build", "-x", "-o", "out/app", ".")
	_, second := a.recycle("build", "-x", "-o", "out/app", ".")
	out, errs := a.run(a.path("out/app"), "x", "-y")
	a.says(out, "server: recycling")
	a.says(out, "shutdown: <nil> http: Server closed")
	a.says(out, "args: x -y")
	if n := strings.Count(errs, "built in by the command recycle, v"); n != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("the program says on standard error\n%s\nwant one line about the command", errs)
	}
	for name, env := range map[string]string{"net/http": "RECYCLING_STRATEGY=goroutine", "recycling": "RECYCLING_QUIET=1"} {
		cmd := a.command(a.path("out/app"))
		cmd.Env = append(cmd.Env, env)
		out, errs := a.succeed(cmd)
		a.says(out, "server: "+name)
		if errs != "" {
			t.Errorf("with %s the program says %s", env, errs)
		}
	}
	info, _ := a.run("go", "version", "-m", "out/app")
	if !regexp.MustCompile(`\tdep\t` + corePath + `\tv0\.0\.0\n\t=>\t/`).MatchString(info) {
		t.Errorf("go version -m does not name %s:\n%s", corePath, info)
	}
	a.checkLine(out)
	checkTools(t, first, second)
}

// checkLine checks that the line of server.go in a stack trace is that line of the file on disk.
func (a *app) checkLine(out string) {
	a.Helper()
	m := regexp.MustCompile(`(?m)^line: (.*server\.go):(\d+)$`).FindStringSubmatch(out)
	if m == nil {
		a.Fatalf("there is no line of server.go in %s", out)
	}
	text, err := os.ReadFile(m[1])
	if err != nil {
		a.Fatal(err)
	}
	var n int
	fmt.Sscan(m[2], &n)
	if line := strings.Split(string(text), "\n")[n-1]; strings.TrimSpace(line) != "f(w, r)" {
		a.Errorf("line %d is %q, want the call in HandlerFunc.ServeHTTP", n, line)
	}
}

// checkTools checks that a second build compiles nothing. The overlay's files have the same paths
// and contents each time, so the go command finds what it has compiled before.
func checkTools(t *testing.T, first, second string) {
	t.Helper()
	tool := regexp.MustCompile(`(?m)^\S*/tool/\S*/(compile|asm|link)\S* `)
	if !tool.MatchString(first) {
		t.Errorf("the first build does not run the compiler:\n%s", first)
	}
	if all := tool.FindAllString(second, -1); len(all) > 0 {
		t.Errorf("the second build runs %d tools: %s", len(all), all)
	}
}

func TestOldLanguageKeepsItsMeaning(t *testing.T) {
	for language, want := range map[string]string{"1.21": "3", "1.23.0": "0"} {
		t.Run(language, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, module(language))
			a.recycle("build", "-o", "out/app", ".")
			out, _ := a.run(a.path("out/app"))
			a.says(out, "server: recycling")
			a.says(out, "loop: "+want)
			plain, _ := a.run("go", "list", "-f", "DefaultGODEBUG={{.DefaultGODEBUG}}", ".")
			info, _ := a.run("go", "version", "-m", "out/app")
			if got := regexp.MustCompile(`DefaultGODEBUG=.*`).FindString(info); got != strings.TrimSpace(plain) {
				t.Errorf("the default of GODEBUG is %q, want %q", got, plain)
			}
		})
	}
}

func TestFlagsOfTheGoCommand(t *testing.T) {
	for _, flags := range []string{
		"-race",
		"-trimpath -mod=mod --tags=special -ldflags -X=main.value=set",
		"-buildmode=pie -modfile=other.mod -overlay other.json",
	} {
		t.Run(flags, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
			if strings.Contains(flags, "-race") && runtime.GOOS != "linux" {
				t.Skip("needs cgo here")
			}
			if strings.Contains(flags, "-modfile") {
				a.write("other.mod", "module example.com/app\n\ngo 1.25.0\n")
				a.write("go.mod", "module example.com/unused\n")
			}
			a.write("replaced.go", "//go:build !special\n\npackage main\n\nconst tagged = \"overlaid\"\n")
			a.write("other.json", `{"Replace": {"notag.go": "replaced.go", "replaced.go": ""}}`)
			if !strings.Contains(flags, "-overlay") {
				os.Remove(a.path("replaced.go"))
			}
			out, _ := a.recycle(append(append([]string{"run"}, strings.Fields(flags)...), ".", "-x", "y.go")...)
			a.says(out, "server: recycling")
			a.says(out, "args: -x y.go")
			value, tagged := "", "plain"
			if strings.Contains(flags, "-ldflags") {
				value = "set"
			}
			if strings.Contains(flags, "special") {
				tagged = "tagged"
			}
			if strings.Contains(flags, "-overlay") {
				tagged = "overlaid"
			}
			a.says(out, "value: "+value+" "+tagged)
		})
	}
}

func TestFlagsInTheEnvironmentAndAnotherFolder(t *testing.T) {
	a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
	a.env = append(a.env, "GOFLAGS=-tags=special -buildvcs=false -mod=vendor", "CGO_ENABLED=0")
	core, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.Symlink(core, filepath.Join(other, "core")); err != nil {
		t.Skip(err)
	}
	cmd := a.recycleCommand("-core", "core", "build", "-C", a.dir, "-o", "out/app")
	cmd.Dir = other
	a.succeed(cmd)
	out, _ := a.run(a.path("out/app"))
	a.says(out, "server: recycling")
	a.says(out, "value:  tagged")
}

func TestFilesInsteadOfAPackage(t *testing.T) {
	a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
	for _, dir := range []string{"", "./", a.dir + string(filepath.Separator)} {
		out, _ := a.recycle("run", dir+"main.go", dir+"notag.go", "z")
		a.says(out, "server: recycling")
		a.says(out, "args: z")
	}
}

// What is added to a package must not be missing because go list does not know the package.
func TestOverlaidPackage(t *testing.T) {
	a := newApp(t, nil, module("1.25.0"))
	a.unpack("facts.txt", "out/")
	a.write("o.json", `{"Replace": {"cmd/main.go": "out/main.go", "cmd/tag.go": "out/notag.go"}}`)
	a.write("out/notag.go", "package main\n\nconst tagged = \"overlaid\"\n")
	out, _ := a.recycle("run", "-overlay=o.json", "./cmd")
	a.says(out, "server: recycling")
	a.says(out, "value:  overlaid")
}

func TestSeveralPrograms(t *testing.T) {
	a := newApp(t, nil, module("1.25.0"))
	for _, name := range []string{"one", "two"} {
		a.unpack("facts.txt", "cmd/"+name+"/")
	}
	a.write("lib/lib.go", "package lib\n")
	a.env = append(a.env, "GOBIN="+a.path("out"))
	a.recycle("install", "./...")
	for _, name := range []string{"one", "two"} {
		out, _ := a.run(a.path("out/" + name))
		a.says(out, "server: recycling")
	}
}

func TestOtherSystems(t *testing.T) {
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
			a.env = append(a.env, "GOOS="+system, "CGO_ENABLED=0")
			a.recycle("build", "-o", "out/app", ".")
			out, _ := a.run("go", "version", "-m", "out/app")
			if !strings.Contains(out, corePath) || !strings.Contains(out, "GOOS="+system) {
				t.Errorf("go version -m says\n%s", out)
			}
		})
	}
}

func TestExitCodeIsThatOfTheGoCommand(t *testing.T) {
	a := newApp(t, nil, module("1.25.0"))
	a.write("main.go", "package main\n\nfunc main() { undefined() }\n")
	err := a.recycleCommand("build", ".").Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Errorf("exit: %v, want 1", err)
	}
	a.write("main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Fail() }\n")
	a.write("main.go", "package main\n\nfunc main() {}\n")
	err = a.recycleCommand("test", ".").Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Errorf("exit: %v, want 1", err)
	}
}

// The race detector runs only in this program. In the command itself, there is nothing for it to
// find.
func TestBehaviourStays(t *testing.T) {
	a := newProgram(t, []string{"behaviour.txt"}, nil)
	build := []string{"build", "-o", "out/app", "."}
	if raceEnabled {
		build = []string{"build", "-race", "-o", "out/app", "."}
	}
	a.recycle(build...)
	for _, strategy := range []string{"goroutine", "", "fixed"} {
		cmd := a.command(a.path("out/app"))
		cmd.Env = append(cmd.Env, "RECYCLING_STRATEGY="+strategy)
		out, _ := a.succeed(cmd)
		a.says(out, "ok a closed server is collected")
	}
}

// A module that the application does not import from may need a newer version of what core requires
// than the one that core requires. The go command selects it only when it looks at the requirements
// of all modules, and then refuses a go.mod with an older one.
func TestNewerRequirementsOfOtherModulesHold(t *testing.T) {
	const sys = "golang.org/x/sys v0.42.0"
	for name, language := range map[string]string{
		"module": "1.25.0", "old module": "1.21", "indirect": "1.25.0", "workspace": "1.25.0",
		"vendored": "1.21", "vendored indirect": "1.25.0", "vendored workspace": "1.25.0",
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, dep())
			a.write("dep/go.mod", "module example.com/dep\n\ngo "+language+"\n\nrequire "+sys+"\n")
			mod := "module example.com/app\n\ngo " + language + "\n"
			if strings.Contains(name, "indirect") {
				mod += "\nrequire " + sys + " // indirect\n"
			}
			vendor := "mod"
			if strings.Contains(name, "workspace") {
				a.write("go.work", "go "+language+"\n\nuse .\nuse ./dep\n")
				vendor = "work"
			} else {
				mod += "\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n"
			}
			a.write("go.mod", mod)
			want := "golang.org/x/sys\tv0.42.0"
			if strings.HasPrefix(name, "vendored") {
				a.run("go", vendor, "vendor")
				want = "golang.org/x/sys\tv" // a vendor folder has no module that no package needs
			}
			a.recycle("build", "-o", "out/app", ".")
			out, _ := a.run(a.path("out/app"))
			a.says(out, "server: recycling")
			if out, _ := a.run("go", "version", "-m", "out/app"); !strings.Contains(out, want) {
				t.Errorf("go version -m has no %q:\n%s", want, out)
			}
		})
	}
}
