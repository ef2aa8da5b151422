package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the repository, and module that of the module examples.
const (
	root   = "../../.."
	module = "../.."
)

func all(t *testing.T) map[string]page {
	t.Helper()
	pages, err := readAll(root)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages := all(t)
	n := 0
	for name, p := range pages {
		for _, link := range p.links {
			n++
			if why := broken(root, pages, name, link); why != "" {
				t.Errorf("%s: link to %s: %s", name, link, why)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d links were found", n)
	}
}

func TestIndexHasAllPages(t *testing.T) {
	pages := all(t)
	index := pages["docs/README.md"].links
	for name := range pages {
		if file, ok := strings.CutPrefix(name, "docs/"); ok && file != "README.md" && !slices.Contains(index, file) {
			t.Errorf("docs/README.md does not link to %s", file)
		}
	}
	if !slices.Contains(pages["README.md"].links, "docs/README.md") {
		t.Error("README.md does not link to docs/README.md")
	}
}

// TestProgramsCompile vets every program on the pages, which also compiles it. The go command runs
// in the module examples, which requires what the programs import.
func TestProgramsCompile(t *testing.T) {
	n := 0
	for name, p := range all(t) {
		for i, code := range p.programs {
			n++
			t.Run(fmt.Sprintf("%s %d", name, i+1), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "main.go")
				if err := os.WriteFile(file, []byte(code), 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("go", "vet", file)
				cmd.Dir = module
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if out, err := exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("gofmt: %v\n%s", err, out)
				}
			})
		}
	}
	if n < 7 {
		t.Errorf("only %d programs were found", n)
	}
}

const sample = "# A `b` [c](d.md), e!\n" +
	"[x](README.md) and `[not](this.md)`\n" +
	"```go\npackage main\n// [nor](that.md)\n```\n" +
	"    [nor](indented.md)\n" +
	"## Twice\n## Twice\n"

func TestPagesAreParsed(t *testing.T) {
	p := parse(sample)
	if want := []string{"d.md", "README.md"}; !slices.Equal(p.links, want) {
		t.Errorf("links %q, want %q", p.links, want)
	}
	if want := []string{"package main\n// [nor](that.md)\n"}; !slices.Equal(p.programs, want) {
		t.Errorf("programs %q, want %q", p.programs, want)
	}
	for _, a := range []string{"a-b-c-e", "twice", "twice-1"} {
		if !p.anchors[a] {
			t.Errorf("no anchor %s in %v", a, p.anchors)
		}
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	pages := map[string]page{"README.md": parse(sample)}
	for link, want := range map[string]bool{
		"#twice-1":                 true,
		"README.md#twice":          true,
		"core":                     true,
		"https://example.com/none": true,
		"#thrice":                  false,
		"README.md#thrice":         false,
		"core#thrice":              false,
		"none.md":                  false,
		"../README.md":             false,
		"/README.md":               false,
	} {
		if why := broken(root, pages, "README.md", link); (why == "") != want {
			t.Errorf("%s: %q, want it to lead somewhere: %t", link, why, want)
		}
	}
}
