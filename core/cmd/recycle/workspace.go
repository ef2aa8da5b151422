package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// A workspace is a go.work that this command makes.
type workspace struct {
	language, toolchain string
	godebug             []string
	use                 []string
	replace             []string // lines
	sums                string   // the contents of go.work.sum
}

// addToWorkspace makes a copy of the workspace, with another module that requires core.
func (b *build) addToWorkspace(mod string) error {
	w, err := readWork(b.env.GOWORK)
	if err != nil {
		return err
	}
	dir := filepath.Dir(b.env.GOWORK)
	vendored, err := b.isVendored(mod, dir, w.Go, true)
	if err != nil {
		return err
	}
	ws := b.newWorkspace(w)
	replaced := w.replaced()
	for _, r := range w.Replace {
		ws.addReplace(r.Old, r.New, dir)
	}
	for _, u := range w.Use {
		path := absolute(u.DiskPath, dir)
		ws.use = append(ws.use, path)
		m, err := readMod(filepath.Join(path, "go.mod"))
		if err != nil {
			return err
		}
		replaced[m.Module.Path] = true
		maps.Copy(replaced, m.replaced())
	}
	if vendored {
		return b.vendorWorkspace(ws, dir)
	}
	if ws.sums, err = readIfThere(b.env.GOWORK + ".sum"); err != nil {
		return err
	}
	return b.useWorkspace(ws, replaced)
}

// addBeside makes a workspace of a module that is in none.
func (b *build) addBeside(m *gomod, file string) error {
	if file != b.env.GOMOD {
		return fmt.Errorf("flag -modfile: the go line in %s has the version %q; with this flag it must be %s or later", file, m.Go, loopVersion)
	}
	b.dropMod()
	ws, replaced := b.workspaceOf(m)
	return b.useWorkspace(ws, replaced)
}

// dropMod removes flag -mod, because the go command refuses -mod=mod in a workspace.
func (b *build) dropMod() {
	b.cmd.without("mod")
	if b.env.flag("mod") != "" {
		b.goFlags = append(b.goFlags, "-mod=readonly")
	}
}

// newWorkspace returns a workspace without modules that has the settings of m, which is a module or
// a workspace. If the go line of m is older than core's, the workspace has core's, and a godebug
// line, because the defaults of GODEBUG depend on the go line.
func (b *build) newWorkspace(m *gomod) workspace {
	ws := workspace{language: m.Go, toolchain: m.Toolchain}
	for _, d := range m.Godebug {
		ws.godebug = append(ws.godebug, d.Key+"="+d.Value)
	}
	if older(m.Go, b.core.language) {
		ws.language = b.core.language
		if len(m.keepGodebug()) > 0 {
			ws.godebug = append(ws.godebug, "default=go"+m.language())
		}
	}
	return ws
}

// workspaceOf returns a workspace of the application's only module, and the paths of the modules
// that it contains or replaces.
func (b *build) workspaceOf(m *gomod) (ws workspace, replaced map[string]bool) {
	ws = b.newWorkspace(m)
	ws.use = []string{filepath.Dir(b.env.GOMOD)}
	replaced = m.replaced()
	replaced[m.Module.Path] = true
	return ws, replaced
}

func absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// addReplace adds a replace line. If the path of to is relative, it is relative to dir.
func (w *workspace) addReplace(from, to gomodPath, dir string) {
	if to.Version == "" {
		to.Path = absolute(to.Path, dir)
	}
	line := fmt.Sprintf("replace %s %s => %q %s", from.Path, from.Version, to.Path, to.Version)
	w.replace = append(w.replace, line)
}

// text returns the file go.work.
func (w *workspace) text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "go %s\n", w.language)
	if w.toolchain != "" {
		fmt.Fprintf(&s, "toolchain %s\n", w.toolchain)
	}
	for _, d := range w.godebug {
		fmt.Fprintf(&s, "godebug %s\n", d)
	}
	for _, u := range w.use {
		fmt.Fprintf(&s, "use %q\n", u)
	}
	for _, r := range w.replace {
		fmt.Fprintln(&s, r)
	}
	return s.String()
}

// useWorkspace writes the workspace ws, with one more module, and makes the go command use it.
// replaced are the modules that ws contains or replaces.
func (b *build) useWorkspace(ws workspace, replaced map[string]bool) error {
	for _, path := range sortedKeys(b.core.replace) {
		if !replaced[path] {
			ws.addReplace(gomodPath{Path: path}, gomodPath{Path: b.core.replace[path]}, "")
		}
	}
	hook := fmt.Sprintf("module recycle.invalid/hook\n\ngo %s\n\n", ws.language)
	for _, m := range append([]gomodPath{{corePath, b.core.version}}, b.extra...) {
		hook += fmt.Sprintf("require %s %s\n", m.Path, m.Version)
	}
	ws.use = append(ws.use, "./hook")
	files := map[string]string{"go.work": ws.text(), "go.work.sum": ws.sums, "hook/go.mod": hook}
	tmp, err := os.MkdirTemp(string(b.store), "tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := writeFiles(tmp, files); err != nil {
		return err
	}
	if err := b.core.fetch(); err != nil {
		return err
	}
	// This completes go.work.sum, which go list does not.
	env := []string{"GOWORK=" + filepath.Join(tmp, "go.work"), "GOFLAGS="}
	if _, err := output(env, "go", append([]string{"mod", "download"}, b.modules(replaced)...)...); err != nil {
		return b.core.explain(err)
	}
	if files["go.work.sum"], err = readIfThere(filepath.Join(tmp, "go.work.sum")); err != nil {
		return err
	}
	dir, err := b.store.folder(files)
	if err != nil {
		return err
	}
	b.goEnv = append(b.goEnv, "GOWORK="+filepath.Join(dir, "go.work"))
	return nil
}

// modules returns the modules whose checksums the workspace may lack, where nil means all modules:
// a package with a version comes without checksums.
func (b *build) modules(replaced map[string]bool) []string {
	if b.versioned {
		return nil
	}
	return b.core.modules(replaced)
}
