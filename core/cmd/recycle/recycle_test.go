package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain lets this program be the command itself.
func TestMain(m *testing.M) {
	if os.Getenv("RECYCLE_TEST_MAIN") != "" {
		main()
		return
	}
	dir, err := os.MkdirTemp("", "recycle-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if storeDir, err = filepath.EvalSymlinks(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// storeDir is where the commands of all tests keep their files.
var storeDir string

// An app is an application in a temporary folder.
type app struct {
	*testing.T
	dir string
	env []string
}

// newApp is newProgram for tests that the race detector says nothing about. It skips them with
// -race, since building takes long.
func newApp(t *testing.T, archives []string, files map[string]string) *app {
	t.Helper()
	if raceEnabled {
		t.Skip("runs without -race")
	}
	return newProgram(t, archives, files)
}

// newProgram writes the files of archives of testdata, and more files by name and text. Tests that
// build something are skipped by -short.
func newProgram(t *testing.T, archives []string, files map[string]string) *app {
	t.Helper()
	if testing.Short() {
		t.Skip("builds programs")
	}
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t, dir, []string{"GOFLAGS=-buildvcs=false", "GOWORK=", "RECYCLING_STRATEGY=", "RECYCLING_QUIET=", "RECYCLING_EXCEPT="}}
	for _, name := range archives {
		a.unpack(name, "")
	}
	for name, text := range files {
		a.write(name, text)
	}
	return a
}

var fileLine = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// unpack writes the files of an archive of testdata, which has a line "-- NAME --" before each.
// prefix is put before their names.
func (a *app) unpack(archive, prefix string) {
	a.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", archive))
	if err != nil {
		a.Fatal(err)
	}
	at := fileLine.FindAllSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		a.write(prefix+string(text[m[2]:m[3]]), string(text[m[1]:end]))
	}
}

func (a *app) path(name string) string { return filepath.Join(a.dir, filepath.FromSlash(name)) }

func (a *app) write(name, text string) {
	a.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(a.path(name)), 0o777), os.WriteFile(a.path(name), []byte(text), 0o666)); err != nil {
		a.Fatal(err)
	}
}

// command returns a command that runs in the application's folder.
func (a *app) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), a.env...)
	return cmd
}

// run runs a command, and returns what it prints. It must succeed.
func (a *app) run(name string, args ...string) (stdout, stderr string) {
	a.Helper()
	return a.succeed(a.command(name, args...))
}

func (a *app) succeed(cmd *exec.Cmd) (stdout, stderr string) {
	a.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		a.Fatalf("%s: %v\n%s%s", cmd, err, &out, &errs)
	}
	return out.String(), errs.String()
}

// recycleCommand returns this command with arguments.
func (a *app) recycleCommand(args ...string) *exec.Cmd {
	a.Helper()
	self, err := os.Executable()
	if err != nil {
		a.Fatal(err)
	}
	cmd := a.command(self, append([]string{"-dir", storeDir}, args...)...)
	cmd.Env = append(cmd.Env, "RECYCLE_TEST_MAIN=1")
	return cmd
}

// recycle runs this command, which must succeed and leave the application as it is.
func (a *app) recycle(args ...string) (stdout, stderr string) {
	a.Helper()
	before := a.files()
	stdout, stderr = a.succeed(a.recycleCommand(args...))
	after := a.files()
	for _, files := range []map[string]string{before, after} {
		maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "out") })
	}
	if !maps.Equal(before, after) {
		a.Errorf("recycle %s has changed files: they were\n%v\nand are\n%v", strings.Join(args, " "), before, after)
	}
	return stdout, stderr
}

// fails runs this command, which must fail, and returns what it prints to standard error.
func (a *app) fails(args ...string) string {
	a.Helper()
	cmd := a.recycleCommand(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err == nil {
		a.Fatalf("recycle %s does not fail", strings.Join(args, " "))
	}
	return errs.String()
}

// files returns the contents of all files of the application.
func (a *app) files() map[string]string {
	a.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(a.dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	return files
}

// says checks that a line of a program's output is as wanted.
func (a *app) says(out, line string) {
	a.Helper()
	if !strings.Contains("\n"+out, "\n"+line+"\n") {
		a.Errorf("there is no line %q in the output:\n%s", line, out)
	}
}
