package nethook

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// An insertion is text to be inserted at an offset.
type insertion struct {
	at   int
	text string
}

// A source is a file to be patched.
type source struct {
	name    string
	text    []byte
	set     *token.FileSet
	file    *ast.File
	inserts []insertion
}

// Patch returns text, the file server.go of net/http, with hooks. name is the file's path, for
// errors. Patch returns an error if the file is not as expected: then this package does not know
// the Go version, whatever [Tested] says.
func Patch(name string, text []byte) ([]byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, text: text, set: set, file: file}
	for _, patch := range []func() error{s.patchType, s.patchServe, s.patchShutdown, s.patchClose, s.patchKeepAlives} {
		if err := patch(); err != nil {
			return nil, err
		}
	}
	return s.result()
}

// result returns the text with all insertions.
func (s *source) result() ([]byte, error) {
	slices.SortFunc(s.inserts, func(a, b insertion) int { return a.at - b.at })
	var out strings.Builder
	from := 0
	for _, i := range s.inserts {
		out.Write(s.text[from:i.at])
		out.WriteString(i.text)
		from = i.at
	}
	out.Write(s.text[from:])
	if _, err := format.Source([]byte(out.String())); err != nil {
		return nil, fmt.Errorf("%s: the copy with hooks is not valid: %w", s.name, err)
	}
	return []byte(out.String()), nil
}

func (s *source) insert(at token.Pos, text string) {
	s.inserts = append(s.inserts, insertion{s.set.Position(at).Offset, text})
}

// unexpected returns the error for a file that has another form than expected.
func (s *source) unexpected(what string, args ...any) error {
	return fmt.Errorf("%s: %s", s.name, fmt.Sprintf(what, args...))
}

// patchType adds a field to the struct Server. A table with the servers as keys was rejected: if
// its values refer to the servers, no server is ever collected.
func (s *source) patchType() error {
	for _, d := range s.file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok || t.Name.Name != "Server" {
				continue
			}
			st, ok := t.Type.(*ast.StructType)
			if !ok || st.Fields.NumFields() == 0 {
				return s.unexpected("type Server is not a struct with fields")
			}
			if !s.imports("sync/atomic") {
				return s.unexpected("sync/atomic is not imported")
			}
			s.insert(st.Fields.Closing, "recycling atomic.Value ")
			return nil
		}
	}
	return s.unexpected("there is no type Server")
}

func (s *source) imports(path string) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool {
		return i.Name == nil && i.Path.Value == `"`+path+`"`
	})
}

// method returns a method of *Server, which must have the given signature, such as "func(l
// net.Listener) error", whatever the names of the receiver and the parameter are. It returns these
// names.
func (s *source) method(name, param, result string) (f *ast.FuncDecl, receiver, parameter string, err error) {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != name || f.Recv == nil || len(f.Recv.List) != 1 || s.code(f.Recv.List[0].Type) != "*Server" {
			continue
		}
		var params, results []string
		for _, p := range f.Type.Params.List {
			for _, n := range p.Names {
				parameter = n.Name
				params = append(params, s.code(p.Type))
			}
		}
		if f.Type.Results != nil {
			for _, r := range f.Type.Results.List {
				results = append(results, s.code(r.Type))
			}
		}
		got := [2]string{strings.Join(params, ", "), strings.Join(results, ", ")}
		if f.Body == nil || len(f.Recv.List[0].Names) != 1 || got != [2]string{param, result} {
			return nil, "", "", s.unexpected("method %s of *Server is func(%s) %s, want func(%s) %s", name, got[0], got[1], param, result)
		}
		return f, f.Recv.List[0].Names[0].Name, parameter, nil
	}
	return nil, "", "", s.unexpected("*Server has no method %s", name)
}

func (s *source) code(n ast.Node) string {
	return string(s.text[s.set.Position(n.Pos()).Offset:s.set.Position(n.End()).Offset])
}

// patchServe inserts the hook where Serve begins to serve the listener. Before that, Serve only
// calls a hook of net/http's own tests and, with Go 1.27, recognizes a value that is not a real
// listener, by which x/net/http2 passes information. These are if statements. The first other
// statement must store the listener.
func (s *source) patchServe() error {
	f, recv, l, err := s.method("Serve", "net.Listener", "error")
	if err != nil {
		return err
	}
	for _, stmt := range f.Body.List {
		switch stmt := stmt.(type) {
		case *ast.IfStmt:
			continue
		case *ast.AssignStmt:
			if len(stmt.Rhs) == 1 && s.code(stmt.Rhs[0]) == l {
				s.insert(stmt.Pos(), fmt.Sprintf("if err, ok := %s.recyclingServe(%s); ok { return err }; ", recv, l))
				return nil
			}
		}
		break
	}
	return s.unexpected("Serve does not begin with if statements and an assignment of %s", l)
}

func (s *source) patchShutdown() error {
	f, recv, ctx, err := s.method("Shutdown", "context.Context", "error")
	if err != nil {
		return err
	}
	s.insert(f.Body.Lbrace+1, fmt.Sprintf(" if err, ok := %s.recyclingShutdown(%s); ok { return err };", recv, ctx))
	return nil
}

func (s *source) patchClose() error {
	f, recv, _, err := s.method("Close", "", "error")
	if err != nil {
		return err
	}
	s.insert(f.Body.Lbrace+1, fmt.Sprintf(" if err, ok := %s.recyclingClose(); ok { return err };", recv))
	return nil
}

func (s *source) patchKeepAlives() error {
	f, recv, v, err := s.method("SetKeepAlivesEnabled", "bool", "")
	if err != nil {
		return err
	}
	s.insert(f.Body.Lbrace+1, fmt.Sprintf(" %s.recyclingKeepAlives(%s);", recv, v))
	return nil
}
