package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// isVendored reports whether the go command would use the folder vendor in dir, by go help
// build-flags. mod is the value of the flag -mod, and language is the version in go.mod or go.work.
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

func (b *build) addToVendored(m *gomod, file string) error {
	return errors.New("vendored")
}

func (b *build) vendorWorkspace(ws workspace, dir string) error {
	return errors.New("vendored")
}
