package gotool

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Overlay holds files that replace others, or are added to folders, in what the go command
// builds.
type Overlay struct {
	dir     string // where the new contents are
	src     string // the folder of the standard library
	replace map[string]string
}

// NewOverlay returns an Overlay without files. Its contents are written to dir, which must exist.
// Another Overlay in dir takes its place. [LeaveCache] must have been called.
func NewOverlay(dir string) (*Overlay, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	return &Overlay{dir, src, map[string]string{}}, nil
}

// Std returns the path of a file of the standard library, such as "net/http/server.go".
func (o *Overlay) Std(name string) string { return filepath.Join(o.src, name) }

// Put makes text the contents of the file at this path, which need not exist.
func (o *Overlay) Put(path, text string) error {
	file := filepath.Join(o.dir, fmt.Sprintf("%d_%s", len(o.replace), filepath.Base(path)))
	o.replace[path] = file
	return os.WriteFile(file, []byte(text), 0o666)
}

// An Edit replaces a text that a file has once.
type Edit struct{ Find, Replace string }

// Edit replaces texts in a file of the standard library.
func (o *Overlay) Edit(name string, edits ...Edit) error {
	file := o.Std(name)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	edited, err := Apply(file, string(text), edits...)
	if err != nil {
		return err
	}
	return o.Put(file, edited)
}

// Apply returns text, the contents of a file, with edits.
func Apply(file, text string, edits ...Edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(text, e.Find); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, want once: is this a Go version nobody has tried?", file, e.Find, n)
		}
		text = strings.Replace(text, e.Find, e.Replace, 1)
	}
	return text, nil
}

// Write writes the file that the go command gets by its flag -overlay, and returns its name.
func (o *Overlay) Write() (string, error) {
	config, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.dir, "overlay.json")
	return file, os.WriteFile(file, config, 0o666)
}
