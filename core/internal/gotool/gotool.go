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

// LeaveCache makes the go command find its own files outside of the module cache, which contains
// the toolchain if GOTOOLCHAIN has selected one: the go command does not overlay files in the
// cache. It compares names, so a symbolic link in dir is enough, which
// may be there from an earlier call. LeaveCache changes the environment
// of the process, and must be called before "go env GOROOT".
func LeaveCache(dir string) error {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	root, cache, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if in, err := filepath.Rel(cache, root); err != nil || !filepath.IsLocal(in) {
		return nil
	}
	link := filepath.Join(dir, "go")
	if err := symlink(root, link); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"GOROOT":      link,
		"GOTOOLCHAIN": "local", // otherwise the go command would go back to the cache
		"PATH":        filepath.Join(link, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// symlink makes link a symbolic link to a folder. Another process may do the same.
func symlink(to, link string) error {
	err := os.Symlink(to, link)
	if got, _ := os.Readlink(link); got == to {
		return nil
	}
	return err
}
