package orchestrion_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The declarations that the rules inject must be those of the command recycle, since package auto
// relies on them.
func TestDeclarationsAreThoseOfTheCommandRecycle(t *testing.T) {
	hooks := read(t, filepath.Join(moduleDir(t, "core"), "internal", "nethook", "hooks.go.txt"))
	imports, declarations, found := strings.Cut(hooks, "\n)\n")
	if !found {
		t.Fatal("hooks.go.txt does not begin with imports")
	}
	indent := strings.Repeat(" ", 12)
	rules := read(t, "orchestrion.yml")
	want := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(strings.Trim(declarations, "\n"), indent+"$1")
	if !strings.Contains(rules, "          template: |-\n"+want+"\n\n"+indent+"// recyclingConfig ") {
		t.Error("orchestrion.yml does not have the declarations of hooks.go.txt")
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(?:_ )?"(.*)"`).FindAllStringSubmatch(imports, -1) {
		if path := m[1]; path != "unsafe" && !strings.Contains(rules, "\n            "+path[strings.LastIndexByte(path, '/')+1:]+": "+path+"\n") {
			t.Errorf("orchestrion.yml does not import %s", path)
		}
	}
}

// The hook comes before the if statements with which Serve begins. If there is one more than these,
// it must be considered here.
func TestServeBeginsAsExpected(t *testing.T) {
	text := read(t, filepath.Join(goroot(t), "src", "net", "http", "server.go"))
	_, body, found := strings.Cut(text, " *Server) Serve(l net.Listener) error {\n")
	if !found {
		t.Fatal("there is no method Serve")
	}
	body, _, _ = strings.Cut(body, "\torigListener := l\n")
	for _, m := range regexp.MustCompile(`(?m)^\t(\S.*)$`).FindAllStringSubmatch(body, -1) {
		switch m[1] {
		case "if conf, ok := l.(http2ExternalServerConfig); ok {", "if fn := testHookServerServe; fn != nil {", "}":
		default:
			t.Errorf("Serve begins with %q", m[1])
		}
	}
}
