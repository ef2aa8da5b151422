package main

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A file is a parsed Dockerfile. The parser of BuildKit would bring in hundreds of modules; a file
// without here-documents and escape directives, as this one, needs a few lines.
type file []instruction

type instruction struct{ name, args string }

// instructions are those that this Dockerfile may have.
var instructions = []string{"FROM", "WORKDIR", "COPY", "ENV", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}

func dockerfile(t *testing.T) (f file) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(read(t, "Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if !slices.Contains(instructions, name) {
			t.Fatalf("the Dockerfile has the instruction %q, want one of %q", name, instructions)
		}
		f = append(f, instruction{name, strings.TrimSpace(args)})
	}
	return f
}

// all returns the arguments of all instructions with this name.
func (f file) all(name string) (args []string) {
	for _, i := range f {
		if i.name == name {
			args = append(args, i.args)
		}
	}
	return args
}

// last returns the arguments of the last instruction with this name.
func (f file) last(name string) string {
	all := f.all(name)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// list returns the strings of the last instruction with this name, which must have a list, the exec
// form.
func (f file) list(t *testing.T, name string) (list []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(f.last(name)), &list); err != nil || len(list) == 0 {
		t.Fatalf("%s %s: want a list: %v", name, f.last(name), err)
	}
	return list
}

func TestImageIsPinnedAndHasNoRoot(t *testing.T) {
	f := dockerfile(t)
	from := f.all("FROM")
	if len(from) != 2 {
		t.Fatalf("%d stages, want one that builds and one that runs", len(from))
	}
	if !regexp.MustCompile(`^golang:\d+\.\d+\.\d+-\S+ AS build$`).MatchString(from[0]) {
		t.Errorf("FROM %s: want a version with three numbers", from[0])
	}
	if strings.Contains(from[1], "golang") || strings.HasSuffix(from[1], ":latest") || !strings.Contains(from[1], ":") {
		t.Errorf("FROM %s: want a small image with a tag", from[1])
	}
	if uid, err := strconv.Atoi(strings.Split(f.last("USER"), ":")[0]); err != nil || uid == 0 {
		t.Errorf("USER %s: want a number other than 0", f.last("USER"))
	}
}

func TestImageStartsTheProgram(t *testing.T) {
	f := dockerfile(t)
	c := parsed(t, f.list(t, "CMD")...)
	var ports []string
	for _, addr := range []string{c.addr, c.admin} {
		ports = append(ports, strings.TrimPrefix(addr, ":"))
	}
	if got := strings.Fields(f.last("EXPOSE")); !slices.Equal(got, ports) {
		t.Errorf("EXPOSE %q, but the program listens on %q", got, ports)
	}
	program := f.list(t, "ENTRYPOINT")[0]
	if want := "--from=build " + program + " " + program; f.last("COPY") != want {
		t.Errorf("COPY %s, want %s", f.last("COPY"), want)
	}
	if !strings.Contains(f.last("RUN"), "-o "+program+" ") {
		t.Errorf("RUN %s: does not build %s", f.last("RUN"), program)
	}
}

// TestImageBuildsAStaticProgram runs the command that builds the program, with the image's
// environment and without the files that .dockerignore excludes.
func TestImageBuildsAStaticProgram(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("compiles the program again, for Linux")
	}
	f := dockerfile(t)
	context := t.TempDir()
	copyContext(t, "../..", context)
	out := filepath.Join(t.TempDir(), "app")
	_, command, ok := strings.Cut(f.last("RUN"), " go build ")
	if !ok {
		t.Fatalf("RUN %s: want a go build", f.last("RUN"))
	}
	var args []string
	for _, a := range strings.Fields("build " + command) {
		if a == f.list(t, "ENTRYPOINT")[0] {
			a = out
		}
		args = append(args, a)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = strings.Replace(f.all("WORKDIR")[1], "/src", context, 1)
	cmd.Env = append(os.Environ(), "PWD="+cmd.Dir)
	cmd.Env = append(cmd.Env, strings.Fields(f.last("ENV"))...)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, b)
	}
	e, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}
}

// copyContext copies the source tree, less what .dockerignore excludes.
func copyContext(t *testing.T, from, to string) {
	t.Helper()
	var ignored []string
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			ignored = append(ignored, line)
		}
	}
	excluded := func(name string) bool {
		return slices.ContainsFunc(ignored, func(pattern string) bool {
			if base, ok := strings.CutPrefix(pattern, "**/"); ok {
				match, _ := filepath.Match(base, filepath.Base(name))
				return match
			}
			return name == pattern
		})
	}
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case excluded(name) && d.IsDir():
			return filepath.SkipDir
		case excluded(name) || !d.IsDir() && !d.Type().IsRegular():
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
