package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

const (
	corePath = "github.com/recycling-go/recycling/core"
	autoPath = corePath + "/auto"
)

// A core is the module that a program is built with.
type core struct {
	version  string      // what programs must require at least
	require  []gomodPath // what core itself requires
	replace  map[string]string
	language string // of the go line in its go.mod, such as "1.25.0"
}

type gomodPath struct{ Path, Version string }

// A gomod is what go mod edit -json and go work edit -json print.
type gomod struct {
	Module    struct{ Path string }
	Go        string
	Toolchain string
	Godebug   []struct{ Key, Value string }
	Require   []gomodPath
	Replace   []struct{ Old, New gomodPath }
	Exclude   []gomodPath
	Use       []struct{ DiskPath string } // only of a go.work
}

// replaced returns the paths of the modules that m replaces.
func (m *gomod) replaced() map[string]bool {
	paths := map[string]bool{}
	for _, r := range m.Replace {
		paths[r.Old.Path] = true
	}
	return paths
}

func readMod(file string) (*gomod, error)  { return readModule("mod", file) }
func readWork(file string) (*gomod, error) { return readModule("work", file) }

func readModule(kind, file string) (*gomod, error) {
	out, err := output(nil, "go", kind, "edit", "-json", file)
	if err != nil {
		return nil, err
	}
	m := new(gomod)
	if err := json.Unmarshal(out, m); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// findCore returns the core to build with. It is the folder dir, an absolute path, or, if dir is
// empty, the core that this command is part of: a released version, which the go command fetches,
// or the folder that this command was compiled from.
func findCore(dir string) (*core, error) {
	if dir == "" {
		if version := ownVersion(); version != "" {
			return &core{version: version, language: coreLanguage}, nil
		}
		var err error
		if dir, err = sourceDir(); err != nil {
			return nil, err
		}
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil { // what core replaces is relative to it
		dir = real
	}
	m, err := readMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("flag -core: %w", err)
	}
	if m.Module.Path != corePath {
		return nil, fmt.Errorf("flag -core: the module in %s is %s, want %s", dir, m.Module.Path, corePath)
	}
	c := &core{version: develVersion, require: m.Require, language: m.Go, replace: map[string]string{corePath: dir}}
	for _, r := range m.Replace {
		if !filepath.IsAbs(r.New.Path) {
			r.New.Path = filepath.Join(dir, r.New.Path)
		}
		c.replace[r.Old.Path] = r.New.Path
	}
	return c, nil
}

// develVersion is the version that programs require if core is a folder.
const develVersion = "v0.0.0"

// coreLanguage is the version in the go line of core's go.mod. A test compares the two.
const coreLanguage = "1.25.0"

// ownVersion returns the version of core that the go command has built this command from, or "" if
// it was a folder.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == corePath && m.Replace == nil && m.Sum != "" { // a folder has no checksum
			return m.Version
		}
	}
	return ""
}

// sourceDir returns the folder of the module that this command was compiled from.
func sourceDir() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..")
	if !filepath.IsAbs(file) {
		return "", errors.New("this command was built from a folder, with -trimpath: name the folder of core with flag -core")
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return "", fmt.Errorf("this command was built from a folder that is no longer there: name the folder of core with flag -core: %w", err)
	}
	return dir, nil
}

// modules returns core and the modules that it requires, except those listed in replaced, and those
// that are folders.
func (c *core) modules(replaced map[string]bool) (paths []string) {
	for _, m := range append([]gomodPath{{corePath, c.version}}, c.require...) {
		if _, folder := c.replace[m.Path]; !folder && !replaced[m.Path] {
			paths = append(paths, m.Path)
		}
	}
	return paths
}

// fetch fetches the go.mod of a released core, to know what it requires.
func (c *core) fetch() error {
	if len(c.replace) > 0 {
		return nil
	}
	out, err := output([]string{"GOFLAGS=-mod=mod", "GOWORK=off"}, "go", "mod", "download", "-json", corePath+"@"+c.version)
	if err != nil {
		return err
	}
	var info struct{ GoMod string }
	if err := json.Unmarshal(out, &info); err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	m, err := readMod(info.GoMod)
	if err != nil {
		return err
	}
	c.require = m.Require
	return nil
}
