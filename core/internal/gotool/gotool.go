// Package gotool is for commands that run the go command with files of the standard library
// replaced (go build -overlay).
package gotool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// LeaveCache makes the go command find its own files outside of the module cache, and reports
// whether it had to. The cache contains the toolchain if GOTOOLCHAIN has selected one, and the go
// command does not overlay files in the cache. It compares names, so LeaveCache only makes a
// symbolic link in dir, or uses the one of an earlier call for the same toolchain. LeaveCache
// changes the environment of the process. Call it before "go env GOROOT".
func LeaveCache(dir string) (left bool, err error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return false, fmt.Errorf("go env: %w", err)
	}
	root, cache, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if in, err := filepath.Rel(cache, root); err != nil || !filepath.IsLocal(in) {
		return false, nil
	}
	link := filepath.Join(dir, "go")
	if err := symlink(root, link); err != nil {
		return false, err
	}
	for name, value := range map[string]string{
		"GOROOT":      link,
		"GOTOOLCHAIN": "local", // otherwise the go command would go back to the cache
		"PATH":        filepath.Join(link, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return false, err
		}
	}
	return true, nil
}

// symlink makes link a symbolic link to a folder. Another process may do the same at the same time.
func symlink(to, link string) error {
	err := os.Symlink(to, link)
	if got, _ := os.Readlink(link); got == to {
		return nil
	}
	return err
}
