package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A tree describes a vendor folder: it has the packages of the application's vendor folder, except
// those whose import paths are keys of the tree, which are in the folders that are the values.
type tree map[string]string

// merge adds packages to those of modules.txt. If a module is newer than the application's, all its
// packages are taken from the newer one.
func merge(all []*vendored, needed []neededPackage) ([]*vendored, tree) {
	t := tree{}
	added := map[string]*vendored{}
	dirs := map[string]string{}
	var order []string
	for _, p := range needed {
		t[p.ImportPath] = p.Dir
		m := p.Module
		v := added[m.Path]
		if v == nil {
			v = &vendored{path: m.Path, version: m.Version}
			if m.GoVersion != "" {
				v.notes = []string{"## go " + m.GoVersion}
			}
			if m.Replace != nil {
				v.replacement = strings.Fields(m.Replace.Path + " " + m.Replace.Version)
			}
			added[m.Path] = v
			dirs[m.Path] = m.Dir
			order = append(order, m.Path)
		}
		v.packages = append(v.packages, p.ImportPath)
	}
	for _, old := range all {
		v := added[old.path]
		if v == nil || len(old.packages) == 0 {
			continue
		}
		for _, p := range old.packages {
			if slices.Contains(v.packages, p) {
				continue
			}
			v.packages = append(v.packages, p)
			if old.version != v.version {
				t[p] = filepath.Join(dirs[old.path], filepath.FromSlash(strings.TrimPrefix(p, old.path)))
			}
		}
		if old.version == v.version {
			v.notes, v.replacement = old.notes, old.replacement
			added[old.path] = nil // takes the place of old
			old.packages = v.packages
			continue
		}
		old.packages = nil // go.mod requires it, so the line must stay
	}
	for _, path := range order {
		if v := added[path]; v != nil {
			all = append(all, v)
		}
	}
	return all, t
}

// String returns the keys and values of t, in the order of the keys.
func (t tree) String() string { return fmt.Sprint(map[string]string(t)) }

// make creates the vendor folder to, of symbolic links, for an application with the folder vendor.
func (t tree) make(to, vendor string) error { return t.link(to, vendor, "") }

// link creates the folder of an import path. If t has no package in it, the folder is one symbolic
// link.
func (t tree) link(to, vendor, importPath string) error {
	source, here := t[importPath]
	names := map[string]bool{} // of the folders below, and whether the tree has something there
	for p := range t {
		if rest, ok := strings.CutPrefix(p, prefix(importPath)); ok && rest != "" {
			name, _, _ := strings.Cut(rest, "/")
			names[name] = true
		}
	}
	theirs := filepath.Join(vendor, filepath.FromSlash(importPath))
	if !here && len(names) == 0 {
		return os.Symlink(theirs, to)
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	if !here {
		source = theirs
	}
	if err := linkFiles(to, source); err != nil {
		return err
	}
	entries, err := os.ReadDir(theirs)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			names[e.Name()] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := t.link(filepath.Join(to, name), vendor, path.Join(importPath, name)); err != nil {
			return err
		}
	}
	return nil
}

func prefix(importPath string) string {
	if importPath == "" {
		return ""
	}
	return importPath + "/"
}

// linkFiles links the files of a folder, but not its folders, nor what is there already.
func linkFiles(to, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || e.Name() == "modules.txt" {
			continue
		}
		if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}
