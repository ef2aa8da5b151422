package nethook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// server returns net/http's own server.go.
func server(t *testing.T) (name, text string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(strings.TrimSpace(string(root)), "src", "net", "http", "server.go")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, string(b)
}

func TestPatchInsertsIntoLines(t *testing.T) {
	name, text := server(t)
	out, err := Patch(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(text, "\n"), strings.Split(string(out), "\n")
	if len(was) != len(is) {
		t.Fatalf("%d lines became %d", len(was), len(is))
	}
	changed := 0
	for i := range was {
		if was[i] != is[i] {
			changed++
			if !strings.Contains(is[i], "recycling") {
				t.Errorf("line %d was %q and is %q", i+1, was[i], is[i])
			}
		}
	}
	if changed != 5 {
		t.Errorf("%d lines have changed, want those of the type and four methods", changed)
	}
}

// Each of these changes may come with a version of Go, and then the hooks may be in a wrong place.
func TestUnexpectedSourceIsRefused(t *testing.T) {
	name, text := server(t)
	for _, c := range []struct{ from, to, want string }{
		{"type Server struct {", "type Server2 struct {", "there is no type Server"},
		{"type Server struct {", "type Server = server\n\ntype server struct {", "type Server is not a struct with fields"},
		{"\t\"sync/atomic\"\n", "\tatomic \"sync/atomic\"\n", "sync/atomic is not imported"},
		{") Serve(l net.Listener) error {", ") Serve(l net.Listener, x int) error {", "method Serve of *Server is func(net.Listener, int) error, want func(net.Listener) error"},
		{") Serve(l net.Listener) error {", ") Serve2(l net.Listener) error {", "*Server has no method Serve"},
		{"\torigListener := l\n", "\ts.wait()\n\torigListener := l\n", "Serve does not begin with if statements and an assignment of l"},
		{"\torigListener := l\n", "\tvar origListener = l\n", "Serve does not begin with if statements and an assignment of l"},
		{"\torigListener := l\n", "\torigListener := wrap(l)\n", "Serve does not begin with if statements and an assignment of l"},
		{") Shutdown(ctx context.Context) error {", ") Shutdown(context.Context) error {", "method Shutdown of *Server is func() error"},
		{") Close() error {", ") Close() {", "method Close of *Server is func() , want func() error"},
		{") SetKeepAlivesEnabled(v bool) {", ") SetKeepAlivesEnabled(v int) {", "method SetKeepAlivesEnabled of *Server is func(int) , want func(bool)"},
		{"package http\n", "package\n", "expected 'IDENT'"},
	} {
		// Methods of that name may be those of another type.
		var changed string
		for _, recv := range []string{"func (s *Server", "func (srv *Server", ""} {
			if from := recv + c.from; strings.Count(text, from) == 1 {
				changed = strings.Replace(text, from, recv+c.to, 1)
				break
			}
		}
		if changed == "" {
			t.Errorf("server.go does not have %q once", c.from)
			continue
		}
		if _, err := Patch(name, []byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %q: %v, want %s", c.to, err, c.want)
		}
	}
}

func TestTestedVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"go1.25": true, "go1.25.14": true, "go1.26.8": true, "go1.27.4": true, "go1.27.4 X:jsonv2": true, "go1.26.8-custom": true,
		"go1.24.9": false, "go1.28": false, "go1.28rc1": false, "go1.27rc2": false, "devel go1.28-abcdef": false, "": false, "go1.260": false,
	} {
		if err := Tested(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}
