package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// dep returns a module in the folder dep.
func dep() map[string]string {
	return map[string]string{
		"dep/go.mod":   "module example.com/dep\n\ngo 1.25.0\n",
		"dep/dep.go":   "package dep\n\nimport _ \"embed\"\n\n//go:embed text\nvar Text string\n",
		"dep/text":     "embedded",
		"dep/in/in.go": "package in\n",
		"use.go":       "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/dep\"\n\t_ \"example.com/dep/in\"\n)\n\nfunc init() { fmt.Println(\"dep:\", dep.Text) }\n",
	}
}

func TestVendoredApplication(t *testing.T) {
	for _, language := range []string{"1.20", "1.25.0"} {
		t.Run(language, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, dep())
			a.write("go.mod", "module example.com/app\n\ngo "+language+"\n\nrequire (\n\texample.com/dep v1.0.0\n\tgolang.org/x/sys v0.1.0\n)\n\nreplace example.com/dep => ./dep\n")
			if language == "1.20" {
				a.write("dep/go.mod", "module example.com/dep\n\ngo 1.20\n")
			}
			a.write("sys.go", "package main\n\nimport _ \"golang.org/x/sys/execabs\"\n")
			sums, err := os.ReadFile(filepath.Join("..", "..", "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			a.write("go.sum", string(sums))
			a.run("go", "mod", "tidy")
			a.run("go", "mod", "vendor")
			a.write("dep/text", "not this one")
			a.recycle("build", "-o", "out/app", ".")
			out, _ := a.run(a.path("out/app"))
			a.says(out, "server: recycling")
			a.says(out, "dep: embedded")
			loop := "0"
			if language == "1.20" {
				loop = "3"
			}
			a.says(out, "loop: "+loop)
			info, _ := a.run("go", "version", "-m", "out/app")
			for _, want := range []string{"dep\texample.com/dep\tv1.0.0", "dep\t" + corePath, "dep\tgolang.org/x/sys\tv0.1.0"} {
				if !strings.Contains(info, want) {
					t.Errorf("go version -m has no %q:\n%s", want, info)
				}
			}
			if language == "1.20" {
				return
			}
			a.recycle("build", "-mod=mod", "-o", "out/app", ".")
			out, _ = a.run(a.path("out/app"))
			a.says(out, "dep: not this one")
		})
	}
}

// An application may have vendored an older version of something that core requires, and only some
// of its packages.
func TestVendoredApplicationThatUsesRecycling(t *testing.T) {
	a := newApp(t, []string{"uses.txt"}, nil)
	a.requireCore("go.mod")
	a.run("go", "mod", "tidy")
	a.run("go", "mod", "vendor")
	if _, err := os.Stat(a.path("vendor/" + autoPath)); err == nil {
		t.Fatal("package auto is vendored already")
	}
	out, _ := a.recycle("run", ".")
	a.says(out, "ok not doubled")
}

// requireCore adds the core of this work tree to a go.mod.
func (a *app) requireCore(file string) {
	a.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		a.Fatal(err)
	}
	a.run("go", "mod", "edit", "-require="+corePath+"@v0.0.0", "-replace="+corePath+"="+filepath.Join(root, "core"),
		"-replace=github.com/recycling-go/recycling/listener="+filepath.Join(root, "listener"), file)
}

func TestApplicationThatUsesRecyclingIsNotDoubled(t *testing.T) {
	a := newApp(t, []string{"uses.txt"}, nil)
	a.requireCore("go.mod")
	a.run("go", "mod", "tidy")
	a.recycle("build", "-o", "out/app", ".")
	for _, strategy := range []string{"", "goroutine"} {
		cmd := a.command(a.path("out/app"))
		cmd.Env = append(cmd.Env, "RECYCLING_STRATEGY="+strategy)
		out, _ := a.succeed(cmd)
		a.says(out, "ok not doubled")
	}
}

func TestWorkspace(t *testing.T) {
	for _, vendored := range []bool{false, true} {
		name := "modules"
		if vendored {
			name = "vendored"
		}
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil, nil)
			a.unpack("facts.txt", "app/")
			for name, text := range dep() {
				if name == "use.go" {
					name = "app/use.go"
				}
				a.write(name, text)
			}
			a.write("app/go.mod", "module example.com/app\n\ngo 1.25.0\n\nrequire example.com/third v1.0.0\n\nreplace example.com/third => ../third\n")
			a.write("app/third.go", "package main\n\nimport _ \"example.com/third\"\n")
			a.write("third/go.mod", "module example.com/third\n\ngo 1.25.0\n")
			a.write("third/third.go", "package third\n")
			a.write("go.work", "go 1.25.0\n\nuse ./app\nuse ./dep\n")
			if vendored {
				a.run("go", "work", "vendor")
			}
			a.recycle("build", "-o", "out/app", "./app")
			out, _ := a.run(a.path("out/app"))
			a.says(out, "server: recycling")
			a.says(out, "dep: embedded")
			out, _ = a.recycle("run", "-C", "app", ".")
			a.says(out, "server: recycling")
		})
	}
}

func TestServersInInitFunctions(t *testing.T) {
	a := newApp(t, []string{"init.txt"}, nil)
	out, _ := a.recycle("run", ".")
	a.says(out, "on another goroutine: recycling")
	a.says(out, "on the goroutine that initializes packages: net/http")
}

func TestTestsRunOnRecycledWorkers(t *testing.T) {
	a := newApp(t, []string{"tests.txt"}, nil)
	out, _ := a.recycle("test", "-v", "-count=1", "./...")
	for _, name := range []string{"TestInside", "TestOutside", "TestMainPackage", "TestOnlyOutside"} {
		if !strings.Contains(out, "--- PASS: "+name) {
			t.Errorf("%s does not pass:\n%s", name, out)
		}
	}
	out, _ = a.recycle("test", ".", "-v", "-run", "Main", "-args", "x")
	if !strings.Contains(out, "--- PASS: TestMainPackage") {
		t.Errorf("it prints\n%s", out)
	}
	if out := a.fails("test", "./absent"); !strings.Contains(out, "absent") {
		t.Errorf("a package that does not exist: %s", out)
	}
}

func TestAddressIsLeftAlone(t *testing.T) {
	a := newApp(t, []string{"except.txt"}, module("1.25.0"))
	a.recycle("build", "-o", "out/app", ".")
	out, _ := a.run(a.path("out/app"))
	a.says(out, "net/http recycling")
	cmd := a.command(a.path("out/app"), "invalid")
	cmd.Env = append(cmd.Env, "RECYCLING_EXCEPT=8080")
	out, _ = a.succeed(cmd)
	a.says(out, `recycling: RECYCLING_EXCEPT has "8080", want HOST:PORT, :PORT or the path of a Unix socket`)
}

func TestEnvironmentForOtherBuilds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	for _, language := range []string{"1.21", "1.25.0"} {
		t.Run(language, func(t *testing.T) {
			a := newApp(t, []string{"facts.txt"}, module(language))
			env, _ := a.recycle("env", ".")
			a.run("sh", "-c", env+"\ngo build -o out/app .")
			out, _ := a.run(a.path("out/app"))
			a.says(out, "server: recycling")
		})
	}
}

// A go command that says it is another version stands for one that nobody has tried.
func TestUntestedGoVersionIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	a := newApp(t, []string{"facts.txt"}, module("1.25.0"))
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	version, _ := a.run("go", "env", "GOVERSION")
	a.write("out/bin/go", "#!/bin/sh\nif [ \"$1\" = env ]; then '"+path+"' \"$@\" | sed 's/"+strings.TrimSpace(version)+"/go1.99.1/'; else exec '"+path+"' \"$@\"; fi\n")
	if err := os.Chmod(a.path("out/bin/go"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("refused", func(t *testing.T) {
		cmd := a.recycleCommand("run", ".")
		cmd.Env = append(cmd.Env, "PATH="+a.path("out/bin")+":"+os.Getenv("PATH"))
		// os/exec looks for the command in the PATH of this process, so a shell starts it.
		cmd.Args = append([]string{"sh", "-c", `exec "$0" "$@"`}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Path = "/bin/sh"
		out, err := cmd.CombinedOutput()
		want := "recycle: go1.99.1 has not been tested; tested are the releases of Go 1.25 to 1.27; flag -force tries it\n"
		if err == nil || string(out) != want {
			t.Errorf("it says %q, %v; want %q", out, err, want)
		}
		args := cmd.Args
		cmd = a.command("sh")
		cmd.Args = append(append(args[:4:4], "-force"), args[4:]...)
		cmd.Env = append(cmd.Env, "RECYCLE_TEST_MAIN=1", "PATH="+a.path("out/bin")+":"+os.Getenv("PATH"))
		text, _ := a.succeed(cmd)
		a.says(text, "server: recycling")
	})
}

func TestMistakesAreNamed(t *testing.T) {
	a := newApp(t, nil, module("1.25.0"))
	a.write("lib.go", "package lib\n")
	a.write("tagged/main.go", "//go:build special\n\npackage main\n\nfunc main() {}\n")
	a.write("taken/zz_recycle.go", "package main\n\nfunc main() {}\n")
	a.write("cmd/main.go", "package main\n\nfunc main() {}\n")
	for args, want := range map[string]string{
		"build ./absent":                   "absent: directory not found",
		"build -tags ignored ./tagged":     "build constraints exclude all Go files",
		"build ./taken":                    "zz_recycle.go is in the way",
		"build .":                          "there is no package main in .",
		"build -overlay=absent.json ./cmd": "flag -overlay: open absent.json",
		"build -C absent .":                "flag -C: chdir absent",
		"build -v -C absent .":             "flag -C must be the first flag",
		"fmt .":                            `there is no command "fmt"`,
		"-core absent build .":             "flag -core: ",
		"build example.com/app@v1.0.0":     "package example.com/app@v1.0.0: go build takes no version",
		"install example.com/app@v1.0.0 .": "package .: all packages must have the same version",
		"install -modfile=a.mod a.b/c@v1":  "flag -modfile cannot be used with a.b/c@v1",
		"build -modfile":                   "flag -modfile has no value",
	} {
		if out := a.fails(strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("recycle %s says\n%s\nwant %s", args, out, want)
		}
	}
}
