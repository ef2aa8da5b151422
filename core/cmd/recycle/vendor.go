package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// This file is about applications with a vendor folder. The go command compares vendor/modules.txt
// with go.mod, and reads it without regard to overlays. Therefore this command makes a workspace of
// the application, with a vendor folder of its own: see tree.go. That has packages of modules that
// no go.mod requires, which the go command allows if modules.txt does not mark them as explicit.

// isVendored reports whether the go command would use the vendor folder in dir: see go help
// build-flags. mod is the value of flag -mod, and language is the version in go.mod or go.work.
func (b *build) isVendored(mod, dir, language string, work bool) (bool, error) {
	if mod != "" {
		return mod == "vendor", nil
	}
	first := "1.14"
	if work {
		first = "1.22"
	}
	if older(language, first) {
		return false, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "vendor", "modules.txt"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	ofWork := strings.HasPrefix(line, "## ") && strings.Contains(line, "workspace")
	return ofWork == work, err
}

// addToVendored makes a workspace of a vendored module.
func (b *build) addToVendored(m *gomod, file string) error {
	if file != b.env.GOMOD {
		return errors.New("flag -modfile cannot be used with a vendor folder")
	}
	ws, _ := b.workspaceOf(m)
	return b.vendorWorkspace(ws, filepath.Dir(file))
}

// A vendored is a module in modules.txt: its line, and the lines that follow.
type vendored struct {
	path, version string
	replacement   []string // what follows "=>"
	notes         []string // the lines that begin with "##"
	packages      []string
}

func readVendored(file string) ([]*vendored, error) {
	text, err := readIfThere(file) // without requirements there need be none
	if err != nil {
		return nil, err
	}
	var all []*vendored
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "## ") && len(all) > 0:
			all[len(all)-1].notes = append(all[len(all)-1].notes, line)
		case strings.HasPrefix(line, "# ") && len(fields) >= 3:
			v := &vendored{path: fields[1]}
			if fields = fields[2:]; fields[0] != "=>" {
				v.version, fields = fields[0], fields[1:]
			}
			if len(fields) > 0 {
				v.replacement = fields[1:]
			}
			all = append(all, v)
		case line != "" && !strings.HasPrefix(line, "#") && len(all) > 0:
			all[len(all)-1].packages = append(all[len(all)-1].packages, line)
		}
	}
	return all, nil
}

// text returns the lines of modules.txt.
func (v *vendored) text() string {
	var s strings.Builder
	s.WriteString("# " + v.path)
	if v.version != "" {
		s.WriteString(" " + v.version)
	}
	if len(v.replacement) > 0 {
		s.WriteString(" => " + strings.Join(v.replacement, " "))
	}
	s.WriteString("\n")
	for _, line := range append(v.notes[:len(v.notes):len(v.notes)], v.packages...) {
		s.WriteString(line + "\n")
	}
	return s.String()
}

// relocate makes the path of a replacement, if it is a folder, relative to another folder.
func (v *vendored) relocate(from, to string) error {
	if len(v.replacement) != 1 || filepath.IsAbs(v.replacement[0]) {
		return nil
	}
	rel, err := filepath.Rel(to, filepath.Join(from, filepath.FromSlash(v.replacement[0])))
	if err != nil {
		return err
	}
	if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, "../") {
		rel = "./" + rel
	}
	v.replacement = []string{rel}
	return nil
}

// vendorWorkspace makes a copy of a workspace with a vendor folder. The present one, of the
// workspace or of its only module, is in dir.
func (b *build) vendorWorkspace(ws workspace, dir string) error {
	vendor := filepath.Join(dir, "vendor")
	all, err := readVendored(filepath.Join(vendor, "modules.txt"))
	if err != nil {
		return err
	}
	needed, sums, err := b.neededPackages(all)
	if err != nil {
		return err
	}
	ws.sums = sums
	place := filepath.Join(string(b.store), "0000000000000000") // stands for the new folder, whose name is not known yet
	for _, v := range all {
		if err := v.relocate(dir, place); err != nil {
			return err
		}
	}
	all, tree := merge(all, needed)
	if len(b.core.replace) > 0 {
		all = append(all, ws.replaceCore(b.core, all)...)
	}
	text := "## workspace\n"
	for _, v := range all {
		text += v.text()
	}
	files := map[string]string{"go.work": ws.text(), "go.work.sum": ws.sums, "vendor/modules.txt": text}
	made, err := b.store.folderWith(files, func(to string) error { return tree.make(filepath.Join(to, "vendor"), vendor) }, vendor, tree.String())
	if err != nil {
		return err
	}
	b.goEnv = append(b.goEnv, "GOWORK="+filepath.Join(made, "go.work"))
	return nil
}

// replaceCore adds replace lines for the modules that c replaces, except those that the application
// itself replaces. It returns the lines that modules.txt must have for them.
func (w *workspace) replaceCore(c *core, all []*vendored) (lines []*vendored) {
	known := map[string]bool{}
	for _, v := range all {
		known[v.path] = known[v.path] || len(v.replacement) > 0 && v.version == ""
	}
	for _, path := range sortedKeys(c.replace) {
		if !known[path] {
			w.addReplace(gomodPath{Path: path}, gomodPath{Path: c.replace[path]}, "")
			lines = append(lines, &vendored{path: path, replacement: []string{c.replace[path]}})
		}
	}
	return lines
}

// A neededPackage is a package that package auto depends on, or auto itself.
type neededPackage struct {
	Dir, ImportPath string
	Standard        bool
	Module          *struct {
		Path, Version, GoVersion, Dir string
		Replace                       *struct{ Path, Version string }
	}
}

// neededPackages returns the packages that must be vendored, in versions that are not older than
// those which the application has, and their checksums.
func (b *build) neededPackages(all []*vendored) (packages []neededPackage, sums string, err error) {
	if err := b.core.fetch(); err != nil {
		return nil, "", err
	}
	tmp, err := os.MkdirTemp(string(b.store), "tmp")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(tmp)
	versions := map[string]string{corePath: b.core.version}
	for _, r := range b.core.require {
		versions[r.Path] = r.Version
	}
	mod := fmt.Sprintf("module recycle.invalid/hook\n\ngo %s\n\n", b.core.language)
	for _, v := range all {
		if old, ok := versions[v.path]; ok && v.version != "" && len(v.packages) > 0 && newer(v.version, old) {
			versions[v.path] = v.version
		}
	}
	for _, path := range sortedKeys(versions) {
		mod += fmt.Sprintf("require %s %s\n", path, versions[path])
	}
	for _, path := range sortedKeys(b.core.replace) {
		mod += fmt.Sprintf("replace %s => %q\n", path, b.core.replace[path])
	}
	file := filepath.Join(tmp, "go.mod")
	if err := os.WriteFile(file, []byte(mod), 0o666); err != nil {
		return nil, "", err
	}
	out, err := outputIn(tmp, []string{"GOFLAGS=", "GOWORK=off"}, "go", "list", "-mod=mod", "-deps", "-json=Dir,ImportPath,Standard,Module", autoPath)
	if err != nil {
		return nil, "", b.core.explain(err)
	}
	list, err := decode[neededPackage](out)
	if err != nil {
		return nil, "", fmt.Errorf("go list: %w", err)
	}
	for _, p := range list {
		if !p.Standard {
			packages = append(packages, p)
		}
	}
	sums, err = readIfThere(filepath.Join(tmp, "go.sum"))
	return packages, sums, err
}
