// Command modproxy adds modules of a work tree to a folder that the go command can use as a module
// proxy, with GOPROXY=file://FOLDER. The files that it writes have the checksums that the public
// proxy would compute for a tag.
//
//	modproxy FOLDER VERSION DIR...
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: modproxy FOLDER VERSION DIR...")
	}
	for _, dir := range os.Args[3:] {
		if err := add(os.Args[1], os.Args[2], dir); err != nil {
			log.Fatalf("modproxy: %s: %v", dir, err)
		}
	}
}

// add adds the module in dir to the proxy in folder, as version.
func add(folder, version, dir string) error {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	m := module.Version{Path: modfile.ModulePath(mod), Version: version}
	if err := module.Check(m.Path, m.Version); err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	versions := filepath.Join(folder, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	files, err := filesIn(dir)
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := zip.Create(&content, m, files); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		version + ".mod":  mod,
		version + ".info": info,
		version + ".zip":  content.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), data, 0o644); err != nil {
			return err
		}
	}
	return list(versions)
}

// list writes the list of the versions in a folder.
func list(versions string) error {
	infos, err := filepath.Glob(filepath.Join(versions, "*.info"))
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, info := range infos {
		fmt.Fprintln(&list, strings.TrimSuffix(filepath.Base(info), ".info"))
	}
	return os.WriteFile(filepath.Join(versions, "list"), []byte(list.String()), 0o644)
}

// filesIn returns the files in dir that git tracks or would add. Like the go command, it adds the
// LICENSE of the repository to a module without one.
func filesIn(dir string) ([]zip.File, error) {
	list, err := git(dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	var files []zip.File
	licensed := false
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			continue // it is removed, but still in the index
		}
		files = append(files, file{name: path.Clean(name), source: filepath.Join(dir, name)})
		licensed = licensed || name == "LICENSE"
	}
	root, err := git(dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	license := filepath.Join(strings.TrimSuffix(root, "\n"), "LICENSE")
	if _, err := os.Stat(license); err == nil && !licensed {
		files = append(files, file{name: "LICENSE", source: license})
	}
	return files, nil
}

func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("git %s: %s", args[0], bytes.TrimSpace(e.Stderr))
	}
	return string(out), err
}

// A file is a file of a module: its path in the module, and its path on disk.
type file struct{ name, source string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (fs.FileInfo, error)  { return os.Lstat(f.source) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.source) }
