package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/recycling-go/recycling/core/internal/nethook"
)

// This file is recycle doctor. verdicts.go says what it looks for.

// A listed is a package in the output of go list.
type listed struct {
	Dir, ImportPath, Export string
	Standard                bool
	GoFiles, CgoFiles, Deps []string
	ImportMap               map[string]string
}

// A place is where a program refers to something that starts a server.
type place struct {
	at      token.Position
	what    string // such as "(*http.Server).Serve"
	verdict verdict
}

// doctor prints a line for each place where the packages, or those that they depend on, can start
// a server, and what will happen to it.
func doctor(cmd *command, out io.Writer) error {
	if err := cmd.enter(); err != nil {
		return err
	}
	args := append([]string{"list", "-deps", "-export", "-json=Dir,ImportPath,Export,Standard,GoFiles,CgoFiles,Deps,ImportMap"}, cmd.listFlags()...)
	text, err := output(nil, "go", append(append(args, "--"), cmd.packages...)...)
	if err != nil {
		return err
	}
	all, err := decode[listed](text)
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	env, err := readEnv()
	if err != nil {
		return err
	}
	if err := nethook.Tested(env.GOVERSION); err != nil {
		fmt.Fprintf(out, "%v\n\n", err)
	}
	d := newExamination(all)
	for _, p := range all {
		if p.ImportPath == corePath || strings.HasPrefix(p.ImportPath, corePath+"/") {
			continue
		}
		if !p.Standard && (slices.Contains(p.Deps, "net/http") || slices.ContainsFunc(p.Deps, isServerPackage)) {
			if err := d.examine(p); err != nil {
				return err
			}
		}
	}
	return d.print(out)
}

// An examination looks at packages.
type examination struct {
	set    *token.FileSet
	from   types.Importer
	places []place
}

func newExamination(all []listed) *examination {
	exports := map[string]string{} // files with export data, by import path
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	set := token.NewFileSet()
	from := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		file := exports[path]
		if file == "" {
			return nil, fmt.Errorf("there is no export data for %s", path)
		}
		return os.Open(file)
	})
	return &examination{set: set, from: from}
}

// A mapped is an importer for a package whose imports are vendored in the standard library.
type mapped struct {
	types.Importer
	paths map[string]string
}

func (m mapped) Import(path string) (*types.Package, error) {
	if to, ok := m.paths[path]; ok {
		path = to
	}
	return m.Importer.Import(path)
}

// examine finds the places of a package.
func (d *examination) examine(p listed) error {
	var files []*ast.File
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		if !filepath.IsAbs(name) { // files that cgo makes are in the cache
			name = filepath.Join(p.Dir, name)
		}
		f, err := parser.ParseFile(d.set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{
		Importer:    mapped{d.from, p.ImportMap},
		FakeImportC: true,
		Error:       func(error) {}, // cgo; the compiler has accepted it
	}
	config.Check(p.ImportPath, d.set, files, info)
	for _, f := range files {
		d.examineFile(f, info)
	}
	return nil
}

// examineFile finds the places of a file.
func (d *examination) examineFile(f *ast.File, info *types.Info) {
	for _, decl := range f.Decls {
		initial := isInitial(decl)
		var spawned []ast.Node // go statements and functions, whose code does not run here and now
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.FuncLit:
				spawned = append(spawned, n)
			case *ast.Ident:
				what, v := judge(info.Uses[n])
				if o := info.Defs[n]; o != nil && d.isListener(o) {
					what, v = o.Pkg().Name()+"."+o.Name(), wrapped
				}
				if v == "" {
					return true
				}
				if v == recycled && initial && !within(n, spawned) {
					v = initialized
				}
				d.places = append(d.places, place{d.set.Position(n.Pos()), what, v})
			}
			return true
		})
	}
}

// isInitial reports whether the code of a declaration runs when the package is initialized.
func isInitial(decl ast.Decl) bool {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		return decl.Recv == nil && decl.Name.Name == "init"
	case *ast.GenDecl:
		return decl.Tok == token.VAR
	}
	return false
}

func within(n ast.Node, spawned []ast.Node) bool {
	return slices.ContainsFunc(spawned, func(s ast.Node) bool { return s.Pos() <= n.Pos() && n.End() <= s.End() })
}

// isListener reports whether o is a type that implements net.Listener, and not this project's own.
func (d *examination) isListener(o types.Object) bool {
	name, ok := o.(*types.TypeName)
	if !ok || name.IsAlias() || strings.HasPrefix(o.Pkg().Path(), strings.TrimSuffix(corePath, "core")) {
		return false
	}
	named, ok := name.Type().(*types.Named)
	if !ok || named.TypeParams().Len() > 0 || types.IsInterface(named) {
		return false
	}
	netPackage, err := d.from.Import("net")
	if err != nil {
		return false
	}
	listener := netPackage.Scope().Lookup("Listener").Type().Underlying().(*types.Interface)
	return types.Implements(types.NewPointer(named), listener)
}

// print prints the places, those of the current folder first.
func (d *examination) print(out io.Writer) error {
	for i := range d.places {
		d.places[i].at.Filename = shorten(d.places[i].at.Filename)
	}
	slices.SortFunc(d.places, func(a, b place) int {
		if x, y := filepath.IsAbs(a.at.Filename), filepath.IsAbs(b.at.Filename); x != y {
			if x {
				return 1
			}
			return -1
		}
		if c := strings.Compare(a.at.Filename, b.at.Filename); c != 0 {
			return c
		}
		return a.at.Offset - b.at.Offset
	})
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	counts := map[verdict]int{}
	for _, p := range d.places {
		counts[p.verdict]++
		fmt.Fprintf(w, "%s:%d\t%s\t%s\n", p.at.Filename, p.at.Line, p.what, p.verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(counts) == 0 {
		_, err := fmt.Fprintln(out, "no place starts a server")
		return err
	}
	fmt.Fprintln(out)
	for _, v := range verdicts {
		if counts[v] > 0 {
			fmt.Fprintf(out, "%s (%d): %s\n", v, counts[v], explanations[v])
		}
	}
	return nil
}

// shorten returns a file's path, relative to the current folder if it is in it.
func shorten(file string) string {
	wd, err := os.Getwd()
	if err != nil {
		return file
	}
	if r, err := filepath.Rel(wd, file); err == nil && filepath.IsLocal(r) {
		return r
	}
	return file
}
