package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"strings"
)

// addModule makes package auto importable for the programs. What it writes are copies of go.mod or
// go.work with one more requirement, and of their checksums.
func (b *build) addModule() error {
	if b.versioned {
		return nil
	}
	mod := b.flag("mod")
	switch {
	case b.env.GOWORK != "":
		return b.addToWorkspace(mod)
	case b.env.GOMOD == "":
		return errors.New("there is no go.mod in this folder or one above it")
	}
	file := cmp.Or(b.flag("modfile"), b.env.GOMOD)
	b.cmd.without("modfile")
	m, err := readMod(file)
	if err != nil {
		return err
	}
	vendored, err := b.isVendored(mod, filepath.Dir(b.env.GOMOD), m.Go, false)
	switch {
	case err != nil:
		return err
	case vendored:
		return b.addToVendored(m, file)
	case older(m.Go, loopVersion):
		return b.addBeside(m, file)
	}
	return b.addToModule(m, file)
}

// loopVersion is the first version of the language in which each iteration of a loop has its own
// variables. A go.mod that requires core must have a go line with core's version or a later one, so
// the loops of an older module keep their meaning only in a workspace.
const loopVersion = "1.22"

// older reports whether version a of the language, as in go.mod, is older than b. If a is empty,
// because go.mod has no go line, it is older.
func older(a, b string) bool { return version.Compare("go"+a, "go"+b) < 0 }

// addToModule makes a copy of the module's go.mod, for flag -modfile. A workspace with another
// module that requires core was rejected, except for old modules: in workspaces, the go command
// considers the requirements of all dependencies, and so may select other versions.
func (b *build) addToModule(m *gomod, file string) error {
	tmp, err := os.MkdirTemp(string(b.store), "tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	copied := filepath.Join(tmp, "go.mod")
	sums := strings.TrimSuffix(copied, ".mod") + ".sum"
	if err := copyFile(copied, file); err != nil {
		return err
	}
	if err := copyFile(sums, strings.TrimSuffix(file, ".mod")+".sum"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := b.core.fetch(); err != nil {
		return err
	}
	edits := b.core.edits(m)
	if older(m.Go, b.core.language) {
		edits = append(edits, "-go="+b.core.language)
		edits = append(edits, m.keepGodebug()...)
	}
	if len(edits) > 0 {
		if _, err := output(nil, "go", append(append([]string{"mod", "edit"}, edits...), copied)...); err != nil {
			return err
		}
	}
	// The go command selects versions and adds checksums. First it considers the requirements of
	// all modules: one that the packages below do not need may require a newer version of what core
	// requires, and then the go command would refuse the copy. It must not load packages of the
	// application: with -mod=mod it would add what the application has forgotten to require.
	for _, what := range [][]string{{"-m", "all"}, {"-deps", autoPath}} {
		args := append([]string{"list", "-mod=mod", "-modfile=" + copied}, what...)
		if _, err := output([]string{"GOFLAGS="}, "go", args...); err != nil {
			return b.core.explain(err)
		}
	}
	files := map[string]string{}
	for _, name := range []string{copied, sums} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files[filepath.Base(name)] = string(text)
	}
	dir, err := b.store.folder(files)
	if err != nil {
		return err
	}
	b.goFlags = append(b.goFlags, "-modfile="+filepath.Join(dir, "go.mod"))
	return nil
}

// edits returns the flags of go mod edit by which m requires core and what core requires. It leaves
// out what m requires already, and keeps what m replaces.
func (c *core) edits(m *gomod) (edits []string) {
	if m.Module.Path == corePath {
		return nil
	}
	replaced, required := m.replaced(), map[string]string{}
	for _, r := range m.Require {
		required[r.Path] = r.Version
	}
	// The go command wants all modules that packages are imported from.
	for _, r := range append([]gomodPath{{corePath, c.version}}, c.require...) {
		if r.Path != m.Module.Path && newer(r.Version, required[r.Path]) {
			edits = append(edits, "-require="+r.Path+"@"+r.Version)
		}
	}
	for _, path := range sortedKeys(c.replace) {
		if !replaced[path] {
			edits = append(edits, "-replace="+path+"="+c.replace[path])
		}
	}
	return edits
}

// keepGodebug returns the flags of go mod edit that keep the default of GODEBUG, which depends on
// the go line.
func (m *gomod) keepGodebug() []string {
	for _, d := range m.Godebug {
		if d.Key == "default" {
			return nil
		}
	}
	return []string{"-godebug=default=go" + m.language()}
}

// language returns the version of the language without the number of the release, such as "1.24".
func (m *gomod) language() string {
	if m.Go == "" {
		return "1.16" // go help mod
	}
	return strings.TrimPrefix(version.Lang("go"+m.Go), "go")
}

// explain adds to an error of the go command what may be its cause.
func (c *core) explain(err error) error {
	if strings.Contains(err.Error(), "does not contain package "+autoPath) {
		return fmt.Errorf("the version of %s that the application requires or replaces does not have package auto: %w", corePath, err)
	}
	return err
}

// copyFile copies a file. Its error wraps that of opening from.
func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o666)
}
