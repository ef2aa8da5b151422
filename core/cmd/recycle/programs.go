package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// A pkg is a package in the output of go list -json.
type pkg struct {
	Dir, Name, ImportPath     string
	Standard                  bool
	TestGoFiles, XTestGoFiles []string
	Error                     *struct{ Err string }
}

// addPrograms adds a file to each package main among the packages, or, for go test, to the external
// test package of each package that has tests. The package under test itself could not import
// package auto, which may depend on it.
func (b *build) addPrograms() error {
	args := append([]string{"list", "-e", "-json=Dir,Name,ImportPath,Standard,TestGoFiles,XTestGoFiles,Error"}, b.goFlags...)
	args = append(append(args, b.cmd.listFlags()...), "--")
	out, err := output(b.goEnv, "go", append(args, b.cmd.packages...)...)
	if err != nil {
		return err
	}
	all, err := decode[pkg](out)
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	n, standard := 0, 0
	var listError string
	for _, p := range all {
		if p.Error != nil && listError == "" {
			listError = ":\n" + p.Error.Err
		}
		if p.Standard {
			standard++
			continue
		}
		if p.Dir == "" {
			continue // a package that does not exist, which the go command will report
		}
		file, clause := "zz_recycle.go", p.Name
		switch {
		case b.cmd.verb != "test" && p.Name != "main":
			continue
		case b.cmd.verb == "test" && len(p.TestGoFiles)+len(p.XTestGoFiles) == 0:
			continue
		case b.cmd.verb == "test":
			file, clause = "zz_recycle_test.go", p.Name+"_test"
		}
		if b.inCache(p.Dir) {
			if b.cmd.verb == "test" {
				return fmt.Errorf("%s is in the module cache, where the go command replaces nothing: its tests can run only as they are, by go test", p.ImportPath)
			}
			return fmt.Errorf("%s is in the module cache, where the go command replaces nothing: name it with a version, as in %s@latest", p.ImportPath, p.ImportPath)
		}
		n++
		path := filepath.Join(p.Dir, file)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is in the way: this command adds a file with that name", path)
		}
		b.overlay[path] = fmt.Sprintf(program, clause, autoPath)
		if b.cmd.files() {
			dir, _ := filepath.Split(b.cmd.packages[0]) // the go command compares these as text
			b.cmd.packages = append(b.cmd.packages[:len(b.cmd.packages):len(b.cmd.packages)], dir+file)
		}
	}
	if standard > 0 {
		log.Printf("packages of the standard library are left as they are: %d", standard)
	}
	if n == 0 {
		if b.cmd.verb == "test" {
			return nil // nothing to run
		}
		return fmt.Errorf("there is no package main in %s%s", orDot(b.cmd.packages), listError)
	}
	return nil
}

// program is the file that is added to a package.
const program = `// Added by the command recycle of github.com/recycling-go/recycling/core.

package %s

import recycle_auto %q

var _ = recycle_auto.Hooks1
`

func orDot(packages []string) string {
	if len(packages) == 0 {
		return "."
	}
	return strings.Join(packages, " ")
}

// inCache reports whether dir is in the module cache.
func (b *build) inCache(dir string) bool {
	in, err := filepath.Rel(b.env.GOMODCACHE, dir)
	return err == nil && filepath.IsLocal(in)
}
