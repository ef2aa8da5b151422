package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file is about packages with a version, as in "recycle install example.com/app@v1.2.3". The
// go command builds them without regard to the current folder, and nothing in the module cache can
// be replaced. So a workspace has a copy of their module.

// version returns the version of the packages, or "" if they have none.
func (c *command) version() (string, error) {
	found := ""
	for i, p := range c.packages {
		_, v, has := strings.Cut(p, "@")
		switch {
		case !has && found == "" || has && v != "" && (v == found || i == 0):
			found = v
		default:
			return "", fmt.Errorf("package %s: all packages must have the same version", p)
		}
	}
	if found != "" && c.verb != "run" && c.verb != "install" {
		return "", fmt.Errorf("package %s: go %s takes no version", c.packages[0], c.verb)
	}
	return found, nil
}

// A moduleInfo is what go list says about the module of a package.
type moduleInfo struct{ Path, Version, Dir, GoMod string }

// addVersioned does what addModule does for packages with a version.
func (b *build) addVersioned() error {
	version, err := b.cmd.version()
	if err != nil || version == "" {
		return err
	}
	for _, flag := range []string{"modfile", "mod"} {
		if _, ok := b.cmd.value(flag); ok {
			return fmt.Errorf("flag -%s cannot be used with %s", flag, b.cmd.packages[0])
		}
	}
	tmp, err := os.MkdirTemp(string(b.store), "tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, "go.mod"), []byte("module recycle.invalid/hook\n"), 0o666); err != nil {
		return err
	}
	env := []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
	if _, err := outputIn(tmp, env, "go", append([]string{"get"}, b.cmd.packages...)...); err != nil {
		return err
	}
	packages := slices.Clone(b.cmd.packages)
	for i, p := range packages {
		packages[i], _, _ = strings.Cut(p, "@")
	}
	out, err := outputIn(tmp, env, "go", append([]string{"list", "-json=Module"}, packages...)...)
	if err != nil {
		return err
	}
	found, err := decode[struct{ Module moduleInfo }](out)
	if err != nil {
		return err
	}
	b.cmd.packages, b.versioned = packages, true
	return b.addCopy(found[0].Module)
}

// addCopy makes a workspace in which a module is replaced by a copy.
func (b *build) addCopy(m moduleInfo) error {
	mod, err := readMod(m.GoMod)
	if err != nil {
		return err
	}
	if len(mod.Replace)+len(mod.Exclude) > 0 {
		return fmt.Errorf("%s@%s has replace or exclude directives, and so cannot be built with a version", m.Path, m.Version)
	}
	dir, err := b.store.folderWith(nil, func(to string) error { return copyModule(to, m) }, m.Path, m.Version)
	if err != nil {
		return err
	}
	b.dropMod()
	ws, _ := b.workspaceOf(mod)
	ws.use = nil
	ws.addReplace(gomodPath{Path: m.Path, Version: m.Version}, gomodPath{Path: dir}, "")
	b.extra = []gomodPath{{m.Path, m.Version}}
	if err := b.useWorkspace(ws, map[string]bool{}); err != nil {
		return err
	}
	// GOWORK also selects the toolchain.
	if err := os.Setenv("GOWORK", strings.TrimPrefix(b.goEnv[len(b.goEnv)-1], "GOWORK=")); err != nil {
		return err
	}
	b.env, err = readEnv()
	return err
}

// copyModule copies a module, so that its files can be replaced. It must have a go.mod.
func copyModule(to string, m moduleInfo) error {
	if err := os.CopyFS(to, os.DirFS(m.Dir)); err != nil {
		return fmt.Errorf("copy %s@%s: %w", m.Path, m.Version, err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(to, "go.mod")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return copyFile(filepath.Join(to, "go.mod"), m.GoMod)
}
