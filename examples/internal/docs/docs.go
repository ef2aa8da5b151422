// Package docs checks the repository's Markdown files: that the programs in them compile, and that
// their links lead somewhere. It is in this module because the programs import all adapters.
package docs

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// A page is a Markdown file.
type page struct {
	programs []string        // the code blocks in Go that begin with "package main"
	links    []string        // as written
	anchors  map[string]bool // of the headings, as GitHub makes them
}

var (
	fence    = regexp.MustCompile("^ *(```+|~~~+) *([a-z]*)")
	heading  = regexp.MustCompile(`^#{1,6} +(.*?)(?: +#+)?$`)
	codeSpan = regexp.MustCompile("`[^`]*`")
	linkTo   = regexp.MustCompile(`\]\(([^()\s]+)(?: "[^"]*")?\)`)
)

// parse parses a page.
func parse(text string) page {
	p := page{anchors: map[string]bool{}}
	var block []string
	closing, language := "", ""
	for _, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case closing == "" && m != nil:
			closing, language, block = m[1], m[2], nil
		case closing != "" && strings.TrimSpace(line) == closing:
			if code := strings.Join(block, "\n"); language == "go" && strings.HasPrefix(code, "package main\n") {
				p.programs = append(p.programs, code+"\n")
			}
			closing = ""
		case closing != "":
			block = append(block, line)
		case strings.HasPrefix(line, "    ") && !strings.HasPrefix(strings.TrimSpace(line), "-"):
			// indented code
		default:
			p.add(line)
		}
	}
	return p
}

// add adds the links and the heading of a line that is not code.
func (p *page) add(line string) {
	if m := heading.FindStringSubmatch(line); m != nil {
		a := anchor(m[1])
		for n := 1; p.anchors[a]; n++ {
			a = fmt.Sprintf("%s-%d", anchor(m[1]), n)
		}
		p.anchors[a] = true
	}
	for _, m := range linkTo.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
		p.links = append(p.links, m[1])
	}
}

// anchor returns the anchor that GitHub gives to a heading.
func anchor(text string) string {
	text = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(text, "$1") // a link
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// readAll returns the Markdown files under root, by their paths relative to it.
func readAll(root string) (map[string]page, error) {
	pages := map[string]page{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		pages[filepath.ToSlash(name)] = parse(string(b))
		return err
	})
	return pages, err
}

// broken returns what is wrong with a link on the page with this name, or "".
func broken(root string, pages map[string]page, name, link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" {
		return "" // elsewhere; tests do not use the network
	}
	target := name
	if u.Path != "" {
		target = filepath.ToSlash(filepath.Join(filepath.Dir(name), u.Path))
		if strings.HasPrefix(target, "..") || strings.HasPrefix(u.Path, "/") {
			return "leads out of the repository"
		}
		if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			return "the file does not exist"
		}
	}
	if p, ok := pages[target]; u.Fragment != "" && (!ok || !p.anchors[u.Fragment]) {
		return "the heading does not exist"
	}
	return ""
}
